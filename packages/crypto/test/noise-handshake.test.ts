import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptyBytes, utf8Encode } from '@myelin/base'
import { systemRandom } from '@myelin/base/system'
import {
  HandshakeState,
  MlKem768KeyPair,
  parseProtocolName,
  patternNames,
  X25519KeyPair,
} from '@myelin/crypto'
import { initiatorStatic, type Pair, pairOf, pass, responderStatic, sides } from './noise-pair.ts'

const hybrid = '25519+MLKEM768_ChaChaPoly_SHA256'
const payload = utf8Encode('payload')

function lengthOf(name: string): number {
  return parseProtocolName(name).pattern.messages.length
}

function checkTransport(pair: Pair): void {
  assert.deepEqual(pair.initiator.handshakeHash, pair.responder.handshakeHash)
  const [a, b] = [pair.initiator.split(), pair.responder.split()]
  for (const [send, receive] of [
    [a.send, b.receive],
    [b.send, a.receive],
  ] as const) {
    for (let i = 0; i < 3; i += 1) {
      assert.deepEqual(
        receive.decryptWithAd(payload, send.encryptWithAd(payload, payload)),
        payload,
      )
    }
  }
}

for (const name of patternNames.filter((pattern) => pattern.length > 1)) {
  test(`${name}hfs: both sides reach the same keys, hash and static keys`, () => {
    const protocolName = `Noise_${name}hfs_${hybrid}`
    const pair = pairOf(protocolName)
    pass(pair, lengthOf(protocolName), payload)
    assert.equal(pair.initiator.isComplete && pair.responder.isComplete, true)
    if (/^.1?[KX]/.test(name)) {
      assert.deepEqual(pair.initiator.remoteStatic, responderStatic.publicKey)
    }
    if (/^[KXI]/.test(name)) {
      assert.deepEqual(pair.responder.remoteStatic, initiatorStatic.publicKey)
    }
    checkTransport(pair)
  })
}

test('the sizes of hybrid messages are the sums of their parts', () => {
  const [e, s, e1, ekem1, tag] = [32, 32, 1184, 1088, 16]
  const expected = {
    XXhfs: [e + e1, e + (ekem1 + tag) + (s + tag) + tag, s + tag + tag],
    XKhfs: [e + (e1 + tag) + tag, e + (ekem1 + tag) + tag, s + tag + tag],
    IKhfs: [e + (e1 + tag) + (s + tag) + tag, e + (ekem1 + tag) + tag],
    'XXhfs+psk0': [e + (e1 + tag) + tag, e + (ekem1 + tag) + (s + tag) + tag, s + tag + tag],
  }
  for (const [name, sizes] of Object.entries(expected)) {
    const pair = pairOf(`Noise_${name}_${hybrid}`)
    const announced = sizes.map((_, index) => {
      const [writer] = sides(pair, index)
      const overhead = writer.nextOverheadBytes
      const message = writer.writeMessage(payload)
      assert.ok(sides(pair, index)[1].readMessage(message).ok)
      assert.equal(message.length, overhead + payload.length)
      return overhead
    })
    assert.deepEqual(announced, sizes, name)
    assert.equal(pair.initiator.nextOverheadBytes, 0)
  }
})

for (const name of ['XXhfs', 'XKhfs', 'IKhfs', 'XKhfs+psk3']) {
  test(`${name}: no message survives a changed byte`, () => {
    const protocolName = `Noise_${name}_${hybrid}`
    const count = lengthOf(protocolName)
    const sizes = pass(pairOf(protocolName), count).map((message) => message.length)
    for (const [index, size] of sizes.entries()) {
      // Each try costs a handshake: some 40 places per message, and always its last byte.
      const step = Math.max(1, Math.floor(size / 40))
      for (let at = 0; at < size; at += step) assertRefused(protocolName, index, at)
      assertRefused(protocolName, index, size - 1)
    }
  })
}

/**
 * Changes byte `at` of message `index`. What is encrypted fails at once; what travels in the clear
 * or comes before the first key fails at the next message at the latest.
 */
function assertRefused(protocolName: string, index: number, at: number): void {
  const count = lengthOf(protocolName)
  const pair = pairOf(protocolName)
  pass(pair, index)
  const [writer, reader] = sides(pair, index)
  const message = writer.writeMessage(emptyBytes)
  // Bit 0, not the top bit of a key's last byte, which X25519 ignores but the transcript does not.
  message[at] = (message[at] ?? 0) ^ 1
  if (!reader.readMessage(message).ok) return
  if (index + 1 < count) {
    const [next, nextReader] = sides(pair, index + 1)
    assert.equal(nextReader.readMessage(next.writeMessage(emptyBytes)).ok, false, `byte ${at}`)
    return
  }
  assert.fail(`byte ${at} of the last message changed unnoticed`)
}

