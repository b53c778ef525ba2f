// Deliveries over UDP multicast (R062, B20): one process sends 64-byte messages, many to a datagram, each datagram
// sealed once; 1, 2, 4 and 8 members in another process open every one of them. The figure is messages × receivers.
//
// UDP has no flow control, so the sender keeps no more datagrams under way than the system's buffers hold, by what
// the receivers report; what is lost all the same is reported, and counts as not delivered.

import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { DatagramBatch, DatagramSealer } from '@myelin/session'
import { udp } from '@myelin/transport'
import type { MulticastCount, MulticastTask } from './peers/multicast-receivers.ts'

export interface MulticastOptions {
  /** Numbers of receivers that are tried, one after the other. */
  readonly receivers?: readonly number[]
  /** Time of sending, for each number of receivers. */
  readonly durationMs?: number
  readonly messageBytes?: number
  /** Largest datagram; 1,200 is what every path takes, more is for one machine or one switch. */
  readonly datagramBytes?: number
  readonly suite?: 'aes-256-gcm' | 'chacha20-poly1305'
}

export interface MulticastFigure {
  readonly receivers: number
  readonly messagesPerDatagram: number
  /** Sealed and sent, once for all. */
  readonly sentPerSecond: number
  /** Opened and read, by all receivers together: messages × receivers. */
  readonly deliveredPerSecond: number
  /** Part of the datagrams that did not arrive, over all receivers. */
  readonly loss: number
}

export interface MulticastResult {
  readonly figures: readonly MulticastFigure[]
  /**
   * How the time for one message grows: `baseUs + receivers × perReceiverUs`, fitted to the figures, all on this
   * machine's cores. Where each receiver has a machine of its own, only the base is left.
   */
  readonly law: {
    readonly baseUs: number
    readonly perReceiverUs: number
    /** Deliveries per second that more receivers on this machine approach. */
    readonly deliveredPerSecondMax: number
    readonly cores: number
  }
}

/** Of the 208 KiB that Linux gives a socket by default; a datagram takes about twice its size of it. */
const underWayBytesMax = 128 * 1_024
/** Without a report for so long, what is under way counts as lost. */
const patienceMs = 100
const interfaceAddress = '127.0.0.1'

export async function multicastContest(options: MulticastOptions = {}): Promise<MulticastResult> {
  const figures: MulticastFigure[] = []
  for (const receivers of options.receivers ?? [1, 2, 4, 8])
    figures.push(await figureOf(receivers, options))
  return { figures, law: lawOf(figures) }
}

