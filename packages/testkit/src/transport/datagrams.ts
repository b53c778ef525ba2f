// What every DatagramTransport must do. Loss is allowed in general but not between two idle sockets of one
// machine, so a few small datagrams at a time are expected to arrive.

import assert from 'node:assert/strict'
import { withDeadline } from '@myelin/base'
import { systemClock } from '@myelin/base/system'
import type { DatagramHandlers, DatagramSocket, DatagramTransport } from '@myelin/transport'
import { seededBytes, seededRandom, turns } from './recorder.ts'

export interface DatagramSubject {
  readonly transport: DatagramTransport
  /** A fresh address to bind. */
  address(): string
  dispose(): Promise<void>
}

const patienceMs = 15_000

class DatagramRecorder implements DatagramHandlers {
  readonly received: { readonly bytes: Uint8Array; readonly from: string }[] = []
  readonly violations: string[] = []
  isClosed = false
  #wake: () => void = () => {}

  constructor(socket: DatagramSocket) {
    socket.attach(this)
  }

  message(bytes: Uint8Array, from: string): void {
    if (this.isClosed) this.violations.push('message after closed')
    this.received.push({ bytes, from })
    this.#wake()
  }

  closed(): void {
    if (this.isClosed) this.violations.push('closed twice')
    this.isClosed = true
    this.#wake()
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    while (!condition()) {
      const work = new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      await withDeadline(work, { clock: systemClock, timeoutMs: patienceMs, what })
    }
  }
}

export const datagramTests: Readonly<Record<string, (subject: DatagramSubject) => Promise<void>>> =
  {
    'a datagram arrives whole, with the address to answer to': async (subject) => {
      const { a, b, recorderA, recorderB, close } = await bindTwo(subject)
      const random = seededRandom(7)
      for (const size of [0, 1, 2, 500, 1_200]) {
        const sent = seededBytes(size, random)
        const count = recorderB.received.length
        assert.equal(a.send(sent.slice(), b.localAddress), true)
        await recorderB.until('a datagram', () => recorderB.received.length > count)
        const { bytes, from } = recorderB.received[count] ?? assert.fail('none')
        assert.ok(Buffer.compare(bytes, sent) === 0, `${size} bytes`)
        assert.equal(from, a.localAddress)
        assert.equal(b.send(bytes, from), true)
        await recorderA.until('the answer', () => recorderA.received.length > count)
      }
      await close()
    },

    'datagrams are not joined or cut': async (subject) => {
      const { a, b, recorderB, close } = await bindTwo(subject)
      const lengths = [3, 1, 700, 2]
      for (const length of lengths) a.send(new Uint8Array(length), b.localAddress)
      await recorderB.until('four', () => recorderB.received.length === lengths.length)
      const seen = recorderB.received.map(({ bytes }) => bytes.length)
      assert.deepEqual(seen.sort(), [...lengths].sort())
      await close()
    },

    'the largest datagram is sent, a larger one is dropped with false': async (subject) => {
      const { a, b, recorderB, close } = await bindTwo(subject)
      assert.equal(a.send(new Uint8Array(a.datagramBytesMax + 1), b.localAddress), false)
      assert.equal(a.send(new Uint8Array(a.datagramBytesMax), b.localAddress), true)
      await recorderB.until('the largest', () => recorderB.received.length === 1)
      assert.equal(recorderB.received[0]?.bytes.length, a.datagramBytesMax)
      await close()
    },

    'a socket that is attached late or bound to nobody breaks nothing': async (subject) => {
      const a = await subject.transport.bind(subject.address())
      const b = await subject.transport.bind(subject.address())
      const gone = b.localAddress
      await b.close()
      a.send(Uint8Array.of(1), gone)
      const late = await subject.transport.bind(subject.address())
      a.send(Uint8Array.of(2), late.localAddress)
      await turns(20)
      const recorder = new DatagramRecorder(late)
      await recorder.until('the datagram', () => recorder.received.length === 1)
      await a.close()
      await late.close()
    },

    'a flood is bounded: it is delivered or dropped, and the socket works on': async (subject) => {
      const { a, b, recorderB, close } = await bindTwo(subject)
      let accepted = 0
      for (let i = 0; i < 20_000; i += 1)
        if (a.send(Uint8Array.of(1), b.localAddress)) accepted += 1
      await turns(50)
      assert.ok(recorderB.received.length <= accepted)
      recorderB.received.length = 0
      a.send(Uint8Array.of(2), b.localAddress)
      await recorderB.until('the next', () =>
        recorderB.received.some(({ bytes }) => bytes[0] === 2),
      )
      await close()
    },

    'after close nothing is sent or received, and closed comes once': async (subject) => {
      const { a, b, recorderA, recorderB, close } = await bindTwo(subject)
      b.send(Uint8Array.of(1), a.localAddress)
      await a.close()
      await a.close()
      assert.equal(a.send(Uint8Array.of(1), b.localAddress), false)
      b.send(Uint8Array.of(1), a.localAddress)
      await recorderA.until('closed', () => recorderA.isClosed)
      await turns(20)
      assert.deepEqual(recorderA.violations, [])
      assert.equal(recorderB.received.length, 0)
      await using again = disposable(await subject.transport.bind(a.localAddress))
      assert.equal(again.socket.localAddress, a.localAddress)
      await close()
    },

    'an address is bound once at a time': async (subject) => {
      const { a, close } = await bindTwo(subject)
      await assert.rejects(subject.transport.bind(a.localAddress), (error) =>
        /^TRANSPORT_/.test(String((error as { code?: unknown }).code)),
      )
      await close()
    },
  }

async function bindTwo(subject: DatagramSubject) {
  const a = await subject.transport.bind(subject.address())
  const b = await subject.transport.bind(subject.address())
  const recorderA = new DatagramRecorder(a)
  const recorderB = new DatagramRecorder(b)
  const close = async () => {
    await a.close()
    await b.close()
    await recorderB.until('closed', () => recorderB.isClosed)
    assert.deepEqual([...recorderA.violations, ...recorderB.violations], [])
  }
  return { a, b, recorderA, recorderB, close }
}

function disposable(socket: DatagramSocket) {
  return { socket, [Symbol.asyncDispose]: () => socket.close() }
}