test('the ignored top bit of an ephemeral still breaks the transcript', () => {
  const pair = pairOf(`Noise_XXhfs_${hybrid}`)
  const message = pair.initiator.writeMessage(emptyBytes)
  message[31] = (message[31] ?? 0) ^ 0x80
  assert.equal(pair.responder.readMessage(message).ok, true)
  const answer = pair.responder.writeMessage(emptyBytes)
  assert.deepEqual(pair.initiator.readMessage(answer), { ok: false, fault: 'noise_decrypt' })
})

test('another prologue, psk or responder key is noticed', () => {
  const suite = '25519_ChaChaPoly_SHA256'
  const withPsk = pairOf(`Noise_NNpsk0_${suite}`)
  const otherPsk = pairOf(`Noise_NNpsk0_${suite}`, new Uint8Array(32).fill(2))
  const sealed = withPsk.initiator.writeMessage(payload)
  assert.deepEqual(otherPsk.responder.readMessage(sealed), { ok: false, fault: 'noise_decrypt' })

  const options = { protocolName: `Noise_NK_${suite}`, random: systemRandom }
  const initiator = new HandshakeState({
    ...options,
    initiator: true,
    prologue: utf8Encode('one'),
    rs: responderStatic.publicKey,
  })
  const first = initiator.writeMessage(payload)
  for (const [prologue, s] of [
    [utf8Encode('two'), responderStatic],
    [utf8Encode('one'), initiatorStatic],
  ] as const) {
    const responder = new HandshakeState({ ...options, initiator: false, prologue, s })
    assert.deepEqual(responder.readMessage(first), { ok: false, fault: 'noise_decrypt' })
  }
})

test('every truncation is a fault, and the handshake is dead after it', () => {
  const protocolName = `Noise_XKhfs_${hybrid}`
  const message = pairOf(protocolName).initiator.writeMessage(emptyBytes)
  for (const length of [0, 1, 31, 32, 33, 1231, 1232, 1233, message.length - 1]) {
    const { responder } = pairOf(protocolName)
    const read = responder.readMessage(message.subarray(0, length))
    assert.deepEqual(read, { ok: false, fault: 'noise_truncated' })
    assert.deepEqual(responder.readMessage(message), { ok: false, fault: 'noise_state' })
    assert.throws(() => responder.writeMessage(emptyBytes), { code: 'CRYPTO_DISPOSED' })
    assert.throws(() => responder.split(), { code: 'CRYPTO_NOISE_STATE' })
  }
})

test('a message of 65,535 bytes passes, one byte more passes neither way', () => {
  const protocolName = `Noise_XXhfs_${hybrid}`
  const { initiator, responder } = pairOf(protocolName)
  const room = 65_535 - initiator.nextOverheadBytes
  assert.throws(() => initiator.writeMessage(new Uint8Array(room + 1)), {
    code: 'CRYPTO_NOISE_TOO_LONG',
  })
  const message = initiator.writeMessage(new Uint8Array(room))
  assert.equal(message.length, 65_535)
  const tooLong = new Uint8Array(65_536)
  assert.deepEqual(pairOf(protocolName).responder.readMessage(tooLong), {
    ok: false,
    fault: 'noise_too_long',
  })
  assert.equal(responder.readMessage(message).ok, true)
})

test('a low-order ephemeral or static key is refused when it is read', () => {
  const suite = '25519_ChaChaPoly_SHA256'
  const zero = new Uint8Array(32)
  const fault = { ok: false, fault: 'noise_low_order' }
  assert.deepEqual(pairOf(`Noise_XX_${suite}`).responder.readMessage(zero), fault)
  // IN sends the static key in the clear, after the ephemeral.
  const [good] = pass(pairOf(`Noise_IN_${suite}`), 1)
  assert.ok(good)
  const forged = good.slice()
  forged.fill(0, 32, 64)
  assert.deepEqual(pairOf(`Noise_IN_${suite}`).responder.readMessage(forged), fault)
})

