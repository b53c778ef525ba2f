// Our own side of the comparison: a session over TCP, a Unix socket or shared memory, opened as any agent opens
// it, with everything at its default. `XKhfs` dials with the responder's static key, `XXhfs` without.

import { systemClock, systemRandom } from '@myelin/base/system'
import { type AgentId, AgentKeys, createPeerRecord } from '@myelin/identity'
import {
  acceptSession,
  dialSession,
  type Session,
  type SessionHandlers,
  type SessionStream,
  sessionEnvironment,
} from '@myelin/session'
import { type ByteStream, ipc, ipcAddress, shm, shmAddress, tcp } from '@myelin/transport'
import { ignore, type Kind, type Link } from './link.ts'
import { temporaryPath } from './temporary.ts'

export interface MyelinVariant {
  readonly over?: 'tcp' | 'ipc' | 'shm'
  /** One stream of the session in place of messages: `receive` gets chunks. */
  readonly isStream?: boolean
}

const transports = { tcp, ipc, shm }
/** Where to listen. */
const doors = {
  tcp: () => '/ip4/127.0.0.1/tcp/0',
  ipc: () => ipcAddress(temporaryPath()),
  shm: () => shmAddress(temporaryPath()),
}

export function myelin(
  pattern: 'XKhfs' | 'XXhfs',
  { over = 'tcp', isStream = false }: MyelinVariant = {},
): Kind {
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
  const transport = transports[over]()
  return {
    name: 'myelin',
    listen: async (onLink) => {
      const { addresses } = await transport.listen(doors[over](), (stream) => {
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
      return isStream ? new StreamLink(link) : link
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

/** What is sent goes into one stream; what comes, comes through the session's handlers. */
class StreamLink implements Link {
  receive: (payload: Uint8Array) => void = ignore
  readonly #link: SessionLink
  readonly #stream: SessionStream

  constructor(link: SessionLink) {
    this.#link = link
    this.#stream = link.session.openStream('bulk')
  }

  send(payload: Uint8Array): boolean {
    return this.#stream.write(payload)
  }

  drained(): Promise<void> {
    return this.#stream.drained()
  }

  destroy(): void {
    this.#link.destroy()
  }
}

/** Streams end with their session when a run is over. */
async function readInto(link: SessionLink, stream: SessionStream): Promise<void> {
  for await (const chunk of stream) link.receive(chunk)
}

function handlersOf(link: SessionLink, opened: (session: Session) => void): SessionHandlers {
  return {
    opened,
    message: (message) => {
      link.receive(message.payload)
      message.release()
    },
    stream: (stream) => void readInto(link, stream).catch(ignore),
    drain: () => link.roomAgain(),
    closed: ignore,
  }
}
