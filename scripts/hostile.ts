// Hostile load against a real process (R067): a daemon with the default limits, an attacker and two honest peers,
// each in a process of its own, on the loopback. One row for each attack: what it cost the daemon in memory, what
// became of the connections, and what the honest peers noticed.
//
//   node --conditions=@myelin/source scripts/hostile.ts
//     --connections N   half-open connections of each attack on the door, 10,000 by default
//     --per-second N    how many of them are opened each second, 2,000 by default
//     --seconds N       how long each attack lasts, 8 by default
//     --attack NAME     only this one; several times for several

import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { AttackOutcome } from './hostile/attacks.ts'
import { attacks } from './hostile/attacks.ts'
import { Child } from './hostile/child.ts'
import type { DaemonStatus } from './hostile/daemon.ts'
import type { Watch } from './hostile/honest.ts'

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '10000' },
    'per-second': { type: 'string', default: '2000' },
    seconds: { type: 'string', default: '8' },
    attack: { type: 'string', multiple: true, default: [] },
    from: { type: 'string' },
  },
})
const connections = Number(values.connections)
const perSecond = Number(values['per-second'])
const forMs = Number(values.seconds) * 1000
const chosen =
  values.attack.length === 0 ? attacks : attacks.filter(({ name }) => values.attack.includes(name))

const mib = 2 ** 20
const file = (name: string) => resolve(import.meta.dirname, 'hostile', `${name}.ts`)
const percentile = (sorted: readonly number[], part: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN

function spread(samples: readonly number[]): { p50: number; p99: number } {
  const sorted = [...samples].sort((a, b) => a - b)
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) }
}

const pad = (text: string | number, width: number) => String(text).padStart(width)
const row = (cells: readonly (string | number)[]) =>
  console.log(
    String(cells[0]).padEnd(15) +
      cells
        .slice(1)
        .map((cell) => pad(cell, 10))
        .join(''),
  )

row([
  'attack',
  'opened',
  'closed',
  'sockets',
  'busy',
  'rss MiB',
  'peak',
  'after',
  'p50 ms',
  'p99',
  'p50 dur',
  'p99 dur',
  'ratio',
  'joins',
  'p50 join',
  'failed',
  'cpu %',
])
for (const attack of chosen) {
  await using attacker = await Child.start(file('attacker'))
  await using honest = await Child.start(file('honest'))
  await using daemon = await Child.start(file('daemon'))
  const { id: rogueId } = await attacker.ask<{ id: string }>('who')
  const { ids } = await honest.ask<{ ids: string[] }>('who')
  const { id, address } = await daemon.ask<{ id: string; address: string }>('start', {
    trust: [rogueId, ...ids],
  })
  await honest.ask('connect', { id, address })
  await honest.ask('watch', { id, forMs: 1500 })
  const before = await honest.ask<Watch>('watch', { id, forMs: 3000 })
  await daemon.ask('reset', { collect: true })
  const first = await daemon.ask<DaemonStatus>('status', { collect: true })
  const port = Number(/\/tcp\/(\d+)/.exec(address)?.[1])
  await attacker.ask('begin', {
    name: attack.name,
    host: '127.0.0.1',
    port,
    agent: id,
    connections,
    perSecond,
    from: values.from,
  })
  let sockets = 0
  let held = 0
  const sampling = setInterval(() => {
    daemon
      .ask<DaemonStatus>('status', { collect: false })
      .then((status) => {
        sockets = Math.max(sockets, status.connections)
        held = Math.max(held, status.heldBytes)
      })
      .catch(() => {})
  }, 250)
  const during = await honest.ask<Watch>('watch', { id, forMs })
  clearInterval(sampling)
  if (!daemon.isAlive) {
    console.log(`${attack.name}: THE DAEMON ENDED (${await daemon.exited})`)
    continue
  }
  const under = await daemon.ask<DaemonStatus>('status', { collect: false })
  const outcome = await attacker.ask<AttackOutcome>('outcome')
  await attacker.ask('end')
  const after = await daemon.ask<DaemonStatus>('status', { collect: true })
  const [calm, storm] = [spread(before.roundTripsMs), spread(during.roundTripsMs)]
  const joins = spread(during.connectsMs)
  row([
    attack.name,
    outcome.opened,
    outcome.closed,
    sockets,
    under.counts['session-refused'] ?? 0,
    (first.rssBytes / mib).toFixed(0),
    (under.rssBytesPeak / mib).toFixed(0),
    (after.rssBytes / mib).toFixed(0),
    calm.p50.toFixed(2),
    calm.p99.toFixed(2),
    storm.p50.toFixed(2),
    storm.p99.toFixed(2),
    (storm.p99 / calm.p99).toFixed(1),
    during.connectsMs.length,
    joins.p50.toFixed(1),
    Object.values(during.connectsFailed).reduce((a, b) => a + b, 0) + during.requestsFailed,
    Math.round(((under.cpuMs - first.cpuMs) / forMs) * 100),
  ])
  if (outcome.sent > 0 || Object.keys(outcome.codes).length > 0)
    console.log(
      `   sent ${outcome.sent} codes ${JSON.stringify(outcome.codes)} held ${held} counts ${JSON.stringify(under.counts)} fails ${JSON.stringify(during.connectsFailed)}`,
    )
}
