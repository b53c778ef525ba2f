import assert from 'node:assert/strict'
import { test } from 'node:test'
import { concatBytes, equalBytes } from '@myelin/base'
import { verifies } from '@myelin/testkit'
import { decodePacketHeader, encodePacket, PacketDecoder, type PacketSink } from '@myelin/wire'
import fc from 'fast-check'

verifies('R133', 'R131')

const packets = fc.array(
  fc.record({ flags: fc.integer({ min: 0, max: 3 }), payload: fc.uint8Array({ maxLength: 300 }) }),
  { maxLength: 12 },
)
const chunkSizes = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 30 })

function* chunksOf(stream: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  let offset = 0
  for (let i = 0; offset < stream.length; i += 1) {
    // At least every whole round moves on, also when all sizes are 0.
    const size = (sizes[i % sizes.length] as number) + (i % sizes.length === 0 ? 1 : 0)
    yield stream.slice(offset, offset + size)
    offset += size
  }
}

test('any chunking of a byte stream gives the same packets', () => {
  fc.assert(
    fc.property(packets, chunkSizes, (sent, sizes) => {
      const stream = concatBytes(...sent.map(({ flags, payload }) => encodePacket(flags, payload)))
      const received: { flags: number; payload: Uint8Array; header: Uint8Array }[] = []
      const sink: PacketSink = {
        packet: (flags, header, payload) => received.push({ flags, header, payload }),
      }
      const decoder = new PacketDecoder()
      for (const chunk of chunksOf(stream, sizes)) {
        assert.equal(decoder.push(chunk, sink), undefined)
      }
      assert.equal(decoder.bufferedBytes, 0)
      assert.equal(received.length, sent.length)
      for (const [i, packet] of sent.entries()) {
        const got = received[i]
        assert.ok(got && got.flags === packet.flags && equalBytes(got.payload, packet.payload))
        assert.ok(
          equalBytes(
            concatBytes(got.header, got.payload),
            encodePacket(packet.flags, packet.payload),
          ),
        )
      }
    }),
  )
})

test('any bytes end in packets, in waiting or in a fault, the same for every chunking', () => {
  const mostlyValid = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.tuple(packets, fc.uint8Array({ maxLength: 20 })).map(([sent, tail]) => {
      return concatBytes(...sent.map(({ flags, payload }) => encodePacket(flags, payload)), tail)
    }),
  )
  fc.assert(
    fc.property(mostlyValid, chunkSizes, (stream, sizes) => {
      const outcomes = [[stream], [...chunksOf(stream, sizes)]].map((chunks) => {
        const decoder = new PacketDecoder({ payloadBytesMax: 1000 })
        const seen: string[] = []
        const sink: PacketSink = {
          packet: (flags, _header, payload) => seen.push(`${flags}:${payload.length}`),
        }
        let fault: string | undefined
        for (const chunk of chunks) fault = decoder.push(chunk, sink)
        assert.ok(decoder.bufferedBytes <= stream.length)
        return JSON.stringify([seen, fault, decoder.bufferedBytes])
      })
      assert.equal(outcomes[1], outcomes[0])
    }),
  )
})

test('a header read from any ten bytes is either refused or says what was written', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
      const header = decodePacketHeader(bytes)
      assert.equal(header.ok && header.value.length > 16_777_216, false)
    }),
  )
})
