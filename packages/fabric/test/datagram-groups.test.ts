// Multicast groups: who gets in, what keys they get, and what is left when somebody goes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FabricError } from '@myelin/fabric'
import { SeededRandom, verifies } from '@myelin/testkit'
import { decodeControl, encodeControl } from '../src/datagrams/control-codec.ts'
import type { Group } from '../src/datagrams/group.ts'
import type { GroupOwner } from '../src/datagrams/group-owner.ts'
import type { GroupOptions } from '../src/datagrams/ports.ts'
import { type Connection, connect, type Party, party, World } from './datagram-world.ts'

verifies('R062')

const address = '/ip4/239.1.2.3/udp/4001'
const bytesOf = (text: string) => new TextEncoder().encode(text)
const textOf = (payload: unknown) => new TextDecoder().decode(payload as Uint8Array)

interface Member {
  readonly party: Party
  readonly connection: Connection
  readonly group: Group
  readonly texts: string[]
}

async function swarm(
  count: number,
  options: Partial<GroupOptions> = {},
  world = new World(),
): Promise<{ world: World; owner: Party; group: GroupOwner; members: Member[]; texts: string[] }> {
  const owner = party(world)
  const group = await owner.datagrams.createGroup({ name: 'prices', address, ...options })
  const texts: string[] = []
  group.handle(({ payload, sender }) => void texts.push(`${sender} ${textOf(payload)}`))
  const members: Member[] = []
  while (members.length < count) members.push(await enter(world, owner))
  return { world, owner, group, members, texts }
}

async function enter(
  world: World,
  owner: Party,
  { self = party(world), roles = ['member'], isListener = false, delayMs = 1 } = {},
): Promise<Member> {
  const connection = connect(world, owner, self, { roles, delayMs })
  const joining = self.datagrams.joinGroup(connection.link(self), 'prices', { isListener })
  joining.catch(() => {})
  await world.clock.advance(20 + 2 * delayMs)
  const group = await joining
  const texts: string[] = []
  group.handle(({ payload, sender }) => void texts.push(`${sender} ${textOf(payload)}`))
  return { party: self, connection, group, texts }
}

const isCode = (code: string) => (error: unknown) =>
  error instanceof FabricError && error.code === code

test('one datagram, sealed once, carries many messages to all members; its copies and its echo reach nobody', async () => {
  const { world, group, members, texts } = await swarm(3)
  const from = world.wire.length
  for (let i = 0; i < 10; i += 1) assert.ok(group.send(bytesOf(`m${i}`)))
  await world.clock.advance(10)
  const sent = world.wire.slice(from)
  assert.equal(sent.length, 1)
  const expected = Array.from({ length: 10 }, (_, i) => `0 m${i}`)
  for (const member of members) assert.deepEqual(member.texts, expected)
  for (const packet of sent) {
    world.inject(packet)
    const changed = packet.bytes.slice()
    // A counter that nobody has used: what is left to find out is that the seal is not its own.
    changed[23] = 99
    world.inject({ ...packet, bytes: changed })
  }
  assert.ok(members[0]?.group.send(bytesOf('from a member')))
  await world.clock.advance(10)
  for (const member of members.slice(1)) {
    assert.deepEqual(member.texts, [...expected, '1 from a member'])
    assert.equal(member.group.stats.replayed, 1)
    assert.equal(member.group.stats.forged, 1)
    assert.equal(member.group.stats.lost, 0)
  }
  assert.deepEqual(texts, ['1 from a member'])
  assert.deepEqual(members[0]?.texts, expected, 'nobody hears itself')
})

test('no number is given twice under one secret, whoever restarts', async () => {
  const given: string[] = []
  const secrets = new Map<string, Set<string>>()
  for (let run = 0; run < 3; run += 1) {
    const { world, owner, group, members } = await swarm(3)
    const again = members[0]?.party ?? assert.fail()
    // A member restarts, comes back, leaves, comes back.
    members[0]?.connection.end()
    members.push(await enter(world, owner, { self: again }))
    members.at(-1)?.group.close()
    await world.clock.advance(50)
    members.push(await enter(world, owner, { self: again }))
    group.rekey()
    await world.clock.advance(5_000)
    members.push(await enter(world, owner))
    for (const { connection } of members)
      for (const said of connection.said) {
        const read = decodeControl(said)
        if (!read.ok || read.value.kind !== 'welcome') continue
        // What was said is a copy that nobody has wiped.
        const secret = Buffer.from(read.value.secret).toString('hex')
        given.push(`${secret} ${read.value.sender}`)
        secrets.set(secret, (secrets.get(secret) ?? new Set()).add(String(run)))
      }
  }
  assert.equal(given.length, 3 * 6)
  assert.equal(new Set(given).size, given.length)
  for (const runs of secrets.values()) assert.equal(runs.size, 1, 'each run has its own')
})

