// The peer record: what an agent says of itself, signed by its key (DESIGN §3.4). It binds the static key of
// the handshake, and later certificates and post-quantum keys, to the agent id. Big-endian:
//
//   version(1) · agent(32) · sequence(u64) · issuedMs(u64) · expiresMs(u64) · staticKey(32)
//   · nameLength(u8) · name · addressCount(u8) · {length(u16) · address} · keyCount(u8) · {algorithm(u8)
//   · length(u16) · key} · signature(64) over "myelin peer record 1" ‖ all before
//
// There is one encoding of a record: a decoded record encodes to the same bytes.

import {
  ByteReader,
  ByteWriter,
  concatBytes,
  err,
  ok,
  type Result,
  utf8Decode,
  utf8Encode,
} from '@myelin/base'
import { verifyEd25519 } from '@myelin/crypto'
import { type AgentId, agentIdOf, publicKeyOf } from './agent-id.ts'
import type { AgentSigner } from './agent-key.ts'
import { IdentityError } from './errors.ts'
import {
  addressBytesMax,
  nameBytesMax,
  recordAddressesMax,
  recordBytesMax,
  recordKeyBytesMax,
  recordKeysMax,
  recordLifetimeMs,
  verifiedRecordsMax,
} from './limits.ts'
import { VerifiedRecords } from './verified-records.ts'

const recordVersion = 1
const signatureBytes = 64
const domain = utf8Encode('myelin peer record 1')
const verified = new VerifiedRecords(verifiedRecordsMax)

/** Algorithms of further keys that a record binds to the agent. */
export const recordKeyAlgorithms = { 'ml-dsa-87': 1, 'ml-kem-768': 2 } as const
export type RecordKeyAlgorithm = keyof typeof recordKeyAlgorithms

export interface RecordKey {
  readonly algorithm: RecordKeyAlgorithm
  readonly publicKey: Uint8Array
}

export interface PeerRecord {
  readonly agent: AgentId
  /** A later record of the same agent has a higher number. */
  readonly sequence: number
  /** Wall-clock milliseconds. */
  readonly issuedMs: number
  readonly expiresMs: number
  /** X25519 public key, 32 bytes. */
  readonly staticKey: Uint8Array
  /** What the agent calls itself; proves nothing. */
  readonly name: string
  /** Multiaddrs. */
  readonly addresses: readonly string[]
  readonly keys: readonly RecordKey[]
  /** The whole record with its signature, as it travels. */
  readonly encoded: Uint8Array
}

export type PeerRecordFault =
  | 'record_truncated'
  | 'record_version'
  | 'record_bounds'
  | 'record_signature'
  | 'record_expired'
  | 'record_not_yet_valid'

export interface PeerRecordFields {
  readonly sequence: number
  readonly nowMs: number
  readonly lifetimeMs?: number
  readonly staticKey: Uint8Array
  readonly name?: string
  readonly addresses?: readonly string[]
  readonly keys?: readonly RecordKey[]
}

/** Makes and signs a record. Throws `IDENTITY_RECORD` where a field exceeds its bound. */
export function createPeerRecord(signer: AgentSigner, fields: PeerRecordFields): PeerRecord {
  const record = {
    agent: signer.agent,
    sequence: fields.sequence,
    issuedMs: Math.floor(fields.nowMs),
    expiresMs: Math.floor(fields.nowMs) + (fields.lifetimeMs ?? recordLifetimeMs),
    staticKey: fields.staticKey,
    name: fields.name ?? '',
    addresses: fields.addresses ?? [],
    keys: fields.keys ?? [],
  }
  const body = encodeBody(record)
  const encoded = concatBytes(body, signer.sign(concatBytes(domain, body)))
  return { ...record, encoded }
}

/** Decodes and verifies the signature, not the time: see `checkPeerRecordTime`. */
export function decodePeerRecord(bytes: Uint8Array): Result<PeerRecord, PeerRecordFault> {
  if (bytes.length > recordBytesMax) return err('record_bounds')
  if (bytes.length < signatureBytes + 1) return err('record_truncated')
  const body = bytes.subarray(0, bytes.length - signatureBytes)
  const fields = decodeBody(new ByteReader(body))
  if (!fields.ok) return fields
  const isGenuine = verified.check(bytes, () => {
    const signature = bytes.subarray(body.length)
    return verifyEd25519(publicKeyOf(fields.value.agent), concatBytes(domain, body), signature)
  })
  if (!isGenuine) return err('record_signature')
  return ok({ ...fields.value, encoded: new Uint8Array(bytes) })
}

