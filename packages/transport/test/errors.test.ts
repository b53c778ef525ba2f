import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TransportError } from '@myelin/transport'
import { abortedError, integerOption, transportErrorOf } from '../src/errors.ts'

const systemError = (code: string) => Object.assign(new Error(`connect ${code}`), { code })

test('an error of the system becomes a code, a kind and a mend, with the cause kept', () => {
  for (const [name, code, kind] of [
    ['ECONNREFUSED', 'TRANSPORT_REFUSED', 'recoverable'],
    ['ENOENT', 'TRANSPORT_REFUSED', 'recoverable'],
    ['EHOSTUNREACH', 'TRANSPORT_UNREACHABLE', 'recoverable'],
    ['ENOTFOUND', 'TRANSPORT_UNREACHABLE', 'recoverable'],
    ['ETIMEDOUT', 'TRANSPORT_TIMEOUT', 'recoverable'],
    ['EADDRINUSE', 'TRANSPORT_IN_USE', 'usage'],
    ['ECONNRESET', 'TRANSPORT_RESET', 'recoverable'],
    ['EPIPE', 'TRANSPORT_RESET', 'recoverable'],
    ['EACCES', 'TRANSPORT_DENIED', 'usage'],
    ['EMFILE', 'TRANSPORT_EXHAUSTED', 'recoverable'],
    ['EWHATEVER', 'TRANSPORT_FAILED', 'recoverable'],
  ] as const) {
    const cause = systemError(name)
    const error = transportErrorOf(cause, 'cannot dial /ip4/192.0.2.1/tcp/1')
    assert.deepEqual([error.code, error.kind, error.cause], [code, kind, cause])
    assert.match(error.message, new RegExp(`^cannot dial /ip4/192.0.2.1/tcp/1: .+ \\(${name}\\)$`))
  }
})

test('a foreign error without a code fails as such, and one of our own stays itself', () => {
  assert.equal(transportErrorOf('a string', 'x').code, 'TRANSPORT_FAILED')
  const own = new TransportError('TRANSPORT_CLOSED', 'closed')
  assert.equal(transportErrorOf(own, 'x'), own)
})

test('an aborted dial keeps the reason of the signal', () => {
  const reason = new Error('shutting down')
  assert.equal(abortedError('cannot dial', reason).cause, reason)
})

test('an integer option outside its bounds is refused with the bounds', () => {
  assert.equal(integerOption('backlog', 5, 1, 9), 5)
  for (const value of [0, 10, 1.5, Number.NaN, Number.POSITIVE_INFINITY])
    assert.throws(() => integerOption('backlog', value, 1, 9), {
      code: 'TRANSPORT_OPTION',
      message: /backlog is .*; give an integer from 1 to 9/,
    })
})
