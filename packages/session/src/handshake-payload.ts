// What the three handshake messages carry inside Noise (documents 000 to 002 as ruled in B2 and B4):
//
//   hello   timestamp(u64 ms) · nonce(32) · versionMin(1) · versionMax(1) · suites(u8 count, 1 each)
//           · compressions(u8 count, 1 each)
//   accept  timestamp(u64 ms) · challenge(32) · version(1) · suite(1) · compression(1)
//           · peer record(u16 length) · certificates(u16 length)
//   finish  answer(32: the challenge) · peer record(u16 length) · join token secret(u16 length)
//           · certificates(u16 length)
//
// A payload must end where its fields end. Certificates are carried unread by version 1.

import { ByteReader, ByteWriter, emptyBytes, err, ok, type Result } from '@myelin/base'
import { handshakeTokenBytesMax } from './limits.ts'
import type { Offer } from './negotiation.ts'

export const nonceBytes = 32
const offersMax = 16
const recordFieldBytesMax = 20_000
const certificateBytesMax = 32_000

export interface Hello extends Offer {
  readonly timestampMs: number
  readonly nonce: Uint8Array
}

export interface Accept {
  readonly timestampMs: number
  readonly challenge: Uint8Array
  readonly version: number
  readonly suite: number
  readonly compression: number
  readonly record: Uint8Array
  readonly certificates: Uint8Array
}

export interface Finish {
  readonly answer: Uint8Array
  readonly record: Uint8Array
  /** The join token's secret; empty where the agent needs none. */
  readonly token: Uint8Array
  readonly certificates: Uint8Array
}

export type PayloadFault = 'payload_malformed'

export function encodeHello(hello: Hello): Uint8Array {
  const writer = new ByteWriter(64).u53(hello.timestampMs).put(hello.nonce)
  writer.u8(hello.versionMin).u8(hello.versionMax)
  writer.u8(hello.suites.length)
  for (const suite of hello.suites) writer.u8(suite)
  writer.u8(hello.compressions.length)
  for (const compression of hello.compressions) writer.u8(compression)
  return writer.finish()
}

export function decodeHello(bytes: Uint8Array): Result<Hello, PayloadFault> {
  const reader = new ByteReader(bytes)
  const timestampMs = reader.u53()
  const nonce = reader.take(nonceBytes).slice()
  const versionMin = reader.u8()
  const versionMax = reader.u8()
  const suites = readNumbers(reader)
  const compressions = readNumbers(reader)
  if (suites === undefined || compressions === undefined) return err('payload_malformed')
  if (!reader.isComplete || versionMin > versionMax) return err('payload_malformed')
  return ok({ timestampMs, nonce, versionMin, versionMax, suites, compressions })
}

export function encodeAccept(accept: Accept): Uint8Array {
  const writer = new ByteWriter(512).u53(accept.timestampMs).put(accept.challenge)
  writer.u8(accept.version).u8(accept.suite).u8(accept.compression)
  return writer.bytes16(accept.record).bytes16(accept.certificates).finish()
}

export function decodeAccept(bytes: Uint8Array): Result<Accept, PayloadFault> {
  const reader = new ByteReader(bytes)
  const accept = {
    timestampMs: reader.u53(),
    challenge: reader.take(nonceBytes).slice(),
    version: reader.u8(),
    suite: reader.u8(),
    compression: reader.u8(),
    record: reader.bytes16(recordFieldBytesMax),
    certificates: reader.bytes16(certificateBytesMax),
  }
  return reader.isComplete ? ok(accept) : err('payload_malformed')
}

export function encodeFinish(finish: Finish): Uint8Array {
  const writer = new ByteWriter(512).put(finish.answer).bytes16(finish.record)
  return writer.bytes16(finish.token).bytes16(finish.certificates).finish()
}

export function decodeFinish(bytes: Uint8Array): Result<Finish, PayloadFault> {
  const reader = new ByteReader(bytes)
  const finish = {
    answer: reader.take(nonceBytes),
    record: reader.bytes16(recordFieldBytesMax),
    token: reader.bytes16(handshakeTokenBytesMax),
    certificates: reader.bytes16(certificateBytesMax),
  }
  return reader.isComplete ? ok(finish) : err('payload_malformed')
}

export const noCertificates: Uint8Array = emptyBytes

/** Undefined: more offers than any version has. */
function readNumbers(reader: ByteReader): number[] | undefined {
  const count = reader.u8()
  if (count > offersMax) return undefined
  return Array.from({ length: count }, () => reader.u8())
}
