import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseProtocolName, patternNames } from '@myelin/crypto'
import fc from 'fast-check'
import { pairOf, pass, sides } from './noise-pair.ts'

const protocolName = fc
  .record({
    pattern: fc.constantFrom(...patternNames.filter((name) => name.length > 1)),
    isHybrid: fc.boolean(),
    hasPsk: fc.boolean(),
    cipher: fc.constantFrom('ChaChaPoly', 'AESGCM', 'XChaChaPoly'),
    hash: fc.constantFrom('SHA256', 'SHA512', 'BLAKE2s', 'BLAKE2b'),
  })
  .map(({ pattern, isHybrid, hasPsk, cipher, hash }) => {
    const modifiers = [...(isHybrid ? ['hfs'] : []), ...(hasPsk ? ['psk1'] : [])].join('+')
    return `Noise_${pattern}${modifiers}_25519${isHybrid ? '+MLKEM768' : ''}_${cipher}_${hash}`
  })

test('any bytes in place of any message are answered with a payload or a fault, never a throw', () => {
  fc.assert(
    fc.property(protocolName, fc.nat(3), fc.uint8Array({ maxLength: 1400 }), (name, at, bytes) => {
      const pair = pairOf(name)
      const index = at % parseProtocolName(name).pattern.messages.length
      pass(pair, index)
      const [, reader] = sides(pair, index)
      const read = reader.readMessage(bytes)
      if (read.ok) return
      assert.deepEqual(reader.readMessage(bytes), { ok: false, fault: 'noise_state' })
    }),
    { numRuns: 300 },
  )
})

test('a changed message never lets both sides finish with the same transcript', () => {
  fc.assert(
    fc.property(
      protocolName,
      fc.nat(3),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (name, at, where, mask) => {
        const pair = pairOf(name)
        const count = parseProtocolName(name).pattern.messages.length
        for (let index = 0; index < count; index += 1) {
          const [writer, reader] = sides(pair, index)
          const message = writer.writeMessage(Uint8Array.of(1, 2, 3))
          if (index === at % count) {
            const position = where % message.length
            message[position] = (message[position] ?? 0) ^ mask
          }
          if (!reader.readMessage(message).ok) return
        }
        assert.notDeepEqual(pair.initiator.handshakeHash, pair.responder.handshakeHash)
      },
    ),
    { numRuns: 200 },
  )
})
