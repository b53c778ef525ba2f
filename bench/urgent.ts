// How long a lone critical message and its critical answer take on a session that carries a transfer, beside the same
// session without one. The transfer is of messages of 1 MiB or of a stream; the other side answers what bears the mark.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Party } from './contests.ts'
import { type Contender, type Contest, type Goal, percentile } from './harness.ts'
import { isUrgent, urgentPayload } from './peers/far-process.ts'
import { ignore, type Link } from './peers/link.ts'
import { SessionLink } from './peers/myelin.ts'
import { payloadsOf } from './peers/payloads.ts'

const payloadBytes = 1024 * 1024
/** Between an answer and the next question. */
const spacingMs = 3
const p99MsMax = 5
const idleName = 'idle'
/** As the issue of priorities is put: at most twice as long as on an idle session. */
const idleRatioMax = 2
/** Questions to a session without a transfer; with one they last as long as it does. */
const idleQuestions = 150

export interface UrgentTask {
  readonly title: string
  /** Of the transfer, where it is one of messages. */
  readonly priority?: 'normal' | 'low'
  /** Of 1 MiB. */
  readonly payloads: number
}

export function urgent(parties: readonly Party[], task: UrgentTask): Contest[] {
  return parties.map((party) => {
    const { title, payloads } = task
    const p50Goals: readonly Goal[] = [{ peer: idleName, atMost: idleRatioMax }]
    return {
      title,
      metrics: [
        { metric: `${title}, p50`, unit: 'ms', goals: p50Goals },
        { metric: `${title}, p99`, unit: 'ms', goals: [{ atMost: p99MsMax }] },
      ],
      contenders: [
        contender(party.name, party, (link) => transfer(link, payloads, task.priority)),
        contender(idleName, party, ignore),
      ],
    }
  })
}

function contender(
  name: string,
  { far, link }: Party,
  load: (link: Link) => Promise<void> | void,
): Contender {
  return {
    name,
    sample: async () => {
      await far.begin({ do: 'answer' })
      let isOver = false
      const loading = load(link)?.then(() => {
        isOver = true
      })
      const times: number[] = []
      while (!isOver && (loading !== undefined || times.length < idleQuestions)) {
        times.push(await ask(link))
        await sleep(spacingMs)
      }
      await loading
      link.receive = ignore
      return [percentile(times, 0.5), percentile(times, 0.99)]
    },
  }
}

/** Milliseconds until the answer is there. */
function ask(link: Link): Promise<number> {
  return new Promise((resolve) => {
    const askedMs = performance.now()
    link.receive = (answer) => {
      if (isUrgent(answer)) resolve(performance.now() - askedMs)
    }
    link.sendUrgent?.(urgentPayload.slice())
  })
}

async function transfer(link: Link, count: number, priority?: 'normal' | 'low'): Promise<void> {
  const payloads = payloadsOf(payloadBytes)
  const send =
    link instanceof SessionLink && priority !== undefined
      ? (payload: Uint8Array) => link.session.post('data', payload, { priority })
      : (payload: Uint8Array) => link.send(payload)
  for (let i = 0; i < count; i += 1)
    if (!send(payloads[i % payloads.length] as Uint8Array)) await link.drained()
}
