// Hostile load against a daemon in a process of its own (R067): strangers at its door and a trusted peer that has
// turned. What it holds stays within its limits, what it counts within their numbers, and honest peers are served.
// The full version with times is scripts/hostile.ts.

import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { after, before, test } from 'node:test'
import type { AgentId } from '@myelin/identity'
import { createAgent, type NodeAgent, type PartialConfiguration } from '@myelin/node'
import { verifies } from '@myelin/testkit'
import {
  connectionsSilentMax,
  outboxBytesMax,
  outboxMessagesMax,
} from '../../../packages/fabric/src/limits.ts'
import { closeCodes } from '../../../packages/session/src/errors.ts'
import {
  endedLingeringMax,
  refusedLingeringMax,
  streamHighWaterBytes,
  streamsMax,
} from '../../../packages/session/src/limits.ts'
import { loadQuic } from '../../../packages/transport/src/quic-native.ts'
import {
  type Attack,
  type AttackOutcome,
  noOutcome,
  pause,
} from '../../../scripts/hostile/attack.ts'
import { attackOf } from '../../../scripts/hostile/attacks.ts'
import { boundOf, costs } from '../../../scripts/hostile/bound.ts'
import { Child } from '../../../scripts/hostile/child.ts'
import type { DaemonStarted, DaemonStatus } from '../../../scripts/hostile/daemon.ts'
import { type Rogue, rogue } from '../../../scripts/hostile/rogue.ts'

verifies('R067')

const kib = 1024
const limits = {
  sessionsMax: 64,
  handshakesPendingMax: 32,
  windowBytes: 256 * kib,
  messageBytesMax: 64 * kib,
}
/** One for each attack: what the handlers of one that has turned hold is not to be another's excuse. */
const turned = Array.from({ length: 40 }, () => rogue())
const payload = new TextEncoder().encode('still there')
let daemon: Child
let settled: NodeAgent
let newcomer: NodeAgent
let victim: AgentId
let ports: Pick<DaemonStarted, 'port' | 'udpPort' | 'quicPort'>

/** A daemon with these limits, that listens there beside TCP, is the victim from now on. */
async function startVictim(
  limits?: PartialConfiguration['limits'],
  over?: Attack['over'],
): Promise<void> {
  daemon = await Child.start(resolve(import.meta.dirname, '../../../scripts/hostile/daemon.ts'))
  const rogues = turned.map(({ keys }) => keys.agent)
  const trust = [...rogues, settled.id, newcomer.id]
  const started = await daemon.ask<DaemonStarted>('start', {
    trust,
    over,
    ...(limits === undefined ? {} : { limits }),
  })
  victim = started.id
  ports = started
  for (const agent of [settled, newcomer]) {
    await agent.trust.add({ agent: victim, roles: ['member'], source: 'manual', addedMs: 0 })
    agent.learn({ agent: victim, addresses: [`/ip4/127.0.0.1/tcp/${ports.port}`] })
  }
  await settled.connect(victim)
}

before(async () => {
  settled = await createAgent({ name: 'settled' })
  newcomer = await createAgent({ name: 'newcomer' })
  await startVictim(limits)
})

after(async () => {
  await settled.close()
  await newcomer.close()
  await daemon[Symbol.asyncDispose]()
})

interface Siege {
  readonly connections?: number
  readonly from?: string
  /** The attack has done what it can. */
  readonly until: (outcome: AttackOutcome, status: DaemonStatus) => boolean
  /** What happens while it is on. */
  readonly meanwhile?: () => Promise<void>
}

