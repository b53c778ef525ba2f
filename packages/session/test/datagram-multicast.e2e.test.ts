// Sealed datagrams over real UDP: one packet, sealed once, for a whole group; and a pair under loss and replay.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { withDeadline } from '@myelin/base'
import { systemClock } from '@myelin/base/system'
import {
  DatagramBatch,
  type DatagramFault,
  DatagramOpener,
  DatagramSealer,
  readDatagramMessages,
} from '@myelin/session'
import { verifies } from '@myelin/testkit'
import { type DatagramSocket, TransportError, udp } from '@myelin/transport'

verifies('R016', 'R001')

const suite = 'chacha20-poly1305'
const marker = 'MYELIN-PLAINTEXT-MARKER'
const bytesOf = (text: string) => new TextEncoder().encode(text)

/** Opens what a socket receives, and keeps what was on the wire. */
class Receiver {
  readonly wire: Buffer[] = []
  readonly messages: string[] = []
  readonly senders = new Set<number | undefined>()
  readonly faults: DatagramFault[] = []
  readonly opener: DatagramOpener
  #wake = () => {}

  constructor(socket: DatagramSocket, opener: DatagramOpener) {
    this.opener = opener
    socket.attach({
      message: (datagram) => {
        this.wire.push(Buffer.from(datagram))
        const opened = opener.open(datagram)
        if (opened.ok) {
          const read = readDatagramMessages(opened.value.plaintext)
          assert.ok(read.ok)
          this.senders.add(opened.value.sender)
          for (const message of read.value) this.messages.push(Buffer.from(message).toString())
        } else this.faults.push(opened.fault)
        this.#wake()
      },
      closed: () => {},
    })
  }

  async until(what: string, datagrams: number): Promise<void> {
    while (this.wire.length < datagrams) {
      const news = new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      await withDeadline(news, { clock: systemClock, timeoutMs: 10_000, what })
    }
  }
}

function closeAfter(t: TestContext, ...sockets: readonly DatagramSocket[]): void {
  t.after(async () => {
    await Promise.all(sockets.map((socket) => socket.close()))
  })
}

/** `count` members of one multicast group on the loopback interface, and a socket outside of it. */
async function bindGroup(t: TestContext, count: number) {
  const transport = udp({ multicast: { interface: '127.0.0.1', ttl: 0 } })
  try {
    const first = await transport.bind('/ip4/239.77.2.1/udp/0')
    closeAfter(t, first)
    const members = [first]
    while (members.length < count) members.push(await transport.bind(first.localAddress))
    const outside = await transport.bind('/ip4/127.0.0.1/udp/0')
    closeAfter(t, ...members, outside)
    return { members, outside, group: first.localAddress }
  } catch (error) {
    if (!(error instanceof TransportError)) throw error
    t.skip(`no multicast here: ${error.message}`)
    return undefined
  }
}

test('many messages, sealed once, reach all of a group; strangers and replays reach nobody', async (t) => {
  const bound = await bindGroup(t, 3)
  if (bound === undefined) return
  const { members, outside, group } = bound
  const secret = Uint8Array.from(randomBytes(32))
  const receivers = members.map(
    (socket) => new Receiver(socket, new DatagramOpener(suite, secret.slice(), { isGroup: true })),
  )
  const [alice, bob] = [1, 2].map(
    (sender) => new DatagramSealer(suite, secret.slice(), { sender }),
  ) as [DatagramSealer, DatagramSealer]

  const batch = new DatagramBatch(outside.datagramBytesMax - alice.datagramOverheadBytes)
  const texts = Array.from({ length: 40 }, (_, i) => `${marker} ${i}`)
  for (const text of texts) assert.equal(batch.add(bytesOf(text)), true)
  const fromAlice = alice.seal(batch.take())
  assert.ok(batch.add(bytesOf('from a member')))
  const fromBob = bob.seal(batch.take())
  alice.update()
  assert.ok(batch.add(bytesOf('under the next key')))
  const updated = alice.seal(batch.take())
  const forger = new DatagramSealer(suite, Uint8Array.from(randomBytes(32)), { sender: 9 })

  assert.ok(outside.send(fromAlice.slice(), group))
  assert.ok(outside.send(fromAlice.slice(), group))
  assert.ok(members[1]?.send(fromBob, group))
  assert.ok(outside.send(forger.seal(bytesOf('lies')), group))
  assert.ok(outside.send(bytesOf('nonsense'), group))
  assert.ok(outside.send(updated, group))
  for (const receiver of receivers) {
    await receiver.until('six datagrams', 6)
    assert.deepEqual(
      receiver.messages.toSorted(),
      [...texts, 'from a member', 'under the next key'].toSorted(),
    )
    assert.deepEqual(receiver.faults.toSorted(), [
      'datagram_forged',
      'datagram_length',
      'datagram_replayed',
    ])
    assert.deepEqual([...receiver.senders].sort(), [1, 2])
    assert.equal(receiver.opener.epoch, 1)
    for (const datagram of receiver.wire) assert.equal(datagram.includes(marker), false)
  }
})

test('over a lossy path each message arrives at most once, and later ones do not wait', async (t) => {
  const transport = udp()
  const [from, to] = [
    await transport.bind('/ip4/127.0.0.1/udp/0'),
    await transport.bind('/ip4/127.0.0.1/udp/0'),
  ]
  closeAfter(t, from, to)
  const secret = Uint8Array.from(randomBytes(32))
  const sealer = new DatagramSealer(suite, secret.slice())
  const receiver = new Receiver(to, new DatagramOpener(suite, secret.slice()))
  const batch = new DatagramBatch(1_000)
  const expected: string[] = []
  let sent = 0
  for (let i = 0; i < 300; i += 1) {
    batch.add(bytesOf(`${marker} ${i}`))
    const datagram = sealer.seal(batch.take())
    // Every third is lost, every fifth of the others comes twice.
    if (i % 3 === 0) continue
    expected.push(`${marker} ${i}`)
    for (let copies = i % 5 === 0 ? 2 : 1; copies > 0; copies -= 1) {
      from.send(datagram.slice(), to.localAddress)
      sent += 1
      await receiver.until('it', sent)
    }
  }
  assert.deepEqual(receiver.messages, expected)
  assert.equal(receiver.faults.length, sent - expected.length)
  assert.ok(receiver.faults.every((fault) => fault === 'datagram_replayed'))
  for (const datagram of receiver.wire) assert.equal(datagram.includes(marker), false)
})
