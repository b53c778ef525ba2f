/**
 * Who an agent is, and whom it trusts.
 *
 * ```ts
 * import { systemClock, systemRandom } from '@myelin/base/system'
 * import { AgentKeys, createPeerRecord, decodePeerRecord } from '@myelin/identity'
 *
 * const keys = AgentKeys.generate(systemRandom)
 * const record = createPeerRecord(keys, {
 *   sequence: 1,
 *   nowMs: systemClock.wallMs(),
 *   staticKey: keys.staticKey.publicKey,
 *   addresses: ['/ip4/127.0.0.1/tcp/4001'],
 * })
 * console.log(keys.agent, decodePeerRecord(record.encoded).ok)
 * ```
 */
export {
  type AgentId,
  type AgentIdFault,
  agentIdOf,
  parseAgentId,
  publicKeyOf,
  shortAgentId,
} from './agent-id.ts'
export { AgentKeys, type AgentSigner } from './agent-key.ts'
export { IdentityError, type IdentityErrorCode } from './errors.ts'
export {
  decodeJoinToken,
  encodeJoinToken,
  type IssueOptions,
  type JoinToken,
  JoinTokenBook,
  type JoinTokenFault,
  type RedeemFault,
} from './join-token.ts'
export { type KeyFileOptions, loadAgentKeys, saveAgentKeys } from './key-file.ts'
export {
  checkPeerRecordTime,
  createPeerRecord,
  decodePeerRecord,
  type PeerRecord,
  type PeerRecordFault,
  type PeerRecordFields,
  type RecordKey,
  type RecordKeyAlgorithm,
  recordKeyAlgorithms,
} from './peer-record.ts'
export { openEnvelope, sealEnvelope } from './signed-envelope.ts'
export { type TrustEntry, TrustStore, type TrustWatcher } from './trust-store.ts'
