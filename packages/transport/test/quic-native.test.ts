import assert from 'node:assert/strict'
import { test } from 'node:test'
import { quic, TransportError } from '@myelin/transport'
import { encodeGreeting, readGreeting } from '../src/quic-greeting.ts'
import { loadQuic, type NativeStream, quicError } from '../src/quic-native.ts'

const isCode = (code: string) => (error: unknown) =>
  error instanceof TransportError && error.code === code

/** A stream that gives these bytes, `step` at a time, and then ends. */
function given(bytes: Uint8Array, step = 1): NativeStream {
  let at = 0
  const read = async (bytesMax: number) => {
    const chunk = bytes.slice(at, at + Math.min(step, bytesMax))
    at += chunk.length
    return chunk.length === 0 ? null : chunk
  }
  const nothing = async () => {}
  return { read, write: nothing, finishWrite: nothing, resetWrite: nothing, stopRead: nothing }
}

test('where the package is missing the error names the command that installs it', async () => {
  const missing = () => {
    throw Object.assign(new Error('not found'), { code: 'ERR_MODULE_NOT_FOUND' })
  }
  await assert.rejects(loadQuic(missing), (error) => {
    assert.ok(isCode('TRANSPORT_UNAVAILABLE')(error))
    assert.match(String(error), /npm install @chainsafe\/libp2p-quic@2\.1\.1/)
    return true
  })
})

test('a package that is there and has no native layer of this form is refused alike', async () => {
  const other = () => import.meta.resolve('@myelin/base')
  await assert.rejects(loadQuic(other), isCode('TRANSPORT_UNAVAILABLE'))
})

test('a greeting names an address of either family, and is read to its last byte', async () => {
  for (const [host, port, expected] of [
    ['192.0.2.1', 4001, '/ip4/192.0.2.1/udp/4001/quic-v1'],
    ['2001:db8::1', 1, '/ip6/2001:db8::1/udp/1/quic-v1'],
    ['::', 65_535, '/ip6/::/udp/65535/quic-v1'],
    ['::ffff:192.0.2.1', 80, '/ip6/::ffff:c000:201/udp/80/quic-v1'],
    ['1:2:3:4:5:6:7:8', 80, '/ip6/1:2:3:4:5:6:7:8/udp/80/quic-v1'],
  ] as const) {
    const stream = given(Uint8Array.of(...encodeGreeting(host, port), 9))
    assert.deepEqual(await readGreeting(stream), { ok: true, value: expected })
    assert.deepEqual(await stream.read(10), Uint8Array.of(9))
  }
})

test('a greeting that is none is told by a fault', async () => {
  for (const [bytes, fault] of [
    [[], 'greeting_truncated'],
    [[1], 'greeting_truncated'],
    [[2, 4, 127, 0, 0, 1, 0, 80], 'greeting_malformed'],
    [[1, 5, 127, 0, 0, 1, 0, 80], 'greeting_malformed'],
    [[1, 4, 127, 0, 0, 1, 0], 'greeting_truncated'],
  ] as const)
    assert.deepEqual(await readGreeting(given(Uint8Array.from(bytes))), { ok: false, fault })
})

test('errors of the package get codes, and one that is unknown keeps its text', () => {
  for (const [text, code] of [
    ['timed out', 'TRANSPORT_TIMEOUT'],
    ['Address already in use (os error 98)', 'TRANSPORT_IN_USE'],
    ['Cannot assign requested address (os error 99)', 'TRANSPORT_UNREACHABLE'],
    ['closed by peer: 0', 'TRANSPORT_RESET'],
    ['aborted by peer: the cryptographic handshake failed', 'TRANSPORT_HANDSHAKE'],
    ['the moon is full', 'TRANSPORT_FAILED'],
  ] as const) {
    const error = quicError(new Error(text), 'cannot dial x')
    assert.equal(error.code, code, text)
  }
  assert.match(quicError(new Error('the moon is full'), 'x').message, /the moon is full/)
})

test('options that cannot be met are refused when the transport is made', () => {
  const bad = isCode('TRANSPORT_OPTION')
  assert.throws(() => quic({ idleTimeoutMs: 99 }), bad)
  assert.throws(() => quic({ idleTimeoutMs: 1_000, keepAliveMs: 1_000 }), bad)
  assert.throws(() => quic({ lanesMax: 0 }), bad)
  assert.throws(() => quic({ windowBytes: 1 }), bad)
  assert.throws(() => quic({ connectionsMax: 0 }), bad)
  quic({ idleTimeoutMs: 1_000 })
})
