// A UDP socket over a stand-in for the system: what no real socket does on request.

import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { type LogFields, silentLogger } from '@myelin/base'
import { TransportError } from '@myelin/transport'
import { UdpDatagramSocket, type UdpHandle } from '../src/udp-socket.ts'

type Sent = (error: Error | null) => void

/** A system that keeps what it is given until the test takes it. */
function standIn(sendQueueBytesMax: number) {
  const events = new EventEmitter()
  const queue: { bytes: number; sent: Sent }[] = []
  const handle = Object.assign(events, {
    getSendQueueSize: () => queue.reduce((sum, { bytes }) => sum + bytes, 0),
    send: (bytes: Uint8Array, _port: number, _host: string, sent: Sent) => {
      queue.push({ bytes: bytes.length, sent })
    },
    close: () => void setImmediate(() => events.emit('close')),
  }) as unknown as UdpHandle
  const logged: LogFields[] = []
  const socket = new UdpDatagramSocket(handle, {
    localAddress: '/ip4/127.0.0.1/udp/1',
    family: 4,
    datagramBytesMax: 1_200,
    sendQueueBytesMax,
    logger: { ...silentLogger, log: (_level, _event, fields) => void logged.push(fields ?? {}) },
  })
  const arrive = (text: string) =>
    events.emit('message', Buffer.from(text), { address: '192.0.2.1', port: 7 })
  return { socket, queue, events, logged, arrive }
}

const to = '/ip4/192.0.2.1/udp/7'
const turn = () => new Promise((resolve) => setImmediate(resolve))

test('send drops and counts what exceeds the bytes that may wait in the system', () => {
  const { socket, queue } = standIn(2_500)
  const sizes = [1_200, 1_200, 101, 100, 1]
  assert.deepEqual(
    sizes.map((size) => socket.send(new Uint8Array(size), to)),
    [true, true, false, true, false],
  )
  assert.equal(socket.counts.queueFull, 2)
  queue.shift()?.sent(null)
  assert.equal(socket.send(new Uint8Array(1_200), to), true)
  assert.equal(socket.counts.errors, 0)
})

test('errors of sending and of receiving are counted and logged, and end nothing', async () => {
  const { socket, queue, events, logged, arrive } = standIn(10_000)
  const seen: string[] = []
  socket.attach({
    message: (bytes, from) => void seen.push(`${bytes} ${from}`),
    closed: () => void seen.push('closed'),
  })
  await turn()
  socket.send(new Uint8Array(1), to)
  queue.shift()?.sent(Object.assign(new Error('send'), { code: 'ENETUNREACH' }))
  events.emit('error', Object.assign(new Error('recvmsg'), { code: 'ECONNREFUSED' }))
  arrive('still here')
  assert.deepEqual(seen, [`still here ${to}`])
  assert.equal(socket.counts.errors, 2)
  // One line for both: an attacker may cause as many as it likes.
  assert.deepEqual(
    logged.map(({ error }) => error),
    ['ENETUNREACH'],
  )
})

test('what comes before attach waits, up to a bound, and is handed over in a later turn', async () => {
  const { socket, arrive } = standIn(10_000)
  for (let i = 0; i < 300; i += 1) arrive(`${i}`)
  assert.equal(socket.counts.unattached, 44)
  const seen: string[] = []
  const handlers = { message: (bytes: Uint8Array) => void seen.push(`${bytes}`), closed: () => {} }
  socket.attach(handlers)
  assert.deepEqual(seen, [])
  assert.throws(() => socket.attach(handlers), TransportError)
  await turn()
  arrive('last')
  const expected = [...Array.from({ length: 256 }, (_, i) => `${i}`), 'last']
  assert.deepEqual(seen, expected)
})

test('closed is told once, last, also to who attaches late; the queue that is given up is no error', async () => {
  for (const isLate of [false, true]) {
    const { socket, queue, arrive } = standIn(10_000)
    const seen: string[] = []
    const attach = () =>
      socket.attach({
        message: (bytes) => void seen.push(`${bytes}`),
        closed: () => void seen.push('closed'),
      })
    if (!isLate) attach()
    await turn()
    socket.send(new Uint8Array(1), to)
    const closing = socket.close()
    arrive('too late')
    queue.shift()?.sent(Object.assign(new Error('send'), { code: 'ECANCELED' }))
    assert.equal(socket.send(new Uint8Array(1), to), false)
    await Promise.all([closing, socket.close()])
    if (isLate) attach()
    await turn()
    assert.deepEqual(seen, ['closed'])
    assert.equal(socket.counts.errors, 0)
  }
})
