// The stage of the stream tests: a listener, one stream to it, and both its ends recorded.

import assert from 'node:assert/strict'
import type { Listener, StreamTransport } from '@myelin/transport'
import { StreamRecorder } from './recorder.ts'

export interface StreamSubject {
  readonly transport: StreamTransport
  /** A fresh address to listen on. What the listener then reports is dialled. */
  address(): string
  /** Most bytes that `bufferedBytes` may show for a writer that heeds `false`; 2 MiB by default. */
  readonly bufferedBytesMax?: number
  dispose(): Promise<void>
}

/** Bodies of tests by title. */
export type StreamTests = Readonly<Record<string, (subject: StreamSubject) => Promise<void>>>

export interface Pair extends AsyncDisposable {
  readonly listener: Listener
  readonly client: StreamRecorder
  readonly server: StreamRecorder
}

/** The seed of all that is random in the suite; messages of failures name it. */
export const seed = 20_260_101

/** A listener, one stream to it, and both its ends recorded. Disposing ends all and checks the handlers. */
export async function connect(subject: StreamSubject): Promise<Pair> {
  let arrive: (server: StreamRecorder) => void = () => {}
  const arrival = new Promise<StreamRecorder>((resolve) => {
    arrive = resolve
  })
  const { transport } = subject
  const listener = await transport.listen(subject.address(), (stream) =>
    arrive(new StreamRecorder(stream)),
  )
  const client = new StreamRecorder(await transport.dial(first(listener)))
  const server = await arrival
  const dispose = async () => {
    client.stream.destroy()
    server.stream.destroy()
    await client.until('closed', () => client.isClosed)
    await server.until('closed', () => server.isClosed)
    await listener.close()
    assert.deepEqual([...client.violations, ...server.violations], [])
  }
  return { listener, client, server, [Symbol.asyncDispose]: dispose }
}

export async function closedInOrder(side: StreamRecorder): Promise<void> {
  await side.until('closed', () => side.isClosed)
  assert.equal(side.error, undefined)
  assert.deepEqual(side.violations, [])
  assert.equal(side.isEnded, true)
}

export function first(listener: Listener): string {
  const address = listener.addresses[0]
  assert.ok(address !== undefined, 'a listener has an address')
  return address
}

export function codeOf(error: unknown): unknown {
  return error instanceof Error ? (error as { code?: unknown }).code : undefined
}

export function isCoded(error: unknown): boolean {
  return /^TRANSPORT_[A-Z_]+$/.test(String(codeOf(error)))
}

export function isEqual(actual: Uint8Array, expected: Uint8Array): boolean {
  return Buffer.compare(actual, expected) === 0
}
