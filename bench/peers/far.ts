// The other end, a process of its own: `far.ts KIND [CERTIFICATE as JSON]`. It listens, reports where, and then
// does what the parent orders over the IPC channel. It ends with its parent.

import { type FarReport, type FarTask, isUrgent } from './far-process.ts'
import { heapCensus } from './heap-census.ts'
import { certificateFrom, openKind } from './kinds.ts'
import type { Link } from './link.ts'
import { checksum, streamSum } from './payloads.ts'

const [, , name = '', certificate] = process.argv
const kind = await openKind(name, certificateFrom(certificate))

/** Every so many messages one is summed up whole; a prime, so that all payloads come to it. */
let task: FarTask = { do: 'drop' }
let received = { messages: 0, bytes: 0, sum: 0 }

/** Of all connections since the start. */
let accepted = 0

const address = await kind.listen((link) => {
  accepted += 1
  reportAccepted()
  link.receive = (payload) => take(link, payload)
})
report({ address })

process.on('disconnect', () => process.exit(0))
process.on('message', (message) => {
  const order = message as FarTask
  task = order
  received = { messages: 0, bytes: 0, sum: 0 }
  if (order.do === 'memory') {
    measureMemory()
  } else if (order.do === 'census') {
    void heapCensus().then((census) => report({ census }))
  } else if (order.do === 'accept') {
    reportAccepted()
  } else {
    report({ isReady: true })
  }
})

/** Once for each order: then it is fulfilled. */
function reportAccepted(): void {
  if (task.do !== 'accept' || accepted < task.connections) return
  task = { do: 'drop' }
  report({ isReady: true })
}

function take(link: Link, payload: Uint8Array): void {
  if (task.do === 'echo') {
    link.send(payload)
    return
  }
  if (task.do === 'answer') {
    // A copy: the message is given back when this returns, and the answer may have to wait.
    if (isUrgent(payload)) link.sendUrgent?.(payload.slice())
    return
  }
  if (task.do === 'bytes') {
    received.sum = streamSum(received.sum, received.bytes, payload)
    received.messages += 1
    received.bytes += payload.length
    if (received.bytes >= task.bytes) report({ received })
    return
  }
  if (task.do !== 'count') return
  if (received.messages % task.sumEvery === 0) received.sum = checksum(received.sum, payload)
  received.messages += 1
  received.bytes += payload.length
  if (received.messages === task.messages) report({ received })
}

/** Twice collected: finalizers of the first run free what the second one finds. */
function measureMemory(): void {
  globalThis.gc?.()
  setImmediate(() => {
    globalThis.gc?.()
    const { rss, heapUsed, external } = process.memoryUsage()
    report({ memory: { rss, heap: heapUsed + external } })
  })
}

function report(message: FarReport): void {
  process.send?.(message)
}
