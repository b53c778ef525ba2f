// Two agents and a wire between them, for the tests of this package.

import { systemClock, systemRandom } from '@myelin/base/system'
import { AgentKeys, createPeerRecord, type PeerRecord } from '@myelin/identity'
import {
  acceptSession,
  type DialSessionOptions,
  dialSession,
  type IncomingMessage,
  type Session,
  type SessionEnvironment,
  type SessionError,
  type SessionHandlers,
  type SessionStream,
  sessionEnvironment,
} from '@myelin/session'
import { type ByteStream, memory } from '@myelin/transport'

export interface Party {
  readonly keys: AgentKeys
  readonly record: PeerRecord
  readonly environment: SessionEnvironment
  /** What arrived; `release` is called on arrival unless `holds`. */
  readonly messages: IncomingMessage[]
  readonly streams: SessionStream[]
  readonly ended: SessionError[]
  readonly handlers: SessionHandlers
  holds: boolean
  onMessage: (message: IncomingMessage) => void
  onDrain: () => void
  onStream: (stream: SessionStream) => void
}

export function party(
  options: Partial<SessionEnvironment> & { readonly lifetimeMs?: number } = {},
): Party {
  const keys = options.keys ?? AgentKeys.generate(systemRandom)
  const clock = options.clock ?? systemClock
  const { lifetimeMs } = options
  const record = createPeerRecord(keys, {
    sequence: 1,
    nowMs: clock.wallMs(),
    staticKey: keys.staticKey.publicKey,
    ...(lifetimeMs === undefined ? {} : { lifetimeMs }),
  })
  const environment = sessionEnvironment({
    clock,
    random: systemRandom,
    keys,
    record: () => record,
    authorize: () => ({ isAdmitted: true, roles: [] }),
    closeTimeoutMs: 200,
    ...options,
  })
  const self: Party = {
    keys,
    record,
    environment,
    messages: [],
    streams: [],
    ended: [],
    holds: false,
    onMessage: () => {},
    onDrain: () => {},
    onStream: () => {},
    handlers: {
      message: (message) => {
        self.messages.push(message)
        self.onMessage(message)
        if (!self.holds) message.release()
      },
      stream: (stream) => {
        self.streams.push(stream)
        self.onStream(stream)
      },
      drain: () => self.onDrain(),
      closed: (error) => self.ended.push(error),
    },
  }
  return self
}

let wires = 0

/** Both ends of a byte stream in memory. */
export async function wire(): Promise<[ByteStream, ByteStream]> {
  wires += 1
  const address = `/memory/wire-${wires}`
  const transport = memory()
  const { promise, resolve } = Promise.withResolvers<ByteStream>()
  const listener = await transport.listen(address, (stream) => resolve(stream))
  const near = await transport.dial(address)
  const far = await promise
  await listener.close()
  return [near, far]
}

export interface Pair {
  readonly near: Session
  readonly far: Session
}

/** A session between two parties, the first as initiator. */
export async function connect(
  initiator: Party,
  responder: Party,
  options: Partial<DialSessionOptions> = {},
  { isDeaf = false } = {},
): Promise<Pair> {
  const [near, far] = await wire()
  const accepting = acceptSession(far, responder.environment, { handlers: responder.handlers })
  const dialing = dialSession(near, initiator.environment, {
    handlers: initiator.handlers,
    expected: responder.keys.agent,
    ...options,
  })
  const [dialed, accepted] = await Promise.all([dialing, accepting])
  // The responder stops reading: from now on the initiator hears nothing.
  if (isDeaf) far.pause()
  return { near: dialed, far: accepted }
}

/** Resolves when `condition` holds, asked again after each turn of the event loop. */
export async function until(condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns += 1) {
    if (turns > 200_000) throw new Error('the condition never came true')
    await new Promise((resolve) => setImmediate(resolve))
  }
}
