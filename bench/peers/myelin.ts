// Our own side of the comparison: a session over TCP, opened as any agent opens it, with everything at its
// default. `XKhfs` dials with the responder's static key, `XXhfs` without.

import { systemClock, systemRandom } from '@myelin/base/system'
import { type AgentId, AgentKeys, createPeerRecord } from '@myelin/identity'
import {
  acceptSession,
  dialSession,
  type Session,
  type SessionHandlers,
  sessionEnvironment,
} from '@myelin/session'
import { type ByteStream, tcp } from '@myelin/transport'
import { ignore, type Kind, type Link } from './link.ts'

export function myelin(pattern: 'XKhfs' | 'XXhfs'): Kind {
  const keys = AgentKeys.generate(systemRandom)
  const { publicKey } = keys.staticKey
  const record = createPeerRecord(keys, {
    sequence: 1,
    nowMs: systemClock.wallMs(),
    staticKey: publicKey,
  })
  const environment = sessionEnvironment({
    clock: systemClock,
    random: systemRandom,
    keys,
    record: () => record,
    authorize: () => ({ isAdmitted: true, roles: [] }),
  })
  const transport = tcp()
  return {
    name: 'myelin',
    listen: async (onLink) => {
      const { addresses } = await transport.listen('/ip4/127.0.0.1/tcp/0', (stream) => {
        const link = new SessionLink(stream)
        const opened = (session: Session) => {
          link.session = session
          onLink(link)
        }
        // Some dialers hang up during the handshake when a run is aborted.
        acceptSession(stream, environment, { handlers: handlersOf(link, opened) }).catch(ignore)
      })
      const [address = ''] = addresses
      return { address, agent: keys.agent, staticKey: Buffer.from(publicKey).toString('hex') }
    },
    dial: async ({ address, agent, staticKey }) => {
      const stream = await transport.dial(String(address))
      const link = new SessionLink(stream)
      link.session = await dialSession(stream, environment, {
        handlers: handlersOf(link, ignore),
        expected: agent as AgentId,
        ...(pattern === 'XKhfs' && { staticKey: Buffer.from(String(staticKey), 'hex') }),
      })
      return link
    },
  }
}

class SessionLink implements Link {
  receive: (payload: Uint8Array) => void = ignore
  session!: Session
  readonly #stream: ByteStream
  #onDrain: () => void = ignore

  constructor(stream: ByteStream) {
    this.#stream = stream
  }

  send(payload: Uint8Array): boolean {
    return this.session.post('data', payload)
  }

  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#onDrain = resolve
    })
  }

  /** The session's `drain` handler. */
  roomAgain(): void {
    this.#onDrain()
  }

  destroy(): void {
    this.#stream.destroy()
  }
}

function handlersOf(link: SessionLink, opened: (session: Session) => void): SessionHandlers {
  return {
    opened,
    message: (message) => {
      link.receive(message.payload)
      message.release()
    },
    stream: (stream) => stream.stop(),
    drain: () => link.roomAgain(),
    closed: ignore,
  }
}
