// Sealed datagrams: against an independent computation, and against what a network and its strangers do.

import assert from 'node:assert/strict'
import { createCipheriv, createHmac, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { type DatagramFault, DatagramOpener, DatagramSealer, SessionError } from '@myelin/session'
import { verifies } from '@myelin/testkit'
import type { PlainSuite } from '../src/negotiation.ts'

verifies('R016', 'R001')

const suites: readonly PlainSuite[] = ['chacha20-poly1305', 'aes-256-gcm']
const suite = 'aes-256-gcm'
const bytesOf = (text: string) => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString()
const secretOf = () => Uint8Array.from(randomBytes(32))

/** RFC 5869 §2.3, one block. */
function expand(secret: Uint8Array, info: Uint8Array | string, length: number): Buffer {
  const mac = createHmac('sha256', secret).update(info).update(Uint8Array.of(1)).digest()
  return mac.subarray(0, length)
}

interface Fields {
  readonly suite: PlainSuite
  readonly secret: Uint8Array
  readonly sender?: number
  readonly epoch: number
  readonly counter: number
}

/** The datagram as docs/protocol.md §12 has it, from the primitives of Node alone. */
function expected({ suite, secret, sender, epoch, counter }: Fields, plaintext: string): Buffer {
  let current: Uint8Array = secret
  for (let i = 0; i < epoch; i += 1) current = expand(current, 'myelin key update', 32)
  const number = suite === 'aes-256-gcm' ? 2 : 1
  const from = Buffer.alloc(sender === undefined ? 0 : 4)
  if (sender !== undefined) from.writeUInt32BE(sender)
  const info = Buffer.concat([Buffer.from('myelin datagram'), Buffer.of(number), from])
  const base = expand(current, info, 32)
  const nonce = expand(base, 'myelin iv', 12)
  const count = Buffer.alloc(12)
  count.writeBigUInt64BE(BigInt(counter), 4)
  const header = Buffer.concat([
    Buffer.of(sender === undefined ? 0x11 : 0x12, epoch & 255),
    from,
    count.subarray(4),
  ])
  for (let i = 0; i < 12; i += 1) nonce[i] = (nonce[i] as number) ^ (count[i] as number)
  const cipher = createCipheriv(suite as 'aes-256-gcm', expand(base, 'myelin key', 32), nonce, {
    authTagLength: 16,
  })
  cipher.setAAD(header)
  return Buffer.concat([header, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

function pairOf() {
  const secret = secretOf()
  const sealer = new DatagramSealer(suite, secret.slice())
  return { secret, sealer, opener: new DatagramOpener(suite, secret.slice()) }
}

function faultOf(opener: DatagramOpener, datagram: Uint8Array): DatagramFault | undefined {
  const opened = opener.open(datagram)
  return opened.ok ? undefined : opened.fault
}

for (const suite of suites)
  test(`${suite}: datagrams are as the protocol has them, in a pair and in a group, over epochs`, () => {
    for (const sender of [undefined, 0, 0xfedc_ba98]) {
      const secret = secretOf()
      const named = sender === undefined ? {} : { sender }
      const sealer = new DatagramSealer(suite, secret.slice(), named)
      const isGroup = sender !== undefined
      const opener = new DatagramOpener(suite, secret.slice(), { isGroup })
      assert.equal(sealer.datagramOverheadBytes, isGroup ? 30 : 26)
      for (const epoch of [0, 1, 2]) {
        for (let counter = 0; counter < 258; counter += 1) {
          const datagram = sealer.seal(bytesOf(`m${counter}`))
          const fields = { suite, secret, ...named, epoch, counter }
          assert.deepEqual(Buffer.from(datagram), expected(fields, `m${counter}`))
          const opened = opener.open(datagram)
          assert.ok(opened.ok)
          const { plaintext, ...rest } = opened.value
          assert.equal(textOf(plaintext), `m${counter}`)
          assert.deepEqual(rest, { ...named, epoch, counter })
        }
        sealer.update()
      }
    }
  })

test('loss and reordering harm nothing, and a doubled datagram is opened once', () => {
  const { sealer, opener } = pairOf()
  const sent = Array.from({ length: 600 }, (_, i) => sealer.seal(bytesOf(`${i}`)))
  // 600 and 7 have no factor in common: every datagram comes once, none after its neighbour.
  const arriving = sent.map((_, i) => (i * 7) % 600).filter((i) => i % 5 !== 0)
  for (const i of arriving) {
    const datagram = sent[i] ?? assert.fail()
    const opened = opener.open(datagram)
    assert.ok(opened.ok)
    assert.equal(textOf(opened.value.plaintext), `${i}`)
    assert.equal(faultOf(opener, datagram), 'datagram_replayed')
  }
  assert.equal(arriving.length, 480)
})

test('what is older than the window is refused, though it was never seen', () => {
  const { sealer, opener } = pairOf()
  const sent = Array.from({ length: 1_025 }, () => sealer.seal(bytesOf('x')))
  assert.equal(faultOf(opener, sent[1_024] ?? assert.fail()), undefined)
  assert.equal(faultOf(opener, sent[0] ?? assert.fail()), 'datagram_late')
  assert.equal(faultOf(opener, sent[1] ?? assert.fail()), undefined)
})

test('a datagram with any bit changed, cut or lengthened is refused, and does not move the window', () => {
  for (const isGroup of [false, true]) {
    const secret = secretOf()
    const sealer = new DatagramSealer(suite, secret.slice(), isGroup ? { sender: 7 } : {})
    const opener = new DatagramOpener(suite, secret.slice(), { isGroup })
    const datagram = sealer.seal(bytesOf('payload'))
    for (let bit = 0; bit < datagram.length * 8; bit += 1) {
      const changed = datagram.slice()
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      assert.equal(opener.open(changed).ok, false, `bit ${bit}`)
    }
    for (let length = 0; length < datagram.length; length += 1)
      assert.equal(opener.open(datagram.slice(0, length)).ok, false, `${length} bytes`)
    assert.equal(faultOf(opener, Buffer.concat([datagram, Buffer.of(0)])), 'datagram_forged')
    assert.equal(opener.epoch, 0)
    assert.equal(faultOf(opener, datagram), undefined)
    assert.equal(faultOf(opener, datagram), 'datagram_replayed')
  }
})

test('forgeries far ahead, of counter or epoch, leave the honest sender where it was', () => {
  const { sealer, opener } = pairOf()
  for (let i = 0; i < 3; i += 1) assert.equal(faultOf(opener, sealer.seal(bytesOf('x'))), undefined)
  const delayed = sealer.seal(bytesOf('y'))
  for (const epoch of [0, 1, 2, 8]) {
    const forged = Buffer.from(delayed)
    forged[1] = epoch
    forged.writeBigUInt64BE(2n ** 52n, 2)
    assert.equal(faultOf(opener, forged), 'datagram_forged', `epoch ${epoch}`)
  }
  const tooHigh = Buffer.from(delayed)
  tooHigh.writeBigUInt64BE(2n ** 53n, 2)
  assert.equal(faultOf(opener, tooHigh), 'datagram_counter')
  for (const epoch of [9, 128, 254, 255]) {
    const forged = Buffer.from(delayed)
    forged[1] = epoch
    assert.equal(faultOf(opener, forged), 'datagram_epoch', `epoch ${epoch}`)
  }
  assert.equal(opener.epoch, 0)
  assert.equal(faultOf(opener, delayed), undefined)
})

test('each fault of form has its name', () => {
  const secret = secretOf()
  const pair = new DatagramOpener(suite, secret.slice())
  const group = new DatagramOpener(suite, secret.slice(), { isGroup: true })
  const fromPair = new DatagramSealer(suite, secret.slice()).seal(bytesOf('hello'))
  const fromGroup = new DatagramSealer(suite, secret.slice(), { sender: 0 }).seal(bytesOf('hello'))
  assert.equal(faultOf(pair, new Uint8Array(0)), 'datagram_length')
  assert.equal(faultOf(pair, fromPair.subarray(0, 25)), 'datagram_length')
  assert.equal(faultOf(group, fromGroup.subarray(0, 29)), 'datagram_length')
  assert.equal(faultOf(pair, new Uint8Array(65_508).fill(0x11)), 'datagram_length')
  assert.equal(faultOf(pair, fromGroup), 'datagram_kind')
  assert.equal(faultOf(group, fromPair), 'datagram_kind')
  // The kinds do not share keys either: a changed first byte makes neither of them the other.
  const disguised = Uint8Array.from([0x11, 0, ...fromGroup.subarray(6)])
  assert.equal(faultOf(pair, disguised), 'datagram_forged')
  const otherSuite = new DatagramOpener('chacha20-poly1305', secret.slice())
  assert.equal(faultOf(otherSuite, fromPair), 'datagram_forged')
})

test('a receiver follows key updates, also over missed ones, and opens stragglers of one epoch back', () => {
  const { sealer, opener } = pairOf()
  const sent: Uint8Array[][] = []
  for (let epoch = 0; epoch < 12; epoch += 1) {
    sent.push([sealer.seal(bytesOf(`a${epoch}`)), sealer.seal(bytesOf(`b${epoch}`))])
    sealer.update()
  }
  const judge = (epoch: number, which: number) =>
    faultOf(opener, sent[epoch]?.[which] ?? assert.fail())
  assert.equal(judge(0, 0), undefined)
  assert.equal(judge(9, 0), 'datagram_epoch')
  assert.equal(judge(1, 0), undefined)
  assert.equal(opener.epoch, 1)
  assert.equal(judge(0, 1), undefined)
  assert.equal(judge(0, 0), 'datagram_replayed')
  assert.equal(judge(9, 0), undefined)
  assert.equal(opener.epoch, 9)
  assert.equal(judge(1, 1), 'datagram_epoch')
  assert.equal(judge(8, 1), undefined)
  opener.update()
  assert.equal(judge(10, 0), undefined)
  assert.equal(judge(9, 1), undefined)
  assert.equal(judge(8, 0), 'datagram_epoch')
  assert.equal(opener.epoch, 10)
})

test('a sealer updates its key by itself when the key has sealed what it may, and is followed', () => {
  const secret = secretOf()
  const sealer = new DatagramSealer(suite, secret.slice(), { datagramsPerKey: 3 })
  const opener = new DatagramOpener(suite, secret.slice())
  const seen = Array.from({ length: 8 }, () => {
    const opened = opener.open(sealer.seal(bytesOf('x')))
    return opened.ok ? [opened.value.epoch, opened.value.counter] : opened.fault
  })
  assert.deepEqual(seen, [
    [0, 0],
    [0, 1],
    [0, 2],
    [1, 0],
    [1, 1],
    [1, 2],
    [2, 0],
    [2, 1],
  ])
})

test('epochs go on past the byte that carries them', () => {
  const { sealer, opener } = pairOf()
  for (let epoch = 0; epoch < 600; epoch += 1) {
    const [now, late] = [sealer.seal(bytesOf('now')), sealer.seal(bytesOf('late'))]
    sealer.update()
    assert.equal(faultOf(opener, now), undefined)
    assert.equal(faultOf(opener, sealer.seal(bytesOf('next'))), undefined)
    assert.equal(faultOf(opener, late), undefined)
    sealer.update()
  }
  assert.equal(opener.epoch, 1_199)
})

test('what was sealed before an update cannot be opened with what is kept after it', () => {
  const { secret, sealer } = pairOf()
  const before = sealer.seal(bytesOf('before'))
  const later = new DatagramOpener(suite, Uint8Array.from(expand(secret, 'myelin key update', 32)))
  // As if its epoch 0 were the one of `before`.
  assert.equal(faultOf(later, before), 'datagram_forged')
})

test('members of a group share a secret and counters, and no key and no nonce', () => {
  const secret = secretOf()
  const members = [0, 1, 2, 0xffff_ffff].map(
    (sender) => new DatagramSealer(suite, secret.slice(), { sender }),
  )
  const opener = new DatagramOpener(suite, secret.slice(), { isGroup: true })
  const streams = new Set<string>()
  for (let counter = 0; counter < 50; counter += 1)
    for (const member of members) {
      // Of zeros the ciphertext is the bare key stream: equal ones would betray a repeated key and nonce.
      const datagram = member.seal(new Uint8Array(32))
      streams.add(Buffer.from(datagram.subarray(14, 46)).toString('hex'))
      assert.equal(faultOf(opener, datagram), undefined)
      assert.equal(faultOf(opener, datagram), 'datagram_replayed')
    }
  assert.equal(streams.size, 200)
})

test('a datagram under the name of another sender is refused, and costs that one nothing', () => {
  const secret = secretOf()
  const alice = new DatagramSealer(suite, secret.slice(), { sender: 1 })
  const bob = new DatagramSealer(suite, secret.slice(), { sender: 2 })
  const opener = new DatagramOpener(suite, secret.slice(), { isGroup: true })
  const renamed = Buffer.from(alice.seal(bytesOf('I am Bob')))
  renamed.writeUInt32BE(2, 2)
  assert.equal(faultOf(opener, renamed), 'datagram_forged')
  const opened = opener.open(bob.seal(bytesOf('Bob')))
  assert.equal(opened.ok && opened.value.sender, 2)
})

test('only senders that were named are heard, where they were named', () => {
  const secret = secretOf()
  const senders = new Set([1, 2])
  const opener = new DatagramOpener(suite, secret.slice(), { isGroup: true, senders })
  const seal = (sender: number) =>
    new DatagramSealer(suite, secret.slice(), { sender }).seal(bytesOf('x'))
  assert.equal(faultOf(opener, seal(1)), undefined)
  assert.equal(faultOf(opener, seal(3)), 'datagram_sender')
  senders.delete(2)
  assert.equal(faultOf(opener, seal(2)), 'datagram_sender')
})

test('a receiver remembers so many senders; strangers take no place, and none is given away', () => {
  const secret = secretOf()
  const opener = new DatagramOpener(suite, secret.slice(), { isGroup: true, sendersMax: 3 })
  const sealers = [10, 11, 12, 13].map(
    (sender) => new DatagramSealer(suite, secret.slice(), { sender }),
  )
  for (let sender = 100; sender < 120; sender += 1) {
    const stranger = new DatagramSealer(suite, secretOf(), { sender })
    assert.equal(faultOf(opener, stranger.seal(bytesOf('x'))), 'datagram_forged')
  }
  const first = sealers.map((sealer) => sealer.seal(bytesOf('x')))
  assert.deepEqual(
    first.map((datagram) => faultOf(opener, datagram)),
    [undefined, undefined, undefined, 'datagram_senders_full'],
  )
  assert.equal(faultOf(opener, first[0] ?? assert.fail()), 'datagram_replayed')
  // With new keys all windows begin anew.
  for (const sealer of sealers) sealer.update()
  assert.equal(faultOf(opener, sealers[3]?.seal(bytesOf('x')) ?? assert.fail()), undefined)
})

test('misuse is named: secret, sender, bounds, a datagram too large, a sealer disposed of', () => {
  const misused = (code: string, body: () => unknown) =>
    assert.throws(body, (error) => error instanceof SessionError && error.code === code)
  misused('SESSION_OPTION', () => new DatagramSealer(suite, new Uint8Array(31)))
  misused('SESSION_OPTION', () => new DatagramOpener(suite, new Uint8Array(33)))
  for (const sender of [-1, 0.5, 2 ** 32])
    misused('SESSION_OPTION', () => new DatagramSealer(suite, secretOf(), { sender }))
  // 2^23: RFC 9001 §6.6.
  for (const datagramsPerKey of [0, 2 ** 23 + 1])
    misused('SESSION_OPTION', () => new DatagramSealer(suite, secretOf(), { datagramsPerKey }))
  for (const sendersMax of [0, 65_537])
    misused('SESSION_OPTION', () => new DatagramOpener(suite, secretOf(), { sendersMax }))
  const { sealer, opener } = pairOf()
  assert.equal(sealer.seal(new Uint8Array(65_481)).length, 65_507)
  misused('SESSION_MESSAGE_TOO_LARGE', () => sealer.seal(new Uint8Array(65_482)))
  const last = sealer.seal(bytesOf('x'))
  sealer[Symbol.dispose]()
  opener[Symbol.dispose]()
  misused('SESSION_CLOSED', () => sealer.seal(bytesOf('x')))
  misused('SESSION_CLOSED', () => sealer.update())
  assert.equal(faultOf(opener, last), 'datagram_closed')
})

test('the secret is wiped with its owner, and by an update', () => {
  const secrets = [secretOf(), secretOf(), secretOf()]
  const [a, b, c] = secrets as [Uint8Array, Uint8Array, Uint8Array]
  new DatagramSealer(suite, a)[Symbol.dispose]()
  new DatagramOpener(suite, b)[Symbol.dispose]()
  new DatagramSealer(suite, c).update()
  for (const secret of secrets) assert.deepEqual(secret, new Uint8Array(32))
})
