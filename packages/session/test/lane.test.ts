// One lane alone: which frames of a peer that has its keys it takes, and which end the session.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '@myelin/base/system'
import { MemoryStream } from '@myelin/transport'
import { encodeFrame, frameKinds, streamFlags, writeStreamHeader } from '@myelin/wire'
import { Lane, type LaneHost, type LaneKeys } from '../src/lane.ts'
import { RecordBuffers } from '../src/record-buffers.ts'
import { RecordOpener, RecordSealer } from '../src/record-cipher.ts'
import { RecordWriter } from '../src/record-writer.ts'

const suite = 'chacha20-poly1305'
const rekey = { messages: 1_000_000, bytes: 2 ** 30, ms: 1e9 }
const defer = (callback: () => void) => callback()
const secretOf = (isUp: boolean) => new Uint8Array(32).fill(isUp ? 1 : 2)
const ownId = 4

/** A lane for stream 4 that the peer has opened and named, and what its host heard. */
function lane() {
  const heard: unknown[] = []
  const faults: string[] = []
  const note =
    (what: string) =>
    (...words: readonly unknown[]) =>
      void heard.push([what, ...words])
  const pair = MemoryStream.pair('/memory/a', '/memory/b', defer)
  const keys: LaneKeys = {
    opener: new RecordOpener(suite, secretOf(true)),
    writer: new RecordWriter({
      stream: pair.server,
      sealer: new RecordSealer(suite, secretOf(false)),
      buffers: new RecordBuffers(),
      clock: systemClock,
      compression: 'none',
      compressionThresholdBytes: 0,
      rekey,
    }),
  }
  const self: { lane?: Lane } = {}
  const host: LaneHost = {
    streamReceived: note('stream'),
    streamResetReceived: note('reset'),
    streamStopReceived: note('stop'),
    maxStreamDataReceived: note('max'),
    defineTypeReceived: note('define'),
    claim: (_lane, id) => (id === ownId ? keys : undefined),
    laneFault: (code, detail) => {
      faults.push(`${code}: ${detail}`)
      self.lane?.dispose()
    },
    isExpecting: () => true,
    heard: () => {},
    laneReady: note('ready'),
    laneClosed: note('closed'),
  }
  self.lane = new Lane(pair.server, host)
  pair.server.attach(self.lane)
  pair.client.attach({ data: () => {}, drain: () => {}, end: () => {}, closed: () => {} })
  const sealer = new RecordSealer(suite, secretOf(true))
  // Magic, version, flags, length (§1 of the protocol), and the id.
  pair.client.write(Buffer.from('deadbeef01000000000400000004', 'hex'))
  return {
    heard,
    faults,
    sealer,
    write: (bytes: Uint8Array) => pair.client.write(bytes),
    send: (...frames: readonly Uint8Array[]) =>
      pair.client.write(sealer.seal(Buffer.concat(frames), false)),
  }
}

const data = (streamId: number): Uint8Array => {
  const frame = new Uint8Array(13)
  writeStreamHeader(frame, 0, { flags: streamFlags.open, typeId: 1, streamId }, 1)
  return frame
}

test('the frames of its stream pass, and few others', () => {
  const { heard, faults, send } = lane()
  send(
    encodeFrame.defineType(64, 'a'),
    data(ownId),
    encodeFrame.maxStreamData(ownId, 9),
    encodeFrame.streamStop(ownId, 1),
    encodeFrame.streamReset(ownId, 2),
    encodeFrame.ping(new Uint8Array(8)),
    encodeFrame.pong(new Uint8Array(8)),
    Uint8Array.of(frameKinds.padding),
  )
  assert.deepEqual(faults, [])
  const names = heard.map((entry) => (entry as unknown[])[0])
  assert.deepEqual(names, ['define', 'stream', 'max', 'stop', 'reset'])
})

test('a frame of another stream ends the session', () => {
  for (const frame of [
    data(6),
    encodeFrame.maxStreamData(6, 9),
    encodeFrame.streamStop(6, 1),
    encodeFrame.streamReset(6, 1),
  ]) {
    const { heard, faults, send } = lane()
    send(frame, data(ownId))
    assert.deepEqual(faults, ['SESSION_PROTOCOL: a frame of another stream on a lane'])
    assert.deepEqual(heard, [], 'nothing that follows is heard')
  }
})

test('a frame of the session ends the session', () => {
  const settings = { dataMax: 1, streamDataMax: 1, streamsMax: 1, messageBytesMax: 1 }
  for (const frame of [
    encodeFrame.settings(settings),
    encodeFrame.close(1, ''),
    encodeFrame.maxData(2 ** 30),
    encodeFrame.maxStreams(2 ** 30),
    Buffer.from('08000001000000000000000000000000', 'hex'),
    Buffer.from('090000000000000000000000', 'hex'),
  ]) {
    const { faults, send } = lane()
    send(frame)
    assert.deepEqual(faults, [`SESSION_PROTOCOL: a frame of kind ${frame[0]} on a lane`])
  }
})

test('after a key update the next key opens, and the old one no more', () => {
  const { heard, faults, send, sealer, write } = lane()
  const old = new RecordSealer(suite, secretOf(true))
  old.seal(encodeFrame.keyUpdate(), false)
  send(encodeFrame.keyUpdate())
  sealer.update()
  send(data(ownId))
  assert.equal(heard.length, 1)
  write(old.seal(data(ownId), false))
  assert.deepEqual(faults, ['SESSION_RECORD_OPEN: a record of a lane'])
})

test('two key updates in one record, and records that were compressed, end the session', () => {
  const twice = lane()
  twice.send(encodeFrame.keyUpdate(), encodeFrame.keyUpdate())
  assert.deepEqual(twice.faults, ['SESSION_PROTOCOL: two key updates in one record'])
  const compressed = lane()
  compressed.write(compressed.sealer.seal(data(ownId), true))
  assert.equal(compressed.faults.length, 1)
})

test('a record that is repeated, or changed by one bit, does not open', () => {
  const repeated = lane()
  const record = repeated.sealer.seal(data(ownId), false)
  repeated.write(record.slice())
  repeated.write(record.slice())
  assert.deepEqual(repeated.faults, ['SESSION_RECORD_OPEN: a record of a lane'])
  const changed = lane()
  const bytes = changed.sealer.seal(data(ownId), false)
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1
  changed.write(bytes)
  assert.equal(changed.faults.length, 1)
  assert.deepEqual(changed.heard, [])
})