async function figureOf(receivers: number, options: MulticastOptions): Promise<MulticastFigure> {
  const { durationMs = 1_000, messageBytes = 64, datagramBytes = 1_200 } = options
  const { suite = 'aes-256-gcm' } = options
  const underWayMax = Math.floor(underWayBytesMax / (2 * Math.max(datagramBytes, 1_024)))
  const reportEvery = Math.max(1, Math.floor(underWayMax / 8))
  const transport = udp({
    datagramBytesMax: datagramBytes,
    multicast: { interface: interfaceAddress, ttl: 0 },
  })
  const socket = await transport.bind(`/ip4/${interfaceAddress}/udp/0`)
  // Bound for its free port alone: members of one machine share it.
  const first = await transport.bind('/ip4/239.77.9.1/udp/0')
  const group = first.localAddress
  const child = fork(fileURLToPath(new URL('peers/multicast-receivers.ts', import.meta.url)))
  try {
    const secret = randomBytes(32)
    await begin(child, {
      group,
      reportTo: socket.localAddress,
      reportEvery,
      receivers,
      secret: secret.toString('base64'),
      suite,
    })
    await first.close()
    const reported = new Float64Array(receivers)
    let reportedMs = performance.now()
    socket.attach({
      message: (report) => {
        const view = new DataView(report.buffer, report.byteOffset, report.byteLength)
        reported[view.getUint32(0)] = view.getFloat64(4)
        reportedMs = performance.now()
      },
      closed: () => {},
    })
    const sealer = new DatagramSealer(suite, Uint8Array.from(secret), { sender: 1 })
    const batch = new DatagramBatch(datagramBytes - sealer.datagramOverheadBytes)
    const message = Uint8Array.from(randomBytes(messageBytes))
    let messagesPerDatagram = 0
    while (batch.add(message)) messagesPerDatagram += 1
    batch.take()
    let sent = 0
    /** Datagrams up to here have come or are lost. */
    let givenUp = 0
    const send = async (untilMs: number) => {
      while (performance.now() < untilMs) {
        while (sent - Math.max(givenUp, Math.min(...reported)) < underWayMax) {
          for (let i = 0; i < messagesPerDatagram; i += 1) batch.add(message)
          if (socket.send(sealer.seal(batch.take()), group)) sent += 1
        }
        await new Promise((resolve) => setImmediate(resolve))
        if (performance.now() - reportedMs > patienceMs) {
          givenUp = sent
          reportedMs = performance.now()
        }
      }
    }
    await send(performance.now() + durationMs / 4)
    const before = await countsOf(child)
    const [sentBefore, startMs] = [sent, performance.now()]
    await send(startMs + durationMs)
    const after = await settledCounts(child)
    const seconds = (performance.now() - startMs) / 1_000
    const opened = total(after, 'datagrams') - total(before, 'datagrams')
    const expected = (sent - sentBefore) * receivers
    return {
      receivers,
      messagesPerDatagram,
      sentPerSecond: ((sent - sentBefore) * messagesPerDatagram) / seconds,
      deliveredPerSecond: (total(after, 'messages') - total(before, 'messages')) / seconds,
      // What was under way when the clock started is counted by its receivers, so a run may gain a few.
      loss: Math.max(0, 1 - opened / expected),
    }
  } finally {
    child.kill()
    await socket.close()
    await first.close()
  }
}

async function begin(child: ChildProcess, task: MulticastTask): Promise<void> {
  child.send({ kind: 'start', task })
  const gone = once(child, 'exit').then(() => {
    throw new Error('the receivers ended before they were ready; is there multicast on loopback?')
  })
  gone.catch(() => {})
  await Promise.race([once(child, 'message'), gone])
}

async function countsOf(child: ChildProcess): Promise<readonly MulticastCount[]> {
  const answer = once(child, 'message')
  child.send({ kind: 'count' })
  return (await answer)[0] as readonly MulticastCount[]
}

/** As soon as two answers are the same: what is not there by then is lost. */
async function settledCounts(child: ChildProcess): Promise<readonly MulticastCount[]> {
  let counts = await countsOf(child)
  for (;;) {
    const later = await countsOf(child)
    if (total(later, 'datagrams') === total(counts, 'datagrams')) return later
    counts = later
  }
}

function total(counts: readonly MulticastCount[], what: 'datagrams' | 'messages'): number {
  return counts.reduce((sum, count) => sum + count[what], 0)
}

/** The straight line through the times per message, by least squares. */
function lawOf(figures: readonly MulticastFigure[]): MulticastResult['law'] {
  const points = figures.map(({ receivers, deliveredPerSecond }) => {
    return { x: receivers, y: (receivers / deliveredPerSecond) * 1e6 }
  })
  const mean = (of: 'x' | 'y') => points.reduce((sum, point) => sum + point[of], 0) / points.length
  const [meanX, meanY] = [mean('x'), mean('y')]
  let [covariance, variance] = [0, 0]
  for (const { x, y } of points) {
    covariance += (x - meanX) * (y - meanY)
    variance += (x - meanX) ** 2
  }
  const perReceiverUs = variance === 0 ? 0 : covariance / variance
  return {
    baseUs: meanY - perReceiverUs * meanX,
    perReceiverUs,
    deliveredPerSecondMax: perReceiverUs > 0 ? 1e6 / perReceiverUs : Number.POSITIVE_INFINITY,
    cores: availableParallelism(),
  }
}