test('a KEM key with an unreduced coefficient is refused when it is read', () => {
  const pair = pairOf(`Noise_XXhfs_${hybrid}`)
  const message = pair.initiator.writeMessage(emptyBytes)
  message.fill(0xff, 32, 34)
  assert.deepEqual(pair.responder.readMessage(message), { ok: false, fault: 'noise_kem' })
})

test('what a message was read from can be overwritten, and Buffers are read like arrays', () => {
  // With a psk, `e` is mixed into the key as well; a shared slice would wipe the caller's memory.
  const protocolName = `Noise_XXhfs+psk3_${hybrid}`
  const pair = pairOf(protocolName)
  for (let index = 0; index < lengthOf(protocolName); index += 1) {
    const [writer, reader] = sides(pair, index)
    const message = Buffer.from(writer.writeMessage(payload))
    const before = Buffer.from(message)
    const read = reader.readMessage(message)
    assert.deepEqual(message, before)
    message.fill(0xee)
    assert.deepEqual(read, { ok: true, value: payload })
  }
  checkTransport(pair)

  const plain = pairOf('Noise_NN_25519_ChaChaPoly_SHA256')
  const message = Buffer.from(plain.initiator.writeMessage(payload))
  const read = plain.responder.readMessage(message)
  message.fill(0xee)
  assert.deepEqual(read, { ok: true, value: payload })
})

test('in a one-way pattern only the initiator can send', () => {
  const pair = pairOf('Noise_X_25519_AESGCM_SHA512')
  pass(pair, 1, payload)
  const [a, b] = [pair.initiator.split(), pair.responder.split()]
  assert.deepEqual(
    b.receive.decryptWithAd(emptyBytes, a.send.encryptWithAd(emptyBytes, payload)),
    payload,
  )
  assert.throws(() => b.send.encryptWithAd(emptyBytes, payload), { code: 'CRYPTO_DISPOSED' })
  assert.throws(() => a.receive.decryptWithAd(emptyBytes, payload), { code: 'CRYPTO_DISPOSED' })
})

test('writing or splitting out of turn throws, reading out of turn is a fault', () => {
  const { initiator, responder } = pairOf('Noise_XX_25519_ChaChaPoly_SHA256')
  assert.deepEqual([initiator.isMyTurn, responder.isMyTurn], [true, false])
  assert.throws(() => responder.writeMessage(payload), { code: 'CRYPTO_NOISE_STATE' })
  assert.throws(() => initiator.split(), { code: 'CRYPTO_NOISE_STATE' })
  assert.deepEqual(initiator.readMessage(payload), { ok: false, fault: 'noise_state' })

  const pair = pairOf('Noise_NN_25519_ChaChaPoly_SHA256')
  pass(pair, 2)
  assert.throws(() => pair.initiator.writeMessage(payload), { code: 'CRYPTO_NOISE_STATE' })
  pair.initiator.split()
  assert.throws(() => pair.initiator.split(), { code: 'CRYPTO_NOISE_STATE' })
})

test('missing, superfluous and malformed keys are named at construction', () => {
  const make = (pattern: string, options: object) => () =>
    new HandshakeState({
      protocolName: `Noise_${pattern}_25519_ChaChaPoly_SHA256`,
      initiator: true,
      prologue: emptyBytes,
      random: systemRandom,
      ...options,
    })
  const rs = responderStatic.publicKey
  const s = initiatorStatic
  const psk = new Uint8Array(32)
  assert.throws(make('XX', {}), { code: 'CRYPTO_NOISE_STATE', message: /static key pair `s`/ })
  assert.throws(make('XK', { s }), { code: 'CRYPTO_NOISE_STATE', message: /needs.*`rs`/ })
  assert.throws(make('XX', { s, rs }), { code: 'CRYPTO_NOISE_STATE', message: /does not presume/ })
  assert.throws(make('NNpsk0', {}), { code: 'CRYPTO_NOISE_STATE', message: /1 psks/ })
  assert.throws(make('NN', { psks: [psk] }), { code: 'CRYPTO_NOISE_STATE', message: /0 psks/ })
  assert.throws(make('NNpsk0', { psks: [psk.subarray(1)] }), { code: 'CRYPTO_LENGTH' })
  assert.throws(make('NK', { rs: new Uint8Array(32) }), { code: 'CRYPTO_KEY_INVALID' })
  assert.throws(make('NK', { rs: rs.subarray(1) }), { code: 'CRYPTO_KEY_INVALID' })
  assert.ok(make('XK', { s, rs })())
})

