import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ByteStream, ipc, MemoryNetwork, memory, tcp, transports } from '@myelin/transport'

const isCode = (code: string) => (error: unknown) => (error as { code?: unknown }).code === code

test('the first transport that handles an address dials it and listens on it', async () => {
  const [left, right] = [new MemoryNetwork(), new MemoryNetwork()]
  const both = transports([tcp(), memory({ network: left }), memory({ network: right })])
  const arrived: ByteStream[] = []
  await using listener = await both.listen('/memory/a', (stream) => void arrived.push(stream))
  const stream = await both.dial(listener.addresses[0] ?? '')
  assert.equal(stream.transport, 'memory')
  assert.equal(arrived.length, 1)
  await assert.rejects(memory({ network: right }).dial('/memory/a'), isCode('TRANSPORT_REFUSED'))
})

test('it handles what one of its transports handles', () => {
  const both = transports([tcp(), memory()])
  assert.equal(both.handles('/memory/a'), true)
  assert.equal(both.handles('/ip4/127.0.0.1/tcp/1'), true)
  assert.equal(both.handles('/unix/%2Ftmp%2Fa'), false)
  assert.equal(transports([both, ipc()]).handles('/unix/%2Ftmp%2Fa'), true)
})

test('an address that no transport handles is refused with the mend', async () => {
  const only = transports([memory()])
  await assert.rejects(only.dial('/ip4/127.0.0.1/tcp/1'), {
    code: 'TRANSPORT_ADDRESS',
    message: /no transport here handles .*there is: memory/,
  })
  await assert.rejects(
    only.listen('localhost', () => {}),
    { code: 'TRANSPORT_ADDRESS', message: /does not start with "\/"/ },
  )
})