/** Undefined while the record is valid at `nowMs`, allowing `skewMs` of clock difference before its start. */
export function checkPeerRecordTime(
  record: PeerRecord,
  nowMs: number,
  skewMs: number,
): PeerRecordFault | undefined {
  if (nowMs >= record.expiresMs) return 'record_expired'
  if (record.issuedMs > nowMs + skewMs) return 'record_not_yet_valid'
  return undefined
}

type RecordBody = Omit<PeerRecord, 'encoded'>

function encodeBody(record: RecordBody): Uint8Array {
  const name = utf8Encode(record.name)
  const addresses = record.addresses.map(utf8Encode)
  const numbers = [record.sequence, record.issuedMs, record.expiresMs]
  check(numbers.every(isWhole), 'sequence and times are whole numbers, not negative')
  check(record.staticKey.length === 32, 'the static key has 32 bytes')
  check(name.length <= nameBytesMax, `a name has at most ${nameBytesMax} bytes`)
  check(
    addresses.length <= recordAddressesMax,
    `a record holds at most ${recordAddressesMax} addresses`,
  )
  check(
    addresses.every((address) => address.length <= addressBytesMax),
    `an address has at most ${addressBytesMax} bytes`,
  )
  check(record.keys.length <= recordKeysMax, `a record holds at most ${recordKeysMax} further keys`)
  check(
    record.keys.every((key) => key.publicKey.length <= recordKeyBytesMax),
    'a further key is too long',
  )
  const writer = new ByteWriter(256, recordBytesMax)
  writer.u8(recordVersion).put(publicKeyOf(record.agent)).u53(record.sequence)
  writer.u53(record.issuedMs).u53(record.expiresMs).put(record.staticKey)
  writer.u8(name.length).put(name)
  writer.u8(addresses.length)
  for (const address of addresses) writer.bytes16(address)
  writer.u8(record.keys.length)
  for (const key of record.keys)
    writer.u8(recordKeyAlgorithms[key.algorithm]).bytes16(key.publicKey)
  return writer.finish()
}

function decodeBody(reader: ByteReader): Result<RecordBody, PeerRecordFault> {
  if (reader.u8() !== recordVersion) return err('record_version')
  const publicKey = reader.take(32)
  const sequence = reader.u53()
  const issuedMs = reader.u53()
  const expiresMs = reader.u53()
  const staticKey = reader.take(32).slice()
  const nameLength = reader.u8()
  if (nameLength > nameBytesMax) return err('record_bounds')
  const name = utf8Decode(reader.take(nameLength))
  const addresses = readAddresses(reader)
  const keys = readKeys(reader)
  if (name === undefined || addresses === undefined || keys === undefined)
    return err('record_bounds')
  if (!reader.isComplete) return err('record_truncated')
  return ok({
    agent: agentIdOf(publicKey),
    sequence,
    issuedMs,
    expiresMs,
    staticKey,
    name,
    addresses,
    keys,
  })
}

function readAddresses(reader: ByteReader): string[] | undefined {
  const count = reader.u8()
  if (count > recordAddressesMax) return undefined
  const addresses: string[] = []
  for (let i = 0; i < count; i += 1) {
    const address = utf8Decode(reader.bytes16(addressBytesMax))
    if (address === undefined) return undefined
    addresses.push(address)
  }
  return addresses
}

function readKeys(reader: ByteReader): RecordKey[] | undefined {
  const count = reader.u8()
  if (count > recordKeysMax) return undefined
  const keys: RecordKey[] = []
  for (let i = 0; i < count; i += 1) {
    const number = reader.u8()
    const publicKey = reader.bytes16(recordKeyBytesMax).slice()
    const algorithm = algorithmNames.get(number)
    if (algorithm === undefined) return undefined
    keys.push({ algorithm, publicKey })
  }
  return keys
}

const algorithmNames: ReadonlyMap<number, RecordKeyAlgorithm> = new Map(
  Object.entries(recordKeyAlgorithms).map(([name, number]) => [number, name as RecordKeyAlgorithm]),
)

function isWhole(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function check(condition: boolean, message: string): void {
  if (!condition) throw new IdentityError('IDENTITY_RECORD', message, { kind: 'usage' })
}
