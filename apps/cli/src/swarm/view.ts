// What a person sees of a swarm: in a terminal a picture that moves, elsewhere a line for each thing that
// happened. Both are made from the same state.

import type { AgentId } from '@myelin/identity'
import { shortAgentId } from '@myelin/identity'
import type { OutputStream } from '../output.ts'
import type { RoundResult } from './events.ts'

export interface WorkerView {
  readonly label: string
  agent: string
  /** 0 to 1 of its current task. */
  progress: number
  state: 'starting' | 'idle' | 'busy' | 'gone' | 'sent away'
  task: string
}

export interface SwarmView {
  /** A thing that happened, worth a line. */
  note(text: string): void
  /** The state has changed. */
  draw(
    workers: readonly WorkerView[],
    round: { readonly current: number; readonly of: number },
    last?: RoundResult,
  ): void
  end(): void
}

/** One line per note, nothing else. */
export function plainView(stream: OutputStream): SwarmView {
  return { note: (text) => void stream.write(`${text}\n`), draw: () => {}, end: () => {} }
}

const barCells = 24
const redrawMsMin = 80

/** Notes scroll; below them a block of lines that is drawn over. */
export function terminalView(stream: OutputStream): SwarmView {
  let drawn = 0
  let lastMs = 0
  let lines: string[] = []
  const clear = () => {
    if (drawn > 0) stream.write(`\u001b[${drawn}A\u001b[J`)
    drawn = 0
  }
  const show = () => {
    clear()
    stream.write(lines.map((line) => `${line}\n`).join(''))
    drawn = lines.length
  }
  return {
    note: (text) => {
      clear()
      stream.write(`${text}\n`)
      show()
    },
    draw: (workers, round, last) => {
      lines = picture(workers, round, last)
      if (performance.now() - lastMs < redrawMsMin) return
      lastMs = performance.now()
      show()
    },
    end: clear,
  }
}

function picture(
  workers: readonly WorkerView[],
  round: { readonly current: number; readonly of: number },
  last?: RoundResult,
): string[] {
  const accuracy = last === undefined ? '' : `   accuracy ${(last.accuracy * 100).toFixed(2)} %`
  const head = `round ${round.current} of ${round.of}  ${bar(round.of === 0 ? 0 : (last?.round ?? 0) / round.of)}${accuracy}`
  return [head, ...workers.map(workerLine)]
}

function workerLine({ label, agent, progress, state, task }: WorkerView): string {
  const name = agent === '' ? '' : shortAgentId(agent as AgentId)
  const cells = state === 'busy' ? bar(progress) : ' '.repeat(barCells + 2)
  return `  ${label.padEnd(9)} ${name.padEnd(12)} ${cells} ${state === 'busy' ? task : state}`
}

function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * barCells)
  return `[${'█'.repeat(full)}${'·'.repeat(barCells - full)}]`
}
