// How two processes agree on shared memory over their Unix socket. The listener makes a segment and sends its
// hello; the dialler opens the memory, finds the token of the hello in it, and answers with one byte; then nobody
// else can open it any more. Everything that follows on the socket is wake-ups.
//
//   hello    magic u32 | version u8 | pid u32 | descriptor u32 | bytes of one ring u32 | token 16      big-endian
//   answer   1
//
//   segment  0 token | 128 control of ring 0 | 512 control of ring 1 | 4096 ring 0 | ring 1
//
// Ring 0 carries what the listener writes. The token is random: a dialler in another PID namespace, where the same
// number is another process, does not take that process's memory for the listener's.

import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { ByteReader, ByteWriter, equalBytes, err, ok, type Result } from '@myelin/base'
import { TransportError } from './errors.ts'
import { shmHandshakeMs, shmRingBytesMax, shmRingBytesMin } from './limits.ts'
import { createSegment, openSegment, type Segment } from './shm-native.ts'
import { RingReader, RingWriter, ringControlWords } from './shm-ring.ts'

/** A segment with the rings of one side. */
export interface SharedRings {
  readonly segment: Segment
  readonly inbound: RingReader
  readonly outbound: RingWriter
}

export interface Hello {
  readonly pid: number
  readonly fd: number
  readonly ringBytes: number
  readonly token: Uint8Array
}

/** How a handshake goes on: exactly one of the two is called, never from within the call that began it. */
export interface Agreement {
  agreed(rings: SharedRings): void
  failed(error: TransportError): void
}

const magic = 0x4d_59_53_4d
const version = 1
const tokenBytes = 16
export const helloBytes = 17 + tokenBytes
const answer = 1
const controlBytes = 4_096
const controlWordsAt = [32, 32 + ringControlWords] as const

export function encodeHello({ pid, fd, ringBytes, token }: Hello): Uint8Array {
  const writer = new ByteWriter(helloBytes).u32(magic).u8(version).u32(pid).u32(fd)
  return writer.u32(ringBytes).put(token).finish()
}

export type HelloFault = 'hello_malformed' | 'hello_version' | 'hello_ring'

export function decodeHello(bytes: Uint8Array): Result<Hello, HelloFault> {
  const reader = new ByteReader(bytes)
  if (bytes.length !== helloBytes || reader.u32() !== magic) return err('hello_malformed')
  if (reader.u8() !== version) return err('hello_version')
  const [pid, fd, ringBytes] = [reader.u32(), reader.u32(), reader.u32()]
  return isRingSize(ringBytes)
    ? ok({ pid, fd, ringBytes, token: reader.take(tokenBytes).slice() })
    : err('hello_ring')
}

export function isRingSize(bytes: number): boolean {
  const isPower = Number.isSafeInteger(bytes) && Number.isInteger(Math.log2(bytes))
  return isPower && bytes >= shmRingBytesMin && bytes <= shmRingBytesMax
}

/** The listener's part. Returns what breaks it off. */
export function offerMemory(socket: Socket, ringBytes: number, agreement: Agreement): () => void {
  const segment = createSegment(controlBytes + 2 * ringBytes)
  const token = randomBytes(tokenBytes)
  new Uint8Array(segment.buffer).set(token)
  const { pid, fd } = segment.name
  socket.write(encodeHello({ pid, fd, ringBytes, token }))
  return receive(socket, 1, {
    bytes: ([first]) => {
      segment.seclude()
      if (first === answer) return agreement.agreed(ringsOf(segment, ringBytes, 0))
      segment.unmap()
      agreement.failed(malformed('the answer'))
    },
    failed: (error) => {
      segment.unmap()
      agreement.failed(error)
    },
  })
}

/** The dialler's part. Returns what breaks it off. */
export function acceptMemory(socket: Socket, agreement: Agreement): () => void {
  return receive(socket, helloBytes, {
    bytes: (bytes) => {
      const hello = decodeHello(bytes)
      if (!hello.ok) return agreement.failed(malformed(hello.fault))
      let rings: SharedRings
      try {
        rings = openRings(hello.value)
      } catch (error) {
        return agreement.failed(error as TransportError)
      }
      socket.write(Uint8Array.of(answer))
      agreement.agreed(rings)
    },
    failed: (error) => agreement.failed(error),
  })
}

function openRings({ pid, fd, ringBytes, token }: Hello): SharedRings {
  const segment = openSegment({ pid, fd, bytes: controlBytes + 2 * ringBytes })
  if (equalBytes(new Uint8Array(segment.buffer).slice(0, tokenBytes), token))
    return ringsOf(segment, ringBytes, 1)
  segment.unmap()
  const message = `the memory at /proc/${pid}/fd/${fd} is another's; run both in one PID namespace`
  throw new TransportError('TRANSPORT_UNAVAILABLE', message, { kind: 'usage' })
}

function ringsOf(segment: Segment, ringBytes: number, side: 0 | 1): SharedRings {
  const control = new Int32Array(segment.buffer, 0, controlBytes / 4)
  const place = (ring: 0 | 1) => ({
    control,
    controlAt: controlWordsAt[ring],
    data: new Uint8Array(segment.buffer, controlBytes + ring * ringBytes, ringBytes),
  })
  const outbound = new RingWriter(place(side))
  return { segment, outbound, inbound: new RingReader(place(side === 0 ? 1 : 0)) }
}

interface Reception {
  bytes(bytes: Uint8Array): void
  failed(error: TransportError): void
}

/** Waits for the first `count` bytes. What follows them are wake-ups, which nobody needs who is awake. */
function receive(socket: Socket, count: number, reception: Reception): () => void {
  const received = new Uint8Array(count)
  let length = 0
  const stop = () => {
    clearTimeout(timer)
    socket.off('data', onData).off('end', onGone).off('close', onGone)
  }
  const onData = (chunk: Uint8Array) => {
    const part = chunk.subarray(0, count - length)
    received.set(part, length)
    length += part.length
    if (length < count) return
    stop()
    reception.bytes(received)
  }
  const onGone = () => {
    stop()
    const message = 'the peer left before the shared memory was agreed on; see its log'
    reception.failed(new TransportError('TRANSPORT_RESET', message, { kind: 'recoverable' }))
  }
  const timer = setTimeout(() => {
    stop()
    const message = 'the peer did not agree on shared memory in time; check that it uses shm too'
    reception.failed(new TransportError('TRANSPORT_TIMEOUT', message, { kind: 'recoverable' }))
  }, shmHandshakeMs)
  socket.on('data', onData).on('end', onGone).on('close', onGone)
  return stop
}

function malformed(what: string): TransportError {
  const message = `the peer does not speak shm (${what}); check the address`
  return new TransportError('TRANSPORT_PROTOCOL', message, { kind: 'protocol' })
}
