/**
 * The secure session between two agents: hybrid post-quantum handshake, sealed records, messages, requests
 * and streams under flow control.
 *
 * ```ts
 * import { systemClock, systemRandom } from '@myelin/base/system'
 * import { AgentKeys, createPeerRecord } from '@myelin/identity'
 * import { acceptSession, dialSession, sessionEnvironment, type SessionHandlers } from '@myelin/session'
 * import { memory } from '@myelin/transport'
 *
 * const environmentOf = (keys: AgentKeys) =>
 *   sessionEnvironment({
 *     clock: systemClock,
 *     random: systemRandom,
 *     keys,
 *     record: () =>
 *       createPeerRecord(keys, { sequence: 1, nowMs: systemClock.wallMs(), staticKey: keys.staticKey.publicKey }),
 *     authorize: () => ({ isAdmitted: true, roles: [] }),
 *   })
 * const handlers: SessionHandlers = {
 *   message: (message) => {
 *     message.reply(message.payload)
 *     message.release()
 *   },
 *   stream: (stream) => stream.stop(),
 *   closed: (reason) => console.log(reason.code),
 * }
 * const [alice, bob] = [AgentKeys.generate(systemRandom), AgentKeys.generate(systemRandom)]
 * const transport = memory()
 * await transport.listen('/memory/bob', (stream) => void acceptSession(stream, environmentOf(bob), { handlers }))
 * const stream = await transport.dial('/memory/bob')
 * await using session = await dialSession(stream, environmentOf(alice), { handlers, expected: bob.agent })
 * const reply = await session.request('echo', new Uint8Array([1, 2, 3]))
 * console.log(session.pattern, session.agreement.suite, reply.payload)
 * ```
 */
export {
  type DatagramFault,
  DatagramOpener,
  type DatagramOpenerOptions,
  DatagramSealer,
  type DatagramSealerOptions,
  type OpenedDatagram,
} from './datagram.ts'
export {
  DatagramBatch,
  type DatagramMessagesFault,
  readDatagramMessages,
} from './datagram-messages.ts'
export {
  closeCodes,
  codeOfNumber,
  explanations,
  refusal,
  SessionError,
  type SessionErrorCode,
} from './errors.ts'
export { acceptSession, dialSession, refuseStream } from './establish.ts'
export {
  type AwaitingAccept,
  type AwaitingFinish,
  type AwaitingHello,
  awaitHandshake,
  beginHandshake,
  type InitiatorContext,
  resumeHandshake,
} from './handshake.ts'
export {
  type Accept,
  decodeAccept,
  decodeFinish,
  decodeHello,
  encodeAccept,
  encodeFinish,
  encodeHello,
  type Finish,
  type Hello,
  type PayloadFault,
} from './handshake-payload.ts'
export type { Established, HandshakeContext, HandshakeStep } from './handshake-steps.ts'
export { IncomingMessage, type MessageKind } from './incoming.ts'
export { Lingering, type LingeringOptions } from './lingering.ts'
export {
  type Abilities,
  type Agreement,
  defaultAbilities,
  type HandshakePattern,
  handshakePatterns,
  type PlainSuite,
  protocolVersions,
  type SuiteName,
  suiteCiphers,
} from './negotiation.ts'
export { NonceCache } from './nonce-cache.ts'
export { type Priority, priorities } from './outbox.ts'
export { RecordBuffers } from './record-buffers.ts'
export { RequestFailure } from './request-failure.ts'
export type { RequestOptions } from './requests.ts'
export type { AwaitingConfirmation, AwaitingResumption } from './resumed-handshake.ts'
export type { Resumption } from './resumption-secret.ts'
export { Resumptions, type ResumptionsOptions, type Ticket } from './resumptions.ts'
export type { SendOptions, Session, SessionStats } from './session.ts'
export {
  type AcceptSessionOptions,
  type Admission,
  type Candidate,
  type DialSessionOptions,
  type SessionEnvironment,
  type SessionHandlers,
  sessionEnvironment,
} from './session-options.ts'
export type { SessionStream } from './session-stream.ts'
