// Hostile load against a daemon in a process of its own (R067): strangers at its door and a trusted peer that has
// turned. What it holds stays within its limits, what it counts within their numbers, and honest peers are served.
// The full version with times is scripts/hostile.ts.

import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { after, before, test } from 'node:test'
import type { AgentId } from '@myelin/identity'
import { createAgent, type NodeAgent, type PartialConfiguration } from '@myelin/node'
import { verifies } from '@myelin/testkit'
import { connectionsSilentMax } from '../../../packages/fabric/src/limits.ts'
import { closeCodes } from '../../../packages/session/src/errors.ts'
import {
  endedLingeringMax,
  refusedLingeringMax,
  streamsMax,
} from '../../../packages/session/src/limits.ts'
import { type AttackOutcome, noOutcome, pause } from '../../../scripts/hostile/attack.ts'
import { attackOf } from '../../../scripts/hostile/attacks.ts'
import { boundOf, costs } from '../../../scripts/hostile/bound.ts'
import { Child } from '../../../scripts/hostile/child.ts'
import type { DaemonStatus } from '../../../scripts/hostile/daemon.ts'
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
let port: number

/** A daemon with these limits is the victim from now on. */
async function startVictim(limits?: PartialConfiguration['limits']): Promise<void> {
  daemon = await Child.start(resolve(import.meta.dirname, '../../../scripts/hostile/daemon.ts'))
  const rogues = turned.map(({ keys }) => keys.agent)
  const trust = [...rogues, settled.id, newcomer.id]
  const started = await daemon.ask<{ id: AgentId; address: string }>('start', {
    trust,
    ...(limits === undefined ? {} : { limits }),
  })
  victim = started.id
  port = Number(/\/tcp\/(\d+)/.exec(started.address)?.[1])
  for (const agent of [settled, newcomer]) {
    await agent.trust.add({ agent: victim, roles: ['member'], source: 'manual', addedMs: 0 })
    agent.learn({ agent: victim, addresses: [`/ip4/127.0.0.1/tcp/${port}`] })
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
  const target = { host: '127.0.0.1', port, agent: victim, from }
  const context = {
    target,
    rogue: turned.pop() as Rogue,
    connections,
    perSecond: 2000,
    signal: stop.signal,
  }
  const running = attack.run(context, outcome)
  try {
    for (;;) {
      const status = await daemon.ask<DaemonStatus>('status')
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
    until: (_, { doorway }) => doorway.refused > refusedBefore,
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
