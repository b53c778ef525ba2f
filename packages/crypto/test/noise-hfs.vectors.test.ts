// Noise with the hfs modifier (noise_hfs rev 1): against the known answer of another implementation
// and against a straight-line transcription of the specification, as initiator and as responder.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptyBytes, hexEncode, utf8Encode } from '@myelin/base'
import { systemRandom } from '@myelin/base/system'
import {
  encapsulateMlKem768,
  HandshakeState,
  MlKem768KeyPair,
  type NoiseKem,
  X25519KeyPair,
} from '@myelin/crypto'
import { verifies } from '@myelin/testkit'
import {
  ciphertextOfXx,
  kemPublicOf,
  kemSharedOf,
  publicOf,
  type Secrets,
  straightXk,
  straightXx,
  type Transcript,
} from './hfs-straight-line.ts'
import { hfsVector } from './noise-hfs-vector.ts'
import { scriptedRandom } from './scripted-random.ts'

verifies('R287')

const suite = '25519+MLKEM768_ChaChaPoly_SHA256'

/** ML-KEM-768 whose encapsulation gives a fixed ciphertext and the secret that belongs to it. */
function fixedKem(secrets: Secrets): NoiseKem {
  return {
    publicBytes: 1184,
    ciphertextBytes: 1088,
    generate: (random) => MlKem768KeyPair.generate(random),
    importPublic: () => ({
      encapsulate: () => ({
        ciphertext: secrets.ciphertext,
        sharedSecret: new Uint8Array(kemSharedOf(secrets.kemSeed, secrets.ciphertext)),
      }),
    }),
  }
}

interface Run {
  readonly pattern: 'XXhfs' | 'XKhfs'
  readonly secrets: Secrets
  readonly expected: Transcript
}

/** The initiator meets the expected second message; its randomness is the script e ‖ KEM seed. */
function runInitiator({ pattern, secrets, expected }: Run): void {
  const random = scriptedRandom(secrets.initiatorEphemeral, secrets.kemSeed)
  const state = new HandshakeState({
    protocolName: `Noise_${pattern}_${suite}`,
    initiator: true,
    prologue: secrets.prologue,
    s: X25519KeyPair.fromSecret(secrets.initiatorStatic),
    rs: pattern === 'XKhfs' ? publicOf(secrets.responderStatic) : undefined,
    random,
  })
  assert.equal(hexEncode(state.writeMessage(secrets.payloads[0])), hexEncode(expected.messages[0]))
  const read = state.readMessage(expected.messages[1])
  assert.ok(read.ok)
  assert.equal(hexEncode(read.value), hexEncode(secrets.payloads[1]))
  assert.equal(hexEncode(state.writeMessage(secrets.payloads[2])), hexEncode(expected.messages[2]))
  assert.equal(random.remaining(), 0)
  checkEnd(state, expected, 'initiator')
}

function runResponder({ pattern, secrets, expected }: Run): void {
  const state = new HandshakeState({
    protocolName: `Noise_${pattern}_${suite}`,
    initiator: false,
    prologue: secrets.prologue,
    s: X25519KeyPair.fromSecret(secrets.responderStatic),
    kem: fixedKem(secrets),
    random: scriptedRandom(secrets.responderEphemeral),
  })
  assert.ok(state.readMessage(expected.messages[0]).ok)
  assert.equal(hexEncode(state.writeMessage(secrets.payloads[1])), hexEncode(expected.messages[1]))
  const read = state.readMessage(expected.messages[2])
  assert.ok(read.ok)
  assert.equal(hexEncode(read.value), hexEncode(secrets.payloads[2]))
  checkEnd(state, expected, 'responder')
}

function checkEnd(state: HandshakeState, expected: Transcript, role: string): void {
  assert.equal(hexEncode(state.handshakeHash), hexEncode(expected.h))
  const { send, receive } = state.split()
  const [mine, theirs] =
    role === 'initiator'
      ? [expected.initiatorKey, expected.responderKey]
      : [expected.responderKey, expected.initiatorKey]
  assert.equal(hexEncode(send.exportKey()), hexEncode(mine))
  assert.equal(hexEncode(receive.exportKey()), hexEncode(theirs))
}

/** Fresh secrets, with payloads of different lengths (or the prescribed ones). */
function freshSecrets(): Secrets {
  const secret = (length: number) => systemRandom.fill(new Uint8Array(length))
  const kemSeed = secret(64)
  const sent = encapsulateMlKem768(kemPublicOf(kemSeed))
  assert.ok(sent)
  return {
    initiatorStatic: secret(32),
    initiatorEphemeral: secret(32),
    responderStatic: secret(32),
    responderEphemeral: secret(32),
    kemSeed,
    ciphertext: sent.ciphertext,
    prologue: utf8Encode('a prologue'),
    payloads: [secret(7), emptyBytes, secret(300)],
  }
}

test("XXhfs gives the messages, hash and keys of js-libp2p-noise's known answer", () => {
  const known = { ...hfsVector, prologue: emptyBytes }
  const ciphertext = new Uint8Array(ciphertextOfXx(known, hfsVector.messageB))
  const secrets: Secrets = { ...known, ciphertext, payloads: [emptyBytes, emptyBytes, emptyBytes] }
  const messageA = Buffer.concat([publicOf(known.initiatorEphemeral), kemPublicOf(known.kemSeed)])
  const expected: Transcript = {
    messages: [messageA, Buffer.from(hfsVector.messageB), Buffer.from(hfsVector.messageC)],
    h: Buffer.from(hfsVector.handshakeHash),
    initiatorKey: Buffer.from(hfsVector.initiatorKey),
    responderKey: Buffer.from(hfsVector.responderKey),
  }
  runInitiator({ pattern: 'XXhfs', secrets, expected })
  runResponder({ pattern: 'XXhfs', secrets, expected })
  assert.deepEqual(straightXx(secrets), expected)
})

test('XXhfs agrees with the straight-line transcription on both sides', () => {
  const secrets = freshSecrets()
  const expected = straightXx(secrets)
  runInitiator({ pattern: 'XXhfs', secrets, expected })
  runResponder({ pattern: 'XXhfs', secrets, expected })
})

test('XKhfs agrees with the straight-line transcription on both sides', () => {
  const secrets = freshSecrets()
  const expected = straightXk(secrets)
  runInitiator({ pattern: 'XKhfs', secrets, expected })
  runResponder({ pattern: 'XKhfs', secrets, expected })
})
