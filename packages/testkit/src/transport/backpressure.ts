// How a slow reader holds a fast writer back, and a paused one loses nothing.

import assert from 'node:assert/strict'
import { connect, first, isEqual, type StreamTests, seed } from './pair.ts'
import {
  StreamRecorder,
  seededBytes,
  seededPieces,
  seededRandom,
  turns,
  writeAll,
} from './recorder.ts'

const chunkBytes = 64 * 1024
/** Far more than socket buffers hold; a writer that gets this far was never held back. */
const unboundedBytes = 64 * 1024 * 1024
const bufferedBytesMaxDefault = 2 * 1024 * 1024

export const backpressureTests: StreamTests = {
  'a reader that pauses holds the writer back, and drain comes when it resumes': async (
    subject,
  ) => {
    await using pair = await connect(subject)
    const { client, server } = pair
    server.stream.pause()
    const written = await writeUntilStuck(
      client,
      subject.bufferedBytesMax ?? bufferedBytesMaxDefault,
    )
    assert.equal(server.byteCount, 0, 'a paused reader gets nothing')
    const drains = client.drainCount
    server.stream.resume()
    await client.until('a drain', () => client.drainCount > drains)
    await server.until('all bytes', () => server.byteCount === written)
  },

  'pause from within a handler holds the next chunk, resume lets all through': async (subject) => {
    await using pair = await connect(subject)
    const { client, server } = pair
    const sent = seededBytes(500_000, seededRandom(seed))
    server.onData = () => server.stream.pause()
    const writing = writeAll(client, seededPieces(sent, seededRandom(seed)))
    for (let step = 1; step <= 5; step += 1) {
      await server.until(`chunk ${step}`, () => server.chunks.length === step)
      await turns(5)
      assert.equal(server.chunks.length, step, 'no chunk while paused')
      if (step === 5) server.onData = undefined
      server.stream.resume()
    }
    await writing
    await server.until('all bytes', () => server.byteCount === sent.length)
    assert.ok(isEqual(server.bytes, sent))
  },

  'pause before attach holds, and resume before attach loses nothing': async (subject) => {
    const sent = seededBytes(10_000, seededRandom(seed))
    const servers: StreamRecorder[] = []
    const { transport } = subject
    await using listener = await transport.listen(subject.address(), (stream) => {
      servers.push(new StreamRecorder(stream))
      stream.write(sent.slice())
    })
    const held = await transport.dial(first(listener))
    held.pause()
    const paused = new StreamRecorder(held)
    await turns(50)
    assert.equal(paused.byteCount, 0)
    held.resume()
    await paused.until('all', () => paused.byteCount === sent.length)
    const resumed = await transport.dial(first(listener))
    resumed.pause()
    resumed.resume()
    await turns(50)
    const late = new StreamRecorder(resumed)
    await late.until('all', () => late.byteCount === sent.length)
    for (const { stream } of [paused, late, ...servers]) stream.destroy()
  },

  'a drain that came before attach is told afterwards': async (subject) => {
    const servers: StreamRecorder[] = []
    const { transport } = subject
    await using listener = await transport.listen(subject.address(), (stream) => {
      servers.push(new StreamRecorder(stream))
    })
    const stream = await transport.dial(first(listener))
    let written = chunkBytes
    while (stream.write(new Uint8Array(chunkBytes))) written += chunkBytes
    for (const server of servers) await server.until('all', () => server.byteCount === written)
    await turns(20)
    const client = new StreamRecorder(stream)
    await client.until('the drain', () => client.drainCount === 1)
    for (const side of [client, ...servers]) side.stream.destroy()
  },

  'the end waits for a reader that pauses': async (subject) => {
    await using pair = await connect(subject)
    const { client, server } = pair
    server.stream.pause()
    client.stream.write(Uint8Array.of(1))
    client.stream.end()
    await turns(50)
    assert.deepEqual(server.events, [])
    server.stream.resume()
    await server.until('the end', () => server.isEnded)
    assert.deepEqual(server.events, ['data', 'end'])
  },
}

/** Writes on every drain until none comes any more; returns the bytes that were accepted. */
async function writeUntilStuck(writer: StreamRecorder, bufferedBytesMax: number): Promise<number> {
  let written = 0
  for (;;) {
    let hasRoom = true
    while (hasRoom) {
      hasRoom = writer.stream.write(new Uint8Array(chunkBytes))
      written += chunkBytes
      assert.ok(written < unboundedBytes, 'the writer is never held back')
    }
    const buffered = writer.stream.bufferedBytes
    assert.ok(buffered <= bufferedBytesMax, `${buffered} bytes are buffered for a patient writer`)
    const drains = writer.drainCount
    for (let turn = 0; turn < 200 && writer.drainCount === drains; turn += 1) await turns(1)
    if (writer.drainCount === drains) return written
  }
}