test('who is removed cannot read or say anything from then on', async () => {
  const { world, group, members } = await swarm(3)
  const [removed, ...rest] = members as [Member, Member, Member]
  const old = removed.group
  // The word of its removal does not reach it: it keeps what it has.
  const keep = removed.party.datagrams.message
  removed.party.datagrams.message = () => {}
  assert.equal(group.remove(removed.party.keys.agent), true)
  assert.equal(group.remove(removed.party.keys.agent), false)
  await world.clock.advance(10)
  group.send(bytesOf('secret of the rest'))
  old.send(bytesOf('still here'))
  await world.clock.advance(10)
  assert.deepEqual(removed.texts, [])
  assert.ok(removed.group.stats.forged > 0)
  for (const member of rest) assert.deepEqual(member.texts, ['0 secret of the rest'])
  assert.deepEqual(
    group.members,
    rest.map(({ party: { keys } }) => keys.agent),
  )
  assert.equal(group.generation, 1)
  removed.party.datagrams.message = keep
})

test('who leaves costs one new key for all who leave with it, and no message', async () => {
  const { world, owner, group, members } = await swarm(4)
  // One hears of the new key long after the others.
  members.push(await enter(world, owner, { delayMs: 300 }))
  const [first, second, ...rest] = members as [Member, Member, Member, Member, Member]
  first.group.close()
  second.connection.end()
  assert.equal(await second.group.closed, 'the session has ended')
  let count = 0
  for (let ms = 0; ms < 3_000; ms += 10) {
    group.send(bytesOf(`${count}`))
    rest[0]?.group.send(bytesOf(`${count}`))
    count += 1
    await world.clock.advance(10)
  }
  assert.equal(group.generation, 1)
  assert.equal(group.members.length, 3)
  for (const member of rest) assert.equal(member.group.generation, 1)
  const all = Array.from({ length: count }, (_, i) => `0 ${i}`)
  assert.deepEqual(
    rest[2]?.texts.filter((text) => text.startsWith('0 ')),
    all,
  )
  assert.equal(rest[2]?.texts.length, 2 * count, 'from the member too')
  assert.equal(rest[2]?.group.stats.lost, 0)
})

test('the owner admits by role and by its own word, so many and no more', async () => {
  const world = new World()
  const policy = {
    member: { sends: ['*'], receives: ['*'] },
    reader: { sends: ['echo'], receives: ['data'] },
    stranger: { sends: ['echo'], receives: ['echo'] },
  }
  const owner = party(world, { policy })
  const banned = party(world)
  await owner.datagrams.createGroup({
    name: 'prices',
    address,
    membersMax: 2,
    allow: (agent) => agent !== banned.keys.agent,
  })
  for (const roles of [['stranger'], ['reader'], []])
    await assert.rejects(enter(world, owner, { roles }), isCode('FABRIC_FORBIDDEN'))
  await assert.rejects(enter(world, owner, { self: banned }), isCode('FABRIC_FORBIDDEN'))
  const listener = await enter(world, owner, { roles: ['reader'], isListener: true })
  assert.equal(listener.group.sender, undefined)
  assert.throws(() => listener.group.send(bytesOf('x')), isCode('FABRIC_FORBIDDEN'))
  await enter(world, owner)
  await assert.rejects(enter(world, owner), isCode('FABRIC_RATE_LIMITED'))
  const connection = connect(world, owner, banned)
  const unknown = banned.datagrams.joinGroup(connection.link(banned), 'no-such-group')
  const refused = assert.rejects(unknown, isCode('FABRIC_NO_HANDLER'))
  await world.clock.advance(10)
  await refused
})

