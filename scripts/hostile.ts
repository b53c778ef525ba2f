// Hostile load against a real process (R067): a daemon with the default limits, an attacker and two honest peers,
// each in a process of its own, on the loopback. One row for each attack: what it cost the daemon in memory, what
// became of the connections, and what the honest peers noticed. docs/limits.md says what the numbers mean.
//
//   node --conditions=@myelin/source scripts/hostile.ts
//     --connections N   connections of each attack on the door, 10,000 by default
//     --per-second N    how many of them are opened each second, 1,000 by default
//     --seconds N       how long each attack lasts, 10 by default
//     --attack NAME     only this one; several times for several
//     --from ADDRESS    where attacks come from; 127.0.0.2 is another address than that of the honest peers
//     --json            one object per attack and line instead of the table

import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { AgentId } from '@myelin/identity'
import type { Attack, AttackOutcome } from './hostile/attack.ts'
import { attackOf, attacks } from './hostile/attacks.ts'
import { boundOf } from './hostile/bound.ts'
import { Child } from './hostile/child.ts'
import type { DaemonStarted, DaemonStatus } from './hostile/daemon.ts'
import type { Watch } from './hostile/honest.ts'

const mib = 2 ** 20
/** Before the honest peers are timed their code has run for so long. */
const warmUpMs = 1_500
const calmMs = 3_000
const sampleEveryMs = 250

interface Orders {
  readonly connections: number
  readonly perSecond: number
  readonly forMs: number
  readonly from: string | undefined
}

interface Spread {
  readonly p50: number
  readonly p99: number
}

interface Report {
  readonly attack: string
  readonly outcome: AttackOutcome
  readonly before: DaemonStatus
  readonly during: DaemonStatus
  readonly connectionsPeak: number
  readonly calm: Spread
  readonly storm: Spread
  readonly requestsFailed: number
  readonly joins: number
  readonly joinsFailed: number
  readonly joinMs: Spread
  readonly joinsBy: Readonly<Record<string, number>>
  readonly joinFailures: Readonly<Record<string, number>>
  readonly cpuPercent: number
}

const columns: readonly (readonly [string, number])[] = [
  ['attack', -15],
  ['opened', 8],
  ['closed', 8],
  ['refused', 8],
  ['evicted', 8],
  ['sockets', 8],
  ['RSS MiB', 8],
  ['+peak', 7],
  ['+bound', 7],
  ['p50 ms', 8],
  ['p99', 7],
  ['p50!', 7],
  ['p99!', 7],
  ['ratio', 6],
  ['joins', 6],
  ['failed', 7],
  ['join ms', 8],
  ['cpu %', 6],
]

await main()

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      connections: { type: 'string', default: '10000' },
      'per-second': { type: 'string', default: '1000' },
      seconds: { type: 'string', default: '10' },
      attack: { type: 'string', multiple: true, default: [] },
      from: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  })
  const chosen = values.attack.length === 0 ? attacks : values.attack.map(attackOf)
  const orders: Orders = {
    connections: wholeNumber('--connections', values.connections),
    perSecond: wholeNumber('--per-second', values['per-second']),
    forMs: wholeNumber('--seconds', values.seconds) * 1000,
    from: values.from,
  }
  if (!values.json) console.log(headline())
  let failed = 0
  for (const attack of chosen) {
    const report = await runAttack(attack, orders)
    if (report === undefined) {
      failed += 1
      console.log(`${attack.name}: THE DAEMON DIED`)
    } else if (values.json) console.log(JSON.stringify(report))
    else console.log(line(attack, report))
  }
  process.exit(failed === 0 ? 0 : 1)
}