/** Keeps an attack up until it has done its worst, and returns what the daemon counted, its peak of memory last. */
async function besiege(
  name: string,
  { connections = 300, from, until, meanwhile = async () => {} }: Siege,
): Promise<{ readonly outcome: AttackOutcome; readonly addedBytes: number }> {
  await daemon.ask('reset')
  const { rssBytes } = await daemon.ask<DaemonStatus>('status')
  const stop = new AbortController()
  const outcome = noOutcome()
  const attack = attackOf(name)
  const { port, udpPort, quicPort } = ports
  const target = { host: '127.0.0.1', port, udpPort, quicPort, agent: victim, from }
  const context = {
    target,
    rogue: turned.pop() as Rogue,
    connections,
    perSecond: 2000,
    signal: stop.signal,
  }
  let failure: unknown
  const running = attack.run(context, outcome).catch((error: unknown) => {
    failure = error
  })
  try {
    for (;;) {
      const status = await daemon.ask<DaemonStatus>('status')
      if (failure !== undefined) throw failure
      requireWithin(name, status)
      if (until(outcome, status)) break
      await pause(20)
    }
    await meanwhile()
    const status = await daemon.ask<DaemonStatus>('status')
    requireWithin(name, status)
    const { payload: echoed } = await settled.request(victim, 'echo', payload)
    assert.deepEqual(new Uint8Array(echoed as Uint8Array), payload)
    return { outcome, addedBytes: status.rssBytesPeak - rssBytes }
  } finally {
    stop.abort()
    await running
  }
}

function requireWithin(
  name: string,
  { doorway, connections, heldBytes, streamsOpen }: DaemonStatus,
): void {
  assert.ok(doorway.silent <= connectionsSilentMax, `${name}: ${doorway.silent} silent`)
  const pending = doorway.greeted + doorway.admitted
  assert.ok(pending <= limits.handshakesPendingMax, `${name}: ${pending} handshakes`)
  const leaving = refusedLingeringMax + endedLingeringMax
  const most = connectionsSilentMax + limits.handshakesPendingMax + limits.sessionsMax + leaving
  assert.ok(connections <= most, `${name}: ${connections} connections`)
  // Two peers are there, the honest one and the one that has turned.
  assert.ok(heldBytes <= 2 * limits.windowBytes, `${name}: ${heldBytes} bytes are held`)
  assert.ok(streamsOpen <= 2 * streamsMax, `${name}: ${streamsOpen} streams`)
}

/** A peer that is turned away comes again, as the keeper of `myelin up` does. */
async function joinAtLast(attemptsMax: number): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await newcomer.connect(victim)
      await newcomer.disconnect(victim)
      return
    } catch (error) {
      if (attempt === attemptsMax) throw error
      await pause(50)
    }
  }
}

/** Resolves when nobody stands in the doorway any more. */
async function emptied(): Promise<void> {
  for (;;) {
    const { doorway } = await daemon.ask<DaemonStatus>('status')
    if (doorway.silent + doorway.greeted + doorway.admitted === 0) return
    await pause(20)
  }
}

const strangers: readonly (readonly [name: string, connections: number])[] = [
  ['silent', connectionsSilentMax + 200],
  ['hello', 300],
  ['slowloris', connectionsSilentMax + 200],
  ['stuffed', 300],
  ['second-stuffed', 300],
  ['huge-64K', 200],
  ['huge-16M', 200],
  ['huge-4G', 200],
]

for (const [name, connections] of strangers) {
  test(`strangers at the door take no place from an honest peer: ${name}`, async () => {
    const { addedBytes } = await besiege(name, {
      connections,
      until: ({ opened }) => opened === connections,
      meanwhile: () => joinAtLast(40),
    })
    const bound = boundOf({ place: 'door' }, limits)
    assert.ok(addedBytes < bound, `${addedBytes} bytes more, ${bound} at most`)
    await emptied()
  })
}

test('the one who says nothing has to go first, and whoever is full of them evicts, not refuses', async () => {
  const connections = connectionsSilentMax + 200
  const evicted = async () => (await daemon.ask<DaemonStatus>('status')).doorway.evicted
  const earlier = await evicted()
  const { outcome } = await besiege('silent', {
    connections,
    until: ({ opened }) => opened === connections,
    // The first attempt: nobody has to come twice because of those who say nothing.
    meanwhile: () => joinAtLast(1),
  })
  assert.equal(outcome.opened, connections)
  assert.ok((await evicted()) - earlier >= 200)
  await emptied()
})

