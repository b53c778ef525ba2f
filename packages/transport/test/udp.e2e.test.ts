// UDP over the loopback interface: the compliance suite, families, bounds and multicast groups.

import assert from 'node:assert/strict'
import { networkInterfaces } from 'node:os'
import { type TestContext, test } from 'node:test'
import { withDeadline } from '@myelin/base'
import { systemClock } from '@myelin/base/system'
import { datagramTransportCompliance, verifies } from '@myelin/testkit'
import { type DatagramSocket, TransportError, type UdpSocket, udp } from '@myelin/transport'

verifies('R051')

const anyPort = '/ip4/127.0.0.1/udp/0'

for (const [name, address, options] of [
  ['udp over ip4', anyPort, {}],
  ['udp over ip6', '/ip6/::1/udp/0', {}],
  ['udp with large datagrams', anyPort, { datagramBytesMax: 65_507 }],
] as const)
  datagramTransportCompliance(
    async () => ({ transport: udp(options), address: () => address, dispose: async () => {} }),
    { test, name },
  )

/** Collects what a socket receives; `until` waits for a condition on it. */
function inbox(socket: DatagramSocket) {
  const received: { text: string; from: string }[] = []
  let wake = () => {}
  socket.attach({
    message: (bytes, from) => {
      received.push({ text: Buffer.from(bytes).toString(), from })
      wake()
    },
    closed: () => {},
  })
  const until = async (what: string, condition: () => boolean) => {
    while (!condition()) {
      const news = new Promise<void>((resolve) => {
        wake = resolve
      })
      await withDeadline(news, { clock: systemClock, timeoutMs: 10_000, what })
    }
  }
  return { received, until }
}

/** Also when the test fails: an open socket would keep its process. */
function closeAfter(t: TestContext, ...sockets: readonly DatagramSocket[]): void {
  t.after(async () => {
    await Promise.all(sockets.map((socket) => socket.close()))
  })
}

const bytesOf = (text: string) => new TextEncoder().encode(text)

test('udp: a datagram has at most 1,200 bytes unless the options say otherwise', async (t) => {
  const small = await udp().bind(anyPort)
  const large = await udp({ datagramBytesMax: 65_507 }).bind(anyPort)
  closeAfter(t, small, large)
  assert.equal(small.datagramBytesMax, 1_200)
  assert.equal(small.send(new Uint8Array(1_201), large.localAddress), false)
  assert.equal(small.counts.tooLarge, 1)
  assert.equal(large.datagramBytesMax, 65_507)
  for (const datagramBytesMax of [0, 65_508, 1.5])
    assert.throws(() => udp({ datagramBytesMax }), { code: 'TRANSPORT_OPTION' })
})

test('udp: what leads nowhere is dropped and counted, and the socket works on', async (t) => {
  const a = await udp().bind(anyPort)
  const b = await udp().bind(anyPort)
  closeAfter(t, a, b)
  const { received, until } = inbox(b)
  const nowhere = ['', 'nonsense', '/memory/a', '/ip4/127.0.0.1/tcp/1', '/ip6/::1/udp/1', anyPort]
  for (const address of nowhere) assert.equal(a.send(bytesOf('lost'), address), false, address)
  assert.equal(a.counts.unaddressed, nowhere.length)
  // The system forbids to broadcast unasked: an error of the socket that no caller sees.
  assert.equal(a.send(bytesOf('lost'), '/ip4/255.255.255.255/udp/9'), true)
  assert.equal(a.send(bytesOf('kept'), b.localAddress), true)
  await until('the last', () => received.length > 0)
  assert.deepEqual(received, [{ text: 'kept', from: a.localAddress }])
  assert.equal(a.counts.errors, 1)
})

test('udp: an address that is none, or is no address of this machine, is refused with its mend', async () => {
  const transport = udp()
  await assert.rejects(transport.bind('/ip4/127.0.0.1/tcp/0'), { code: 'TRANSPORT_ADDRESS' })
  await assert.rejects(transport.bind('/ip4/198.51.100.1/udp/0'), { code: 'TRANSPORT_UNREACHABLE' })
  assert.equal(transport.handles('/ip4/192.0.2.1/udp/1'), true)
  assert.equal(transport.handles('/dns4/agent.example/udp/1'), false)
})

test('udp: buffers of the system are as large as the options ask', async (t) => {
  const options = { receiveBufferBytes: 16_384, sendBufferBytes: 16_384 }
  const a = await udp(options).bind(anyPort)
  const b = await udp().bind(anyPort)
  closeAfter(t, a, b)
  const [small, large] = [inbox(a), inbox(b)]
  // Sent in one turn, so that only the system's buffer holds them.
  const burst = 400
  for (let i = 0; i < burst; i += 1) {
    b.send(new Uint8Array(1_000), a.localAddress)
    a.send(new Uint8Array(1_000), b.localAddress)
  }
  await large.until('some', () => large.received.length > 20)
  assert.ok(small.received.length < large.received.length)
  for (const receiveBufferBytes of [4_095, 2 ** 30])
    assert.throws(() => udp({ receiveBufferBytes }), { code: 'TRANSPORT_OPTION' })
})

