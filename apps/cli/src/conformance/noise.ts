// The Noise vectors of cacophony, snow and BitChat: both sides run with the fixed ephemerals, every
// message is compared and read by the other side, then the handshake hash and the transport
// messages.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { emptyBytes, equalBytes } from '@myelin/base'
import { systemRandom } from '@myelin/base/system'
import {
  HandshakeState,
  type NoiseKeyPair,
  P256KeyPair,
  parseProtocolName,
  type TransportCiphers,
  X25519KeyPair,
} from '@myelin/crypto'
import { failed, hex, judge, readJson, type Verdict } from './crypto-vectors.ts'
import type { CaseOutcome, Suite } from './suite.ts'

interface Side {
  readonly prologue: string
  readonly psks?: readonly string[]
  readonly static?: string
  readonly ephemeral?: string
  readonly remote_static?: string
}

type SideFields<Prefix extends string> = {
  readonly [Key in keyof Side as `${Prefix}_${Key}`]: Side[Key]
}

interface NoiseVector extends SideFields<'init'>, SideFields<'resp'> {
  readonly protocol_name: string
  readonly handshake_hash?: string
  readonly messages: readonly { readonly payload: string; readonly ciphertext: string }[]
}

const files = ['cacophony.json', 'snow.json', 'snow-extended.json', 'bitchat.json']

export const noise: Suite = {
  name: 'noise',
  describes:
    'Noise handshakes and transport messages: all one-way, interactive, deferred and psk patterns',
  *run(directory) {
    for (const file of files) {
      const path = join(directory, file)
      if (existsSync(path)) yield* runFile(path, file)
    }
  },
}

function* runFile(path: string, file: string): Generator<CaseOutcome> {
  const { vectors } = readJson<{ vectors: readonly NoiseVector[] }>(path)
  for (const [index, vector] of vectors.entries()) {
    yield judge(file, `${index} ${vector.protocol_name}`, () => checkVector(vector))
  }
}

function checkVector(vector: NoiseVector): Verdict {
  const { pattern } = parseProtocolName(vector.protocol_name)
  const initiator = handshake(vector, true, pattern.knowsResponder)
  const responder = handshake(vector, false, pattern.knowsInitiator)
  for (const [index, message] of vector.messages.slice(0, pattern.messages.length).entries()) {
    const [writer, reader] = index % 2 === 0 ? [initiator, responder] : [responder, initiator]
    const written = writer.writeMessage(hex(message.payload))
    if (!equalBytes(written, hex(message.ciphertext))) return failed(`message ${index} differs`)
    const read = reader.readMessage(hex(message.ciphertext))
    if (!read.ok) return failed(`message ${index} is refused: ${read.fault}`)
    if (!equalBytes(read.value, hex(message.payload))) return failed(`payload ${index} differs`)
  }
  for (const side of [initiator, responder]) {
    if (!side.isComplete) return failed('the handshake is not complete')
    const expected = vector.handshake_hash
    if (expected !== undefined && !equalBytes(side.handshakeHash, hex(expected))) {
      return failed('the handshake hash differs')
    }
  }
  return checkTransport(vector, pattern, initiator.split(), responder.split())
}

/**
 * In one-way patterns all transport messages are the initiator's, else the sides keep taking turns.
 */
function checkTransport(
  vector: NoiseVector,
  pattern: { readonly isOneWay: boolean; readonly messages: readonly unknown[] },
  initiator: TransportCiphers,
  responder: TransportCiphers,
): Verdict {
  for (const [index, message] of vector.messages.entries()) {
    if (index < pattern.messages.length) continue
    const isFromInitiator = pattern.isOneWay || index % 2 === 0
    const send = isFromInitiator ? initiator.send : responder.send
    const receive = isFromInitiator ? responder.receive : initiator.receive
    const sealed = send.encryptWithAd(emptyBytes, hex(message.payload))
    if (!equalBytes(sealed, hex(message.ciphertext))) return failed(`message ${index} differs`)
    const opened = receive.decryptWithAd(emptyBytes, hex(message.ciphertext))
    if (opened === undefined) return failed(`message ${index} is refused`)
    if (!equalBytes(opened, hex(message.payload))) return failed(`payload ${index} differs`)
  }
  return true
}

function handshake(vector: NoiseVector, isInitiator: boolean, knowsPeer: boolean): HandshakeState {
  const side = isInitiator
    ? {
        prologue: vector.init_prologue,
        psks: vector.init_psks,
        s: vector.init_static,
        e: vector.init_ephemeral,
        rs: vector.init_remote_static,
      }
    : {
        prologue: vector.resp_prologue,
        psks: vector.resp_psks,
        s: vector.resp_static,
        e: vector.resp_ephemeral,
        rs: vector.resp_remote_static,
      }
  const isP256 = vector.protocol_name.includes('_P256_')
  const pair = (secret: string | undefined): NoiseKeyPair | undefined => {
    if (secret === undefined) return undefined
    return isP256 ? P256KeyPair.fromSecret(hex(secret)) : X25519KeyPair.fromSecret(hex(secret))
  }
  return new HandshakeState({
    protocolName: vector.protocol_name,
    initiator: isInitiator,
    prologue: hex(side.prologue),
    random: systemRandom,
    s: pair(side.s),
    e: pair(side.e),
    rs: knowsPeer && side.rs !== undefined ? hex(side.rs) : undefined,
    psks: side.psks?.map(hex) ?? [],
  })
}
