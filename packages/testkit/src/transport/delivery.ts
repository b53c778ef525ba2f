// What a stream must do with bytes: all of them, in order, unchanged, to the right reader.

import assert from 'node:assert/strict'
import { closedInOrder, connect, first, isEqual, type StreamTests, seed } from './pair.ts'
import {
  StreamRecorder,
  seededBytes,
  seededPieces,
  seededRandom,
  turns,
  writeAll,
} from './recorder.ts'

export const deliveryTests: StreamTests = {
  'bytes of any size and chunking arrive intact, both ways at once': async (subject) => {
    const random = seededRandom(seed)
    for (const size of [0, 1, 2, 1_000, 65_535, 65_536, 300_001, 1_048_576]) {
      await using pair = await connect(subject)
      const up = seededBytes(size, random)
      const down = seededBytes(size, random)
      await Promise.all([
        writeAll(pair.client, seededPieces(up, random)),
        writeAll(pair.server, seededPieces(down, random)),
      ])
      pair.client.stream.end()
      pair.server.stream.end()
      await closedInOrder(pair.client)
      await closedInOrder(pair.server)
      assert.ok(isEqual(pair.server.bytes, up), `${size} bytes up, seed ${seed}`)
      assert.ok(isEqual(pair.client.bytes, down), `${size} bytes down, seed ${seed}`)
    }
  },

  'corked writes arrive in order after the last uncork': async (subject) => {
    await using pair = await connect(subject)
    const { stream } = pair.client
    stream.cork()
    stream.cork()
    for (let i = 0; i < 200; i += 1) stream.write(Uint8Array.of(i))
    assert.ok(stream.bufferedBytes > 0, 'corked bytes count as buffered')
    stream.uncork()
    await turns(20)
    assert.equal(pair.server.byteCount, 0, 'corks nest')
    stream.uncork()
    await pair.server.until('200 bytes', () => pair.server.byteCount === 200)
    assert.deepEqual(
      pair.server.bytes,
      Uint8Array.from({ length: 200 }, (_, i) => i),
    )
  },

  'end lets what is corked out first': async (subject) => {
    await using pair = await connect(subject)
    pair.client.stream.cork()
    pair.client.stream.write(Uint8Array.of(1, 2))
    pair.client.stream.end()
    await pair.server.until('the end', () => pair.server.isEnded)
    assert.deepEqual(pair.server.bytes, Uint8Array.of(1, 2))
  },

  'a chunk that was received stays as it was': async (subject) => {
    await using pair = await connect(subject)
    const sum = (bytes: Uint8Array) => bytes.reduce((total, byte) => (total * 31 + byte) | 0, 0)
    const sums: number[] = []
    pair.server.onData = (chunk) => void sums.push(sum(chunk))
    const random = seededRandom(seed)
    await writeAll(pair.client, seededPieces(seededBytes(400_000, random), random))
    await pair.server.until('all', () => pair.server.byteCount === 400_000)
    assert.deepEqual(pair.server.chunks.map(sum), sums)
  },

  'a dialled stream that is attached late has lost nothing': async (subject) => {
    const sent = seededBytes(200_000, seededRandom(seed))
    const servers: StreamRecorder[] = []
    const { transport } = subject
    await using listener = await transport.listen(subject.address(), (stream) => {
      servers.push(new StreamRecorder(stream))
      stream.write(sent.slice())
      stream.end()
    })
    const stream = await transport.dial(first(listener))
    await turns(50)
    const client = new StreamRecorder(stream)
    assert.deepEqual(client.events, [], 'attach itself calls no handler')
    await client.until('the end', () => client.isEnded)
    assert.ok(isEqual(client.bytes, sent))
    stream.end()
    await closedInOrder(client)
  },

  'fifty streams at once keep their bytes apart': async (subject) => {
    const echoes: StreamRecorder[] = []
    const { transport } = subject
    await using listener = await transport.listen(subject.address(), (stream) => {
      echoes.push(new StreamRecorder(stream, (chunk) => void stream.write(chunk)))
    })
    const exchanges = Array.from({ length: 50 }, async (_, index) => {
      const random = seededRandom(seed + index)
      const sent = seededBytes(20_000 + index, random)
      const client = new StreamRecorder(await transport.dial(first(listener)))
      await writeAll(client, seededPieces(sent, random))
      await client.until('the echo', () => client.byteCount === sent.length)
      assert.ok(isEqual(client.bytes, sent), `stream ${index}, seed ${seed}`)
      assert.deepEqual(client.violations, [])
      client.stream.destroy()
      await client.until('closed', () => client.isClosed)
    })
    await Promise.all(exchanges)
    assert.equal(echoes.length, 50)
    for (const echo of echoes) await echo.until('closed', () => echo.isClosed)
  },
}
