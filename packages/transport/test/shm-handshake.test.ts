import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeHello, encodeHello, helloBytes } from '../src/shm-handshake.ts'

const hello = { pid: 4_000_000, fd: 23, ringBytes: 65_536, token: new Uint8Array(16).fill(7) }

test('a hello survives the socket', () => {
  const bytes = encodeHello(hello)
  assert.equal(bytes.length, helloBytes)
  assert.deepEqual(decodeHello(bytes), { ok: true, value: hello })
})

test('a hello of another kind, version or ring size has a named fault', () => {
  const changed = (at: number, value: number) => encodeHello(hello).with(at, value)
  for (const [bytes, fault] of [
    [encodeHello(hello).subarray(1), 'hello_malformed'],
    [new Uint8Array(0), 'hello_malformed'],
    [changed(0, 0), 'hello_malformed'],
    [changed(4, 2), 'hello_version'],
    [encodeHello({ ...hello, ringBytes: 65_537 }), 'hello_ring'],
    [encodeHello({ ...hello, ringBytes: 2_048 }), 'hello_ring'],
    [encodeHello({ ...hello, ringBytes: 0 }), 'hello_ring'],
    [encodeHello({ ...hello, ringBytes: 2 ** 31 }), 'hello_ring'],
  ] as const)
    assert.deepEqual(decodeHello(bytes), { ok: false, fault })
})