test('a key that is replaced while somebody enters reaches it all the same', async () => {
  const { world, owner, group } = await swarm(0)
  const self = party(world)
  const connection = connect(world, owner, self)
  world.bindMs = 50
  const joining = self.datagrams.joinGroup(connection.link(self), 'prices')
  // The welcome is on its way; the new key follows in the same breath.
  await world.clock.advance(1)
  group.rekey()
  await world.clock.advance(5_000)
  const entered = await joining
  assert.equal(entered.generation, group.generation)
  const texts: string[] = []
  entered.handle(({ payload }) => void texts.push(textOf(payload)))
  group.send(bytesOf('hello'))
  await world.clock.advance(10)
  assert.deepEqual(texts, ['hello'])
})

test('an owner cannot lead its members elsewhere or back to an old key', async () => {
  const { world, owner, group, members } = await swarm(1)
  const [member] = members as [Member]
  const welcome = member.connection.said
    .map((said) => decodeControl(said))
    .find((read) => read.ok && read.value.kind === 'welcome')
  assert.ok(welcome?.ok && welcome.value.kind === 'welcome')
  const { group: id, secret, generation } = welcome.value
  const again = { kind: 'rekey', group: id, generation, secret, graceMs: 0 } as const
  member.connection.link(owner).session.post('datagram-control', encodeControl(again))
  await world.clock.advance(10)
  group.send(bytesOf('one'))
  await world.clock.advance(10)
  const sent = world.wire.at(-1)
  assert.ok(sent !== undefined)
  member.connection.link(owner).session.post('datagram-control', encodeControl(again))
  await world.clock.advance(10)
  world.inject(sent)
  await world.clock.advance(10)
  assert.deepEqual(member.texts, ['0 one'], 'a key that began anew would open it twice')

  for (const elsewhere of ['/ip4/192.0.2.1/udp/7', '/ip4/224.0.0.251/udp/5353']) {
    const lure = party(world)
    await lure.datagrams.createGroup({ name: 'prices', address: elsewhere })
    await assert.rejects(enter(world, lure), isCode('FABRIC_PAYLOAD'))
  }
})

test('strangers on the address are not heard, and cannot make a member hold anything', async () => {
  const { world, members, group } = await swarm(1)
  const [member] = members as [Member]
  group.send(bytesOf('one'))
  await world.clock.advance(10)
  const genuine = world.wire.at(-1)?.bytes ?? assert.fail()
  const random = new SeededRandom(3n)
  for (let i = 0; i < 3_000; i += 1) {
    const junk = genuine.slice()
    // Another sender each time, under the group's own id and generation.
    if (i % 2 === 0) random.fill(junk.subarray(12, 16))
    else random.fill(junk.subarray(random.between(0, junk.length - 1)))
    world.inject({ from: `/ip4/198.51.100.1/udp/${i + 1}`, to: address, bytes: junk })
  }
  const sent = world.wire.length
  await world.clock.advance(100)
  assert.equal(world.wire.length, sent, 'nobody is answered')
  assert.deepEqual(member.texts, ['0 one'])
  assert.ok(member.group.stats.forged > 1_400)
})

test('a group has a name of its own and an address of a group; an agent listens on its own address', async () => {
  const world = new World()
  const owner = party(world)
  const options = { name: 'prices', address }
  const both = await Promise.allSettled([
    owner.datagrams.createGroup(options),
    owner.datagrams.createGroup(options),
  ])
  assert.deepEqual(
    both.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  )
  await assert.rejects(
    owner.datagrams.createGroup({ ...options, name: 'Not A Name' }),
    isCode('FABRIC_OPTION'),
  )
  await assert.rejects(
    owner.datagrams.createGroup({ name: 'other', address: '/memory/x' }),
    isCode('FABRIC_NO_DATAGRAMS'),
  )
  await assert.rejects(owner.datagrams.bind(address), isCode('FABRIC_OPTION'))
  // The name is free again when the group has ended.
  if (both[0]?.status === 'fulfilled') both[0].value.close()
  const again = await owner.datagrams.createGroup(options)
  await owner.datagrams.close()
  assert.equal(await again.closed, 'closed here')
  await assert.rejects(owner.datagrams.createGroup(options), isCode('FABRIC_CLOSED'))
})