test('an address that floods the door with handshakes does not shut out the others', {
  skip: process.platform !== 'linux' && 'only here is all of 127/8 ours',
}, async () => {
  const refusedBefore = (await daemon.ask<DaemonStatus>('status')).doorway.refused
  await besiege('hello', {
    from: '127.0.0.2',
    connections: 1500,
    // A slow machine lets fewer come in a second than would be refused.
    until: ({ opened }, { doorway }) => doorway.refused > refusedBefore || opened >= 1500,
    meanwhile: async () => {
      for (let i = 0; i < 3; i += 1) await joinAtLast(1)
    },
  })
  await emptied()
})

/** How each of these ends, again and again. */
const breaches: Readonly<Record<string, keyof typeof closeCodes>> = {
  'huge-within': 'SESSION_PROTOCOL',
  sessions: 'SESSION_BUSY',
  'stream-crumbs': 'SESSION_FLOW_CONTROL',
  parts: 'SESSION_MESSAGE_TOO_LARGE',
  'types-beyond': 'SESSION_PROTOCOL',
  empties: 'SESSION_PROTOCOL',
  tiny: 'SESSION_FLOW_CONTROL',
  anchors: 'SESSION_FLOW_CONTROL',
  bombs: 'SESSION_FLOW_CONTROL',
  'bombs-beyond': 'SESSION_PROTOCOL',
}

for (const [name, code] of Object.entries(breaches)) {
  test(`a trusted peer that breaks a bound is ended with the reason: ${name}`, async () => {
    const { addedBytes } = await besiege(name, {
      until: ({ codes }) => (codes[closeCodes[code]] ?? 0) > 0,
      // From the same address: handshakes that come too fast are refused whoever sends them.
      meanwhile: () => joinAtLast(40),
    })
    const bound = boundOf({ place: 'within' }, limits)
    assert.ok(addedBytes < bound, `${addedBytes} bytes more, ${bound} at most`)
    // Sixty kilobytes for each message that is held would be 240 MB.
    if (name === 'anchors') assert.ok(addedBytes < costs.garbage, `${addedBytes} bytes more`)
  })
}

test('compressed records of nothing but padding end the session before they fill the memory', async () => {
  const { addedBytes } = await besiege('anchors-packed', {
    // It is cut off while it still sends, so the reason does not always reach it.
    until: ({ closed }, { counts }) => closed > 0 && (counts['session-broken'] ?? 0) > 0,
    meanwhile: () => joinAtLast(40),
  })
  assert.ok(addedBytes < costs.garbage, `${addedBytes} bytes more`)
})

const floods: Readonly<Record<string, number>> = {
  mute: 0,
  pings: 300,
  'pings-read': 1000,
  padding: 300,
  unread: 100,
  'unread-echo': 200,
}

for (const [name, records] of Object.entries(floods)) {
  test(`a trusted peer that keeps the rules without measure is held to its share: ${name}`, async () => {
    const { addedBytes } = await besiege(name, {
      until: ({ sent, opened }) => sent >= records && opened > 0,
      meanwhile: () => joinAtLast(40),
    })
    const bound = boundOf({ place: 'within' }, limits)
    assert.ok(addedBytes < bound, `${addedBytes} bytes more, ${bound} at most`)
  })
}

test('handlers that never end are as many as one session may start, however often their peer returns', async () => {
  await besiege('tiny', {
    until: ({ codes }, { counts }) => {
      return (codes[closeCodes.SESSION_FLOW_CONTROL] ?? 0) > 0 && (counts['handlers-busy'] ?? 0) > 0
    },
  })
})