/** Undefined: the daemon did not survive it. */
async function runAttack(attack: Attack, orders: Orders): Promise<Report | undefined> {
  await using attacker = await startChild('attacker')
  await using honest = await startChild('honest')
  await using daemon = await startChild('daemon')
  const { id: rogueId } = await attacker.ask<{ id: AgentId }>('who')
  const { ids } = await honest.ask<{ ids: AgentId[] }>('who')
  const trust = [rogueId, ...ids]
  const { id, address, quicAddress, ...ports } = await daemon.ask<DaemonStarted>('start', {
    trust,
    over: attack.over,
  })
  await honest.ask('connect', { id, address, quicAddress })
  await honest.ask('watch', { id, forMs: warmUpMs })
  const calm = await honest.ask<Watch>('watch', { id, forMs: calmMs })
  await daemon.ask('reset')
  const before = await daemon.ask<DaemonStatus>('status')
  const { connections, perSecond, forMs, from } = orders
  const target = { host: '127.0.0.1', ...ports, agent: id, from }
  await attacker.ask('begin', { name: attack.name, target, connections, perSecond })
  let connectionsPeak = 0
  const sampling = setInterval(() => {
    const sample = (status: DaemonStatus) => {
      connectionsPeak = Math.max(connectionsPeak, status.connections)
    }
    daemon.ask<DaemonStatus>('status').then(sample, () => {})
  }, sampleEveryMs)
  const storm = await honest.ask<Watch>('watch', { id, forMs })
  clearInterval(sampling)
  if (!daemon.isAlive) return undefined
  const during = await daemon.ask<DaemonStatus>('status')
  const outcome = await attacker.ask<AttackOutcome>('outcome')
  await attacker.ask('end')
  return {
    attack: attack.name,
    outcome,
    before,
    during,
    connectionsPeak,
    calm: spread(calm.roundTripsMs),
    storm: spread(storm.roundTripsMs),
    requestsFailed: storm.requestsFailed,
    joins: storm.connectsMs.length,
    joinsFailed: Object.values(storm.connectsFailed).reduce((sum, count) => sum + count, 0),
    joinMs: spread(storm.connectsMs),
    joinsBy: storm.transports,
    joinFailures: storm.connectsFailed,
    cpuPercent: ((during.cpuMs - before.cpuMs) / forMs) * 100,
  }
}

function startChild(name: string): Promise<Child> {
  return Child.start(resolve(import.meta.dirname, 'hostile', `${name}.ts`))
}

function spread(samples: readonly number[]): Spread {
  const sorted = [...samples].sort((a, b) => a - b)
  const at = (part: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99) }
}

function headline(): string {
  return cells(columns.map(([title]) => title))
}

function cells(texts: readonly (string | number)[]): string {
  return texts
    .map((text, i) => {
      const width = columns[i]?.[1] ?? 8
      return width < 0 ? String(text).padEnd(-width) : String(text).padStart(width)
    })
    .join('')
}

/** `!` marks what was measured during the attack. */
function line(attack: Attack, report: Report): string {
  const { outcome, before, during, calm, storm } = report
  const { evicted, refused } = during.doorway
  const codes = Object.keys(outcome.codes).join(' ')
  const row = cells([
    attack.name,
    outcome.opened,
    outcome.closed,
    refused,
    evicted,
    report.connectionsPeak,
    (before.rssBytes / mib).toFixed(0),
    ((during.rssBytesPeak - before.rssBytes) / mib).toFixed(0),
    (boundOf(attack) / mib).toFixed(0),
    calm.p50.toFixed(2),
    calm.p99.toFixed(2),
    storm.p50.toFixed(2),
    storm.p99.toFixed(2),
    (storm.p99 / calm.p99).toFixed(1),
    report.joins,
    report.joinsFailed + report.requestsFailed,
    report.joinMs.p50.toFixed(1),
    Math.round(report.cpuPercent),
  ])
  const back = outcome.bytesSent === 0 ? '' : `  ${amplification(outcome)}`
  return codes === '' ? `${row}${back}` : `${row}  ended with ${codes}`
}

/** Bytes that went to addresses of which nothing was proved, by the bytes that came from there. */
function amplification({ sent, bytesSent, bytesBack, amplificationMax }: AttackOutcome): string {
  const all = (bytesBack / bytesSent).toFixed(3)
  return `${sent} datagrams, ${all} bytes back for each, at most ${amplificationMax.toFixed(2)} to one address`
}

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  console.error(`hostile: ${name} takes a whole number, not ${text}`)
  process.exit(2)
}
