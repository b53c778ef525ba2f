// What listeners and dials must do, with codes for what fails.

import assert from 'node:assert/strict'
import { closedInOrder, codeOf, connect, first, isCoded, type StreamTests } from './pair.ts'
import { StreamRecorder, turns } from './recorder.ts'

export const listenerTests: StreamTests = {
  'a listener that closes lets its streams live and takes no new ones': async (subject) => {
    await using pair = await connect(subject)
    const { client, server, listener } = pair
    await listener.close()
    await listener.close()
    await assert.rejects(subject.transport.dial(first(listener)), isCoded)
    client.stream.write(Uint8Array.of(1))
    server.stream.write(Uint8Array.of(2))
    await client.until('a byte', () => client.byteCount === 1)
    await server.until('a byte', () => server.byteCount === 1)
  },

  'an address has one listener at a time, and is free again after it': async (subject) => {
    const { transport } = subject
    const listener = await transport.listen(subject.address(), () => {})
    const address = first(listener)
    await assert.rejects(
      transport.listen(address, () => {}),
      isCoded,
    )
    await listener.close()
    await using again = await transport.listen(address, () => {})
    assert.equal(first(again), address)
    await listener.close()
    await assert.rejects(
      transport.listen(address, () => {}),
      isCoded,
      'a late close of the first listener does not close the second',
    )
  },

  'a transport handles the addresses of its listeners, with a peer id too': async (subject) => {
    const { transport } = subject
    await using listener = await transport.listen(subject.address(), (stream) => {
      new StreamRecorder(stream).stream.end()
    })
    for (const address of listener.addresses) assert.ok(transport.handles(address), address)
    const peer = '/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA'
    assert.ok(transport.handles(first(listener) + peer))
    const client = new StreamRecorder(await transport.dial(first(listener) + peer))
    client.stream.end()
    await closedInOrder(client)
    for (const foreign of ['', 'nonsense', '/', '/dns4/example.org', '/udp/1'])
      assert.equal(transport.handles(foreign), false, foreign)
  },
}

export const dialTests: StreamTests = {
  'a dial that nobody answers fails with a code': async (subject) => {
    const { transport } = subject
    const listener = await transport.listen(subject.address(), () => {})
    await listener.close()
    await assert.rejects(transport.dial(first(listener)), isCoded)
  },

  'dial and listen reject what is no address, and do not throw': async (subject) => {
    for (const address of ['', 'localhost:80', '/ip4/1.2.3.4', '/nonsense/x']) {
      await assert.rejects(subject.transport.dial(address), isCoded)
      await assert.rejects(
        subject.transport.listen(address, () => {}),
        isCoded,
      )
    }
  },

  'a signal aborts a dial before and while it runs, and not afterwards': async (subject) => {
    const { transport } = subject
    const servers: StreamRecorder[] = []
    await using listener = await transport.listen(subject.address(), (stream) => {
      servers.push(new StreamRecorder(stream))
    })
    const address = first(listener)
    const isAborted = (error: unknown) => codeOf(error) === 'TRANSPORT_ABORTED'
    await assert.rejects(transport.dial(address, { signal: AbortSignal.abort() }), isAborted)
    const during = new AbortController()
    const dialling = transport.dial(address, { signal: during.signal })
    during.abort()
    await assert.rejects(dialling, isAborted)
    const after = new AbortController()
    const client = new StreamRecorder(await transport.dial(address, { signal: after.signal }))
    after.abort()
    await turns(20)
    assert.equal(client.isClosed, false)
    client.stream.destroy()
    await client.until('closed', () => client.isClosed)
    for (const { stream } of servers) stream.destroy()
  },
}