test('streams that their opener does not read hold what their writers may queue, and no more', async () => {
  // A handler of a stream counts for 64 messages of 64 bytes of credit.
  const streams = limits.windowBytes / 64 / 64
  const queuedBytes = streams * streamHighWaterBytes
  const { externalBytes } = await daemon.ask<DaemonStatus>('status')
  const { addedBytes } = await besiege('unread-streams', {
    until: (_, status) => status.externalBytes - externalBytes > 0.8 * queuedBytes,
    meanwhile: () => joinAtLast(40),
  })
  const bound = boundOf({ place: 'within' }, limits)
  assert.ok(addedBytes < bound, `${addedBytes} bytes more, ${bound} at most`)
  const after = (await daemon.ask<DaemonStatus>('status')).externalBytes - externalBytes
  assert.ok(after < queuedBytes + costs.garbage, `${after} bytes for ${streams} streams`)
})

test('a receiver that acknowledges nothing fills its outbox, whose bound holds', async () => {
  const { addedBytes } = await besiege('unacked', {
    until: (_, { unacknowledged: { messages, bytes } }) => {
      assert.ok(bytes <= outboxBytesMax, `${bytes} bytes are unacknowledged`)
      assert.ok(messages <= outboxMessagesMax, `${messages} messages are unacknowledged`)
      return bytes > outboxBytesMax - 8 * kib
    },
    meanwhile: () => joinAtLast(40),
  })
  const bound = boundOf({ place: 'within' }, limits)
  assert.ok(addedBytes < bound, `${addedBytes} bytes more, ${bound} at most`)
})

test('a trusted peer that opens one stream too many is ended with the reason', async () => {
  await daemon[Symbol.asyncDispose]()
  // With a small window the handlers of streams are refused long before there are too many.
  await startVictim()
  const { addedBytes } = await besiege('streams-beyond', {
    until: ({ codes }) => (codes[closeCodes.SESSION_FLOW_CONTROL] ?? 0) > 0,
    meanwhile: () => joinAtLast(40),
  })
  const bound = boundOf({ place: 'within' })
  assert.ok(addedBytes < bound, `${addedBytes} bytes more, ${bound} at most`)
})

/**
 * Bytes for each byte that came from an address of which nothing is proved (RFC 9000 §8.1). The package for QUIC sends
 * three datagrams for one and a small one between them.
 */
const amplificationMax = { udp: 3, quic: 3.2 }

const overUdp: readonly (readonly [name: string, datagrams: number])[] = [
  ['udp-spoofed', 5_000],
  ['udp-flood', 20_000],
  ['quic-initials', 3_000],
  ['quic-hello', 1_500],
]

/** What of these is answered at all, where the address is proved afterwards. */
const answered: ReadonlySet<string> = new Set(['udp-spoofed', 'quic-hello'])

for (const [name, datagrams] of overUdp) {
  const attack = attackOf(name)
  test(`floods from false addresses stay within the bounds and are not multiplied: ${name}`, {
    skip: process.platform !== 'linux' && 'only here is all of 127/8 ours',
  }, async (t) => {
    if (attack.over === 'quic' && (await loadQuic().catch(() => undefined)) === undefined) {
      t.skip('the package for QUIC is not here')
      return
    }
    await daemon[Symbol.asyncDispose]()
    await startVictim(limits, attack.over)
    const { outcome, addedBytes } = await besiege(name, {
      until: ({ sent, bytesBack }) => sent >= datagrams && (bytesBack > 0 || !answered.has(name)),
      meanwhile: () => joinAtLast(40),
    })
    const most = amplificationMax[attack.over ?? 'udp']
    assert.ok(outcome.amplificationMax <= most, `${outcome.amplificationMax} times`)
    if (name === 'udp-flood') assert.equal(outcome.bytesBack, 0)
    const bound = boundOf(attack, limits)
    assert.ok(addedBytes < bound, `${addedBytes} bytes more, ${bound} at most`)
  })
}