test('ephemerals are disposed with the handshake, the static key is not', () => {
  const e = X25519KeyPair.generate(systemRandom)
  const s = X25519KeyPair.generate(systemRandom)
  {
    using state = new HandshakeState({
      protocolName: 'Noise_XX_25519_ChaChaPoly_SHA256',
      initiator: true,
      prologue: emptyBytes,
      random: systemRandom,
      s,
      e,
    })
    state.writeMessage(emptyBytes)
  }
  assert.throws(() => e.exportSecret(), { code: 'CRYPTO_DISPOSED' })
  assert.equal(s.exportSecret().length, 32)
})

test('a handshake says which protocol it speaks', () => {
  const { initiator } = pairOf('Noise_XX_25519_ChaChaPoly_SHA256')
  assert.equal(initiator.protocolName, 'Noise_XX_25519_ChaChaPoly_SHA256')
})

test('over P-256, ephemerals are fresh and a point off the curve is refused', () => {
  const protocolName = 'Noise_NN_P256_AESGCM_SHA256'
  const [one, other] = [pairOf(protocolName), pairOf(protocolName)]
  const sent = [pass(one, 2, payload), pass(other, 2, payload)]
  assert.notDeepEqual(sent[0], sent[1])
  checkTransport(one)
  // SEC 1 §2.3.4: 04 ‖ x ‖ y, and (1, 1) does not satisfy the equation.
  const off = new Uint8Array(65)
  off.set([4], 0)
  off.set([1], 32)
  off.set([1], 64)
  assert.deepEqual(pairOf(protocolName).responder.readMessage(off), {
    ok: false,
    fault: 'noise_low_order',
  })
})

test('a static key that refuses to agree, as one in a token may, ends the handshake', () => {
  const options = {
    protocolName: 'Noise_XX_25519_ChaChaPoly_SHA256',
    prologue: emptyBytes,
    random: systemRandom,
  }
  const refusing = {
    publicKey: initiatorStatic.publicKey,
    agree: () => undefined,
    [Symbol.dispose]: () => {},
  }
  const responder = new HandshakeState({ ...options, initiator: false, s: refusing })
  const initiator = new HandshakeState({ ...options, initiator: true, s: initiatorStatic })
  assert.ok(responder.readMessage(initiator.writeMessage(emptyBytes)).ok)
  assert.throws(() => responder.writeMessage(emptyBytes), { code: 'CRYPTO_NOISE_STATE' })
  // NK: the responder's static key is in the first message that it reads.
  const nk = { ...options, protocolName: 'Noise_NK_25519_ChaChaPoly_SHA256' }
  const caller = new HandshakeState({
    ...nk,
    initiator: true,
    rs: initiatorStatic.publicKey,
  })
  const called = new HandshakeState({ ...nk, initiator: false, s: refusing })
  const message = caller.writeMessage(emptyBytes)
  assert.deepEqual(called.readMessage(message), { ok: false, fault: 'noise_low_order' })
  assert.deepEqual(called.readMessage(message), { ok: false, fault: 'noise_state' })
})

test('a KEM that refuses a ciphertext ends the handshake', () => {
  const { kem } = parseProtocolName(`Noise_XXhfs_${hybrid}`)
  assert.ok(kem !== undefined)
  const generate = () => {
    const { publicKey } = MlKem768KeyPair.generate(systemRandom)
    return { publicKey, decapsulate: () => undefined, [Symbol.dispose]: () => {} }
  }
  const initiator = new HandshakeState({
    protocolName: `Noise_XXhfs_${hybrid}`,
    initiator: true,
    prologue: utf8Encode('test'),
    random: systemRandom,
    s: initiatorStatic,
    kem: { ...kem, generate },
  })
  const { responder } = pairOf(`Noise_XXhfs_${hybrid}`)
  assert.ok(responder.readMessage(initiator.writeMessage(emptyBytes)).ok)
  const answer = responder.writeMessage(emptyBytes)
  assert.deepEqual(initiator.readMessage(answer), { ok: false, fault: 'noise_kem' })
})

test('a responder that decapsulates with another key cannot finish', () => {
  const pair = pairOf(`Noise_XXhfs_${hybrid}`)
  const message = pair.initiator.writeMessage(emptyBytes)
  message.set(MlKem768KeyPair.generate(systemRandom).publicKey, 32)
  assert.equal(pair.responder.readMessage(message).ok, true)
  const read = pair.initiator.readMessage(pair.responder.writeMessage(emptyBytes))
  assert.deepEqual(read, { ok: false, fault: 'noise_decrypt' })
})
