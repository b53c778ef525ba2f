// The circuit breaker by itself, and in an agent that sends to a peer that is not there (R088).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verifies } from '@myelin/testkit'
import { CircuitBreaker } from '../src/circuit-breaker.ts'

verifies('R088')

function failing(times: number, circuit: CircuitBreaker, nowMs: number): void {
  for (let i = 0; i < times; i += 1) {
    circuit.begin(nowMs)
    circuit.fail(nowMs)
  }
}

test('it opens after so many failures in a row, and a success in between starts the count anew', () => {
  const circuit = new CircuitBreaker({ failuresMax: 3, openMs: 1000 })
  failing(2, circuit, 0)
  assert.equal(circuit.state(0), 'closed')
  circuit.begin(0)
  circuit.succeed()
  failing(2, circuit, 0)
  assert.equal(circuit.state(0), 'closed')
  assert.equal(circuit.waitMs(0), 0)
  assert.equal(circuit.fail(0), true)
  assert.equal(circuit.state(0), 'open')
  assert.equal(circuit.waitMs(400), 600)
})

test('half-open it lets one attempt through, whose success closes it', () => {
  const circuit = new CircuitBreaker({ failuresMax: 1, openMs: 1000 })
  failing(1, circuit, 0)
  assert.equal(circuit.state(999), 'open')
  assert.equal(circuit.state(1000), 'half-open')
  assert.equal(circuit.waitMs(1000), 0)
  circuit.begin(1000)
  assert.ok(circuit.waitMs(1000) > 0, 'a second attempt must wait')
  circuit.succeed()
  assert.equal(circuit.state(1000), 'closed')
  assert.equal(circuit.waitMs(1000), 0)
})

test('half-open its failure opens it again, for as long', () => {
  const circuit = new CircuitBreaker({ failuresMax: 2, openMs: 1000 })
  failing(2, circuit, 0)
  circuit.begin(1500)
  assert.equal(circuit.fail(1500), true)
  assert.equal(circuit.state(2499), 'open')
  assert.equal(circuit.state(2500), 'half-open')
})

test('an attempt that was called off counts for nothing', () => {
  const circuit = new CircuitBreaker({ failuresMax: 1, openMs: 1000 })
  failing(1, circuit, 0)
  circuit.begin(1000)
  circuit.abandon()
  assert.equal(circuit.state(1000), 'half-open')
  assert.equal(circuit.waitMs(1000), 0)
})
