// Two sides of a Noise handshake for tests, with the keys that their pattern asks for.

import assert from 'node:assert/strict'
import { emptyBytes, utf8Encode } from '@myelin/base'
import { systemRandom } from '@myelin/base/system'
import { HandshakeState, parseProtocolName, X25519KeyPair } from '@myelin/crypto'

export const initiatorStatic = X25519KeyPair.generate(systemRandom)
export const responderStatic = X25519KeyPair.generate(systemRandom)

export interface Pair {
  readonly initiator: HandshakeState
  readonly responder: HandshakeState
}

export function pairOf(protocolName: string, psk = new Uint8Array(32).fill(1)): Pair {
  const { pattern } = parseProtocolName(protocolName)
  const psks = pattern.messages
    .flat()
    .filter((token) => token === 'psk')
    .map(() => psk)
  const common = { protocolName, prologue: utf8Encode('test'), psks, random: systemRandom }
  return {
    initiator: new HandshakeState({
      ...common,
      initiator: true,
      s: initiatorStatic,
      rs: pattern.knowsResponder ? responderStatic.publicKey : undefined,
    }),
    responder: new HandshakeState({
      ...common,
      initiator: false,
      s: responderStatic,
      rs: pattern.knowsInitiator ? initiatorStatic.publicKey : undefined,
    }),
  }
}

/** Passes `count` messages, `payload` in each, and returns them. */
export function pass(pair: Pair, count: number, payload: Uint8Array = emptyBytes): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => {
    const [writer, reader] = sides(pair, index)
    const message = writer.writeMessage(payload)
    const read = reader.readMessage(message)
    assert.ok(read.ok)
    assert.deepEqual(read.value, payload)
    return message
  })
}

/** The writer and the reader of message `index`. */
export function sides(pair: Pair, index: number): [HandshakeState, HandshakeState] {
  return index % 2 === 0 ? [pair.initiator, pair.responder] : [pair.responder, pair.initiator]
}
