// Our own side of the comparison: a session over TCP, a Unix socket, shared memory or QUIC, opened as any agent
// opens it, with everything at its default. `XKhfs` dials with the responder's static key, `XXhfs` without.

import { systemClock, systemRandom } from '@myelin/base/system'
import { type AgentId, AgentKeys, createPeerRecord } from '@myelin/identity'
import {
  acceptSession,
  dialSession,
  Resumptions,
  type Session,
  type SessionEnvironment,
  type SessionHandlers,
  type SessionStream,
  sessionEnvironment,
} from '@myelin/session'
import {
  type ByteStream,
  ipc,
  ipcAddress,
  memory,
  quic,
  shm,
  shmAddress,
  tcp,
} from '@myelin/transport'
import { ignore, type Kind, type Link } from './link.ts'
import { temporaryPath } from './temporary.ts'

export interface MyelinVariant {
  /** `memory` is for both ends in one process. */
  readonly over?: 'tcp' | 'ipc' | 'shm' | 'quic' | 'memory'
  /** One stream of the session in place of messages: `receive` gets chunks. */
  readonly isStream?: boolean
  /** Every session but the first begins with a ticket of the one before. */
  readonly isResuming?: boolean
}

const transports = { tcp, ipc, shm, quic, memory }
let doorsInMemory = 0
/** Where to listen. */
const doors = {
  tcp: () => '/ip4/127.0.0.1/tcp/0',
  ipc: () => ipcAddress(temporaryPath()),
  shm: () => shmAddress(temporaryPath()),
  quic: () => '/ip4/127.0.0.1/udp/0/quic-v1',
  memory: () => {
    doorsInMemory += 1
    return `/memory/bench-${doorsInMemory}`
  },
}

export function myelin(
  pattern: 'XKhfs' | 'XXhfs',
  { over = 'tcp', isStream = false, isResuming = false }: MyelinVariant = {},
): Kind {
  // Two agents: with both ends in one process, what one remembers of handshakes is not the other's.
  const [accepting, dialling] = [environmentOf(isResuming), environmentOf(isResuming)]
  const { agent: door, staticKey: doorKey } = accepting.keys
  const transport = transports[over]()
  return {
    name: isResuming ? 'myelin, resumed' : 'myelin',
    listen: async (onLink) => {
      const { addresses } = await transport.listen(doors[over](), (stream) => {
        const link = new SessionLink(stream)
        const opened = (session: Session) => {
          link.session = session
          onLink(link)
        }
        // Some dialers hang up during the handshake when a run is aborted.
        acceptSession(stream, accepting, { handlers: handlersOf(link, opened) }).catch(ignore)
      })
      const [address = ''] = addresses
      const staticKey = Buffer.from(doorKey.publicKey).toString('hex')
      return { address, agent: door, staticKey }
    },
    dial: async ({ address, agent, staticKey }) => {
      const stream = await transport.dial(String(address))
      const link = new SessionLink(stream)
      link.session = await dialSession(stream, dialling, {
        handlers: handlersOf(link, ignore),
        expected: agent as AgentId,
        ...(pattern === 'XKhfs' && { staticKey: Buffer.from(String(staticKey), 'hex') }),
      })
      return isStream ? new StreamLink(link) : link
    },
  }
}

function environmentOf(isResuming: boolean): SessionEnvironment {
  const keys = AgentKeys.generate(systemRandom)
  const record = createPeerRecord(keys, {
    sequence: 1,
    nowMs: systemClock.wallMs(),
    staticKey: keys.staticKey.publicKey,
  })
  return sessionEnvironment({
    clock: systemClock,
    random: systemRandom,
    keys,
    record: () => record,
    authorize: () => ({ isAdmitted: true, roles: [] }),
    ...(isResuming && { resumptions: new Resumptions({ clock: systemClock }) }),
  })
}

export class SessionLink implements Link {
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

  sendUrgent(payload: Uint8Array): void {
    this.session.post('data', payload, { priority: 'critical' })
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
export class StreamLink implements Link {
  readonly #link: SessionLink
  readonly #stream: SessionStream

  constructor(link: SessionLink) {
    this.#link = link
    this.#stream = link.session.openStream('bulk')
  }

  get receive(): (payload: Uint8Array) => void {
    return this.#link.receive
  }

  set receive(take: (payload: Uint8Array) => void) {
    this.#link.receive = take
  }

  sendUrgent(payload: Uint8Array): void {
    this.#link.sendUrgent(payload)
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
