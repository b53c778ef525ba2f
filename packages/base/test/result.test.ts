import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  BaseError,
  assert as baseAssert,
  describeError,
  err,
  MyelinError,
  ok,
  type Result,
} from '@myelin/base'

test('a result is a value or a named fault', () => {
  const half = (n: number): Result<number, 'odd'> => (n % 2 === 0 ? ok(n / 2) : err('odd'))
  assert.deepEqual(half(4), { ok: true, value: 2 })
  assert.deepEqual(half(3), { ok: false, fault: 'odd' })
})

test('the value is there only where the result is ok, and the fault is one of those named', () => {
  const result = ok(1) as Result<number, 'odd'>
  // @ts-expect-error The value needs a look at `ok` first.
  void result.value
  if (!result.ok) {
    // @ts-expect-error There is no such fault.
    assert.notEqual(result.fault, 'even' satisfies typeof result.fault)
  }
})

test('an error carries its code, its kind and its cause', () => {
  class OwnError extends MyelinError<'OWN_CODE'> {}
  const cause = new Error('inside')
  const error = new OwnError('OWN_CODE', 'what and why', { cause, kind: 'recoverable' })
  assert.deepEqual(
    [error.name, error.code, error.kind, error.message],
    ['OwnError', 'OWN_CODE', 'recoverable', 'what and why'],
  )
  assert.equal(error.cause, cause)
  assert.ok(error instanceof Error)
  assert.equal(new OwnError('OWN_CODE', 'x').kind, 'protocol')
  assert.equal('cause' in new OwnError('OWN_CODE', 'x'), false)
})

test('any error has one line for people', () => {
  assert.equal(describeError(new BaseError('BASE_STORE', 'cannot read')), 'BASE_STORE: cannot read')
  assert.equal(describeError(new Error('foreign')), 'foreign')
  assert.equal(describeError('text'), 'text')
  assert.equal(describeError(undefined), 'undefined')
})

test('a broken assertion is fatal', () => {
  baseAssert(true, 'fine')
  assert.throws(() => baseAssert(0, 'broken'), {
    code: 'BASE_ASSERTION',
    kind: 'fatal',
    message: 'broken',
  })
})
