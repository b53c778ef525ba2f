// What every StreamTransport and DatagramTransport must do, as tests that run over any of them: Myelin's own,
// and those of others. A transport that passes can carry a session. The tests are in transport/.

import { backpressureTests } from './transport/backpressure.ts'
import { type DatagramSubject, datagramTests } from './transport/datagrams.ts'
import { deliveryTests } from './transport/delivery.ts'
import { dialTests, listenerTests } from './transport/doors.ts'
import { lifecycleTests } from './transport/lifecycle.ts'
import type { StreamSubject } from './transport/pair.ts'

/** What the suite needs of `node:test` or of another runner. */
export type RegisterTest = (title: string, body: () => Promise<void>) => unknown

export interface ComplianceOptions {
  readonly test: RegisterTest
  /** Stands before each title; the transport's name is a good choice. */
  readonly name?: string
}

export type { DatagramSubject, StreamSubject }

/** Registers the tests of a stream transport. `factory` is called once per test. */
export function streamTransportCompliance(
  factory: () => Promise<StreamSubject>,
  options: ComplianceOptions,
): void {
  for (const tests of [deliveryTests, lifecycleTests, backpressureTests, listenerTests, dialTests])
    register(factory, tests, options)
}

/** Registers the tests of a datagram transport. `factory` is called once per test. */
export function datagramTransportCompliance(
  factory: () => Promise<DatagramSubject>,
  options: ComplianceOptions,
): void {
  register(factory, datagramTests, options)
}

function register<Subject extends { dispose(): Promise<void> }>(
  factory: () => Promise<Subject>,
  tests: Readonly<Record<string, (subject: Subject) => Promise<void>>>,
  { test, name }: ComplianceOptions,
): void {
  for (const [title, body] of Object.entries(tests)) {
    test(name === undefined ? title : `${name}: ${title}`, async () => {
      const subject = await factory()
      try {
        await body(subject)
      } finally {
        await subject.dispose()
      }
    })
  }
}