/** An address of an interface that leads outside, and its name. */
function outward(wanted: 'IPv4' | 'IPv6') {
  for (const [name, addresses] of Object.entries(networkInterfaces()))
    for (const { family, internal, address } of addresses ?? [])
      if (family === wanted && !internal && !address.startsWith('fe80')) return { name, address }
  return undefined
}

/** Binds members of one group; a refusal where the system has no multicast. Nothing leaves the machine. */
async function joinAll(group: string, count: number, onInterface: string) {
  const transport = udp({ multicast: { interface: onInterface, ttl: 0 } })
  const members: UdpSocket[] = []
  try {
    members.push(await transport.bind(group))
    const address = members[0]?.localAddress ?? ''
    while (members.length < count) members.push(await transport.bind(address))
    return { transport, members, address }
  } catch (error) {
    if (!(error instanceof TransportError)) throw error
    return { refusal: error.message }
  }
}

const outward6 = outward('IPv6')
for (const [group, other, onInterface, unicast] of [
  ['/ip4/239.77.1.2/udp/0', '/ip4/239.77.1.3', '127.0.0.1', anyPort],
  [
    '/ip6/ff12::7701/udp/0',
    '/ip6/ff12::7702',
    // The loopback interface of Linux takes no multicast over IPv6.
    outward6 === undefined ? undefined : `::%${outward6.name}`,
    `/ip6/${outward6?.address}/udp/0`,
  ],
] as const)
  test(`udp: one datagram to ${group} reaches every member and nobody else`, async (t) => {
    if (onInterface === undefined) return t.skip('no interface with IPv6 but loopback here')
    const joined = await joinAll(group, 3, onInterface)
    if (joined.members === undefined) return t.skip(`no multicast here: ${joined.refusal}`)
    const { transport, members, address } = joined
    const port = address.slice(address.lastIndexOf('/'))
    const stranger = await transport.bind(`${other}/udp${port}`)
    const outsider = await transport.bind(unicast)
    closeAfter(t, ...members, stranger, outsider)
    const boxes = members.map(inbox)
    const strangerBox = inbox(stranger)
    const outsiderBox = inbox(outsider)
    // From a member, who hears itself, and from outside the group.
    assert.equal(members[0]?.send(bytesOf('one'), address), true)
    assert.equal(outsider.send(bytesOf('two'), address), true)
    for (const box of boxes) await box.until('both', () => box.received.length === 2)
    for (const { received } of boxes)
      assert.deepEqual(received.map(({ text }) => text).sort(), ['one', 'two'])
    // The source is an address to answer to.
    const from = boxes[1]?.received.find(({ text }) => text === 'two')?.from ?? ''
    assert.equal(from, outsider.localAddress)
    assert.equal(members[1]?.send(bytesOf('answer'), from), true)
    await outsiderBox.until('the answer', () => outsiderBox.received.length === 1)
    // What was sent to the stranger's own group comes after all that was not meant for it.
    outsider.send(bytesOf('yours'), stranger.localAddress)
    await strangerBox.until('its own', () => strangerBox.received.length > 0)
    assert.deepEqual(
      strangerBox.received.map(({ text }) => text),
      ['yours'],
    )
  })

test('udp: a member that left hears nothing more', async (t) => {
  const joined = await joinAll('/ip4/239.77.1.4/udp/0', 2, '127.0.0.1')
  if (joined.members === undefined) return t.skip(`no multicast here: ${joined.refusal}`)
  const { members, address } = joined
  closeAfter(t, ...members)
  const [first, second] = members.map(inbox)
  await members[1]?.close()
  members[0]?.send(bytesOf('one'), address)
  await first?.until('it', () => first.received.length === 1)
  assert.deepEqual(second?.received, [])
})

test('udp: without loopback nobody on this machine hears a group datagram', async (t) => {
  // The loopback interface hands back whatever it is given, so this takes one that leads outside.
  const onInterface = outward('IPv4')?.address
  if (onInterface === undefined) return t.skip('no interface but loopback here')
  const joined = await joinAll('/ip4/239.77.1.5/udp/0', 1, onInterface)
  if (joined.members === undefined) return t.skip(`no multicast here: ${joined.refusal}`)
  const { members, address, transport } = joined
  const here = `/ip4/${onInterface}/udp/0`
  const quiet = udp({ multicast: { interface: onInterface, ttl: 0, loopback: false } })
  const [silent, loud] = [await quiet.bind(here), await transport.bind(here)]
  closeAfter(t, ...members, silent, loud)
  const [box] = members.map(inbox)
  silent.send(bytesOf('unheard'), address)
  loud.send(bytesOf('heard'), address)
  await box?.until('the second', () => box.received.length > 0)
  assert.deepEqual(
    box?.received.map(({ text }) => text),
    ['heard'],
  )
})

test('udp: options of multicast are checked, and an interface that is not there is refused', async () => {
  for (const multicast of [{ ttl: -1 }, { ttl: 256 }, { interface: '' }])
    assert.throws(() => udp({ multicast }), { code: 'TRANSPORT_OPTION' })
  const elsewhere = udp({ multicast: { interface: '198.51.100.1' } })
  await assert.rejects(elsewhere.bind('/ip4/239.77.1.6/udp/0'), { code: 'TRANSPORT_UNREACHABLE' })
})
