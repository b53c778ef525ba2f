// A transport as somebody outside of Myelin would write it: it imports the port's types and the error class, and proves
// itself with the public suite. And one that is of use, between two processes.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { duplexPair } from 'node:stream'
import { test } from 'node:test'
import { systemRandom } from '@myelin/base/system'
import { createAgent, openHome } from '@myelin/node'
import { streamTransportCompliance, verifies } from '@myelin/testkit'
import {
  type ByteStream,
  memoryName,
  type StreamTransport,
  TransportError,
} from '@myelin/transport'
import { command, commandAddress } from './command.ts'
import { DuplexStream } from './duplex-stream.ts'

verifies('R011', 'R051')

/** Both ends in this process. */
function joined(from: string, to: string): [DuplexStream, DuplexStream] {
  const [left, right] = duplexPair({ allowHalfOpen: true, highWaterMark: 65_536 })
  const transport = 'pair'
  const near = new DuplexStream(left, { transport, localAddress: from, remoteAddress: to })
  const far = new DuplexStream(right, { transport, localAddress: to, remoteAddress: from })
  near.onDestroy = () => far.reset()
  far.onDestroy = () => near.reset()
  return [near, far]
}

function pairs(): StreamTransport {
  const doors = new Map<string, (stream: ByteStream) => void>()
  const nameOf = (address: string) => {
    const name = memoryName(address)
    if (!name.ok) throw fault('TRANSPORT_ADDRESS', `${address}: ${name.fault}`)
    return name.value
  }
  return {
    kind: 'stream',
    name: 'pair',
    handles: (address) => memoryName(address).ok,
    dial: async (address, { signal } = {}) => {
      const name = nameOf(address)
      await new Promise((resolve) => setImmediate(resolve))
      if (signal?.aborted) throw fault('TRANSPORT_ABORTED', 'the signal aborted the dial')
      const door = doors.get(name)
      if (door === undefined) throw fault('TRANSPORT_REFUSED', `nobody listens on ${address}`)
      const [client, server] = joined('/memory/caller', `/memory/${name}`)
      door(server)
      return client
    },
    listen: async (address, onStream) => {
      const name = nameOf(address)
      if (doors.has(name)) throw fault('TRANSPORT_IN_USE', `${address} has a listener`)
      const door = (stream: ByteStream) => onStream(stream)
      doors.set(name, door)
      const close = async () => {
        if (doors.get(name) === door) doors.delete(name)
      }
      return { addresses: [`/memory/${name}`], close, [Symbol.asyncDispose]: close }
    },
  }
}

function fault(code: ConstructorParameters<typeof TransportError>[0], message: string) {
  return new TransportError(code, message)
}

streamTransportCompliance(
  async () => ({ transport: pairs(), address: () => '/memory/door', dispose: async () => {} }),
  { test, name: 'a third-party transport' },
)

test('two agents talk over the standard streams of a process that one of them started', async (t) => {
  const home = mkdtempSync(join(tmpdir(), 'myelin-command-'))
  t.after(() => rmSync(home, { recursive: true }))
  const remote = (await openHome({ path: home, random: systemRandom })).keys.agent
  await using agent = await createAgent({
    transports: [command()],
    trust: [{ agent: remote }],
  })
  const program = join(import.meta.dirname, 'remote-agent.ts')
  const words = [process.execPath, '--conditions=@myelin/source', program, home, agent.id]
  agent.learn({ agent: remote, addresses: [commandAddress(words)] })
  const answer = await agent.request(remote, 'data', Uint8Array.of(20, 20, 2))
  assert.deepEqual(answer.payload, Uint8Array.of(42))
  assert.equal(agent.peers()[0]?.transport, 'command')
  const many = await agent.request(remote, 'data', new Uint8Array(200_000))
  assert.deepEqual(many.payload, Uint8Array.of(0))
})

test('an address that starts nothing is refused with its reason', async () => {
  const transport = command()
  await assert.rejects(async () => transport.dial('/command/e30'), { code: 'TRANSPORT_ADDRESS' })
  const nowhere = commandAddress(['/nowhere/to/be/found'])
  await assert.rejects(async () => transport.dial(nowhere), { code: 'TRANSPORT_REFUSED' })
})
