// A thread with sessions of its own: both ends of each in it, over TCP on the loopback. It opens them, says so, and
// then floods all of them when it is told to.

import { parentPort, workerData } from 'node:worker_threads'
import { kindOf } from './kinds.ts'
import { floodPairs, openPairs } from './pair.ts'
import { payloadsOf } from './payloads.ts'

export interface ThreadOrders {
  readonly pairs: number
  readonly payloadBytes: number
}

/** Messages over each pair. */
export interface FloodOrder {
  readonly messages: number
}

const port = parentPort
if (port === null) throw new Error('this file is the main module of a worker thread')
const { pairs: count, payloadBytes } = workerData as ThreadOrders
const pairs = await openPairs(kindOf('XKhfs', undefined), count)
const payloads = payloadsOf(payloadBytes)
port.on('message', ({ messages }: FloodOrder) => {
  void floodPairs(pairs, payloads, messages).then(() => port.postMessage('arrived'))
})
port.postMessage('open')
