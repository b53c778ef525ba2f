import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { type ByteStream, tcp } from '@myelin/transport'

interface Ends {
  readonly near: ByteStream
  readonly far: ByteStream
  readonly drained: EventTarget
}

async function ends(): Promise<Ends> {
  const transport = tcp()
  const { promise, resolve } = Promise.withResolvers<ByteStream>()
  await using listener = await transport.listen('/ip4/127.0.0.1/tcp/0', resolve)
  const near = await transport.dial(listener.addresses[0] as string)
  const drained = new EventTarget()
  near.attach({
    data: () => {},
    drain: () => drained.dispatchEvent(new Event('drain')),
    end: () => {},
    closed: () => {},
  })
  return { near, far: await promise, drained }
}

test('bytes count as handed over only when the system has taken them all', async () => {
  const { near, far, drained } = await ends()
  near.write(new Uint8Array(10))
  assert.equal(near.isHandedOver, true)
  // Nobody reads: from some point on the system takes no more.
  while (near.write(new Uint8Array(65_536))) {}
  assert.equal(near.isHandedOver, false)
  const drain = once(drained, 'drain')
  far.attach({ data: () => {}, drain: () => {}, end: () => {}, closed: () => {} })
  await drain
  assert.equal(near.isHandedOver, true)
  near.destroy()
  far.destroy()
})

test('bytes that are corked, or dropped by a destroy, are not handed over', async () => {
  const { near, far } = await ends()
  near.cork()
  near.write(new Uint8Array(10))
  assert.equal(near.isHandedOver, false)
  near.uncork()
  assert.equal(near.isHandedOver, true)
  near.destroy()
  assert.equal(near.isHandedOver, false)
  far.destroy()
})
