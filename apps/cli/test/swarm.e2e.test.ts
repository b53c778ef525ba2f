import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { connectCoordinator } from '@myelin/fabric'
import { swarmModel } from '@myelin/learning'
import { createAgent } from '@myelin/node'
import { sharedPath, skipWithout, verifies } from '@myelin/testkit'
import { shm } from '@myelin/transport'

const main = resolve(import.meta.dirname, '../src/main.ts')
const small = ['--rounds', '3', '--examples', '1200', '--epochs', '1']
const children: ChildProcess[] = []

after(() => {
  for (const child of children) child.kill('SIGKILL')
})

interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

function start(...words: string[]): ChildProcess {
  const child = spawn(process.execPath, ['--conditions=@myelin/source', main, ...words], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  children.push(child)
  return child
}

async function run(...words: string[]): Promise<Finished> {
  const child = start(...words)
  let [stdout, stderr] = ['', '']
  child.stdout?.on('data', (chunk) => (stdout += chunk))
  child.stderr?.on('data', (chunk) => (stderr += chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr }
}

interface Document {
  readonly accuracy: number
  readonly agents: number
  readonly processes: readonly number[]
  readonly rounds: readonly {
    readonly round: number
    readonly accuracy: number
    readonly bytes: number
    readonly messages: number
  }[]
  readonly handshakeMs: { readonly p50: number; readonly p99: number }
  readonly roundTripMs: { readonly p50: number; readonly p99: number }
  readonly seconds: number
  readonly security: string
  readonly killed: readonly number[]
  readonly restarts: number
  readonly reassigned: number
}

function documentOf({ code, stdout, stderr }: Finished): Document {
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as Document
}

test('a swarm trains in separate processes over hybrid sessions and says so in one document', async () => {
  verifies('R077', 'R078')
  const document = documentOf(await run('swarm', '--json', '--agents', '3', ...small))
  assert.equal(document.agents, 3)
  assert.equal(new Set(document.processes).size, 4)
  assert.ok(!document.processes.includes(process.pid))
  assert.deepEqual(
    document.rounds.map(({ round }) => round),
    [1, 2, 3],
  )
  // Ten classes: chance is 10 %.
  assert.ok(
    document.accuracy > 0.5 && document.accuracy === document.rounds.at(-1)?.accuracy,
    `${document.accuracy}`,
  )
  // Each of three workers gets and sends 636,040 bytes of weights a round, which compress a little.
  for (const round of document.rounds)
    assert.ok(round.bytes > 5 * 636_040 && round.messages >= 12, JSON.stringify(round))
  assert.match(document.security, /^XKhfs .* over tcp$/)
  assert.ok(document.handshakeMs.p50 > 0 && document.handshakeMs.p99 >= document.handshakeMs.p50)
  assert.ok(document.seconds > 0)
})

test('a worker killed in the middle of a task is replaced, over IPC', async () => {
  verifies('R078')
  const document = documentOf(
    await run('swarm', '--json', '--agents', '3', '--transport', 'ipc', '--kill-worker', ...small),
  )
  assert.equal(document.killed.length, 1)
  assert.ok(document.reassigned >= 1)
  assert.equal(document.rounds.length, 3)
  assert.match(document.security, /over ipc$/)
})

test('the swarm trains over shared memory', {
  skip: !shm.isAvailable() && 'no shared memory here',
}, async () => {
  const words = ['swarm', '--json', '--agents', '2', '--transport', 'shm', ...small]
  assert.match(documentOf(await run(...words)).security, /over shm$/)
})

test('a coordinator killed in the middle of a round comes back and goes on where it was', async () => {
  const finished = await run('swarm', '--json', '--agents', '3', '--restart-coordinator', ...small)
  const document = documentOf(finished)
  assert.equal(document.restarts, 1)
  assert.deepEqual(
    document.rounds.map(({ round }) => round),
    [1, 2, 3],
  )
  assert.match(finished.stderr, /goes on after round 1/)
})

test('the swarm reads MNIST files', { skip: skipWithout('data/mnist') }, async () => {
  const folder = sharedPath('data/mnist') as string
  const words = ['--data', folder, '--agents', '2', '--rounds', '1', '--examples', '4000']
  const document = documentOf(await run('swarm', '--json', ...words))
  assert.ok(document.accuracy > 0.7, `${document.accuracy}`)
})

interface Line {
  readonly event: string
  readonly token?: string
  readonly addresses?: readonly string[]
  readonly swarm?: { readonly kind: string; readonly reason?: string; readonly workers?: number }
  readonly outcome?: { readonly rejected: number; readonly rounds: readonly unknown[] }
  readonly counts?: Readonly<Record<string, number>>
}

test('a worker that sends rubbish is sent away, a stranger that sends rubbish is closed, and the swarm goes on', async () => {
  const coordinator = start('swarm', 'coordinate', '--json', '--agents', '3', ...small)
  const lines: Line[] = []
  const seen = Promise.withResolvers<Line>()
  const tokens = Promise.withResolvers<readonly string[]>()
  createInterface({ input: coordinator.stdout as NodeJS.ReadableStream }).on('line', (text) => {
    const line = JSON.parse(text) as Line
    lines.push(line)
    const made = lines.flatMap((each) => (each.token === undefined ? [] : [each.token]))
    if (made.length === 3) tokens.resolve(made)
    if (line.event === 'finished') seen.resolve(line)
  })
  const [first, second, third] = await tokens.promise
  for (const token of [first, second])
    start('swarm', 'work', '--json', '--token', '-').stdin?.end(token)

  await using rogue = await createAgent({ name: 'rogue' })
  const chief = await rogue.join(third as string)
  const client = await connectCoordinator(rogue, chief)
  await client.registerAgent()
  const task = await client.requestTaskAssignment()
  const poison = new Uint8Array(new Float32Array(159_010).fill(Number.NaN).buffer)
  const update = {
    model: swarmModel,
    taskId: task?.taskId ?? '',
    round: 0,
    kind: 'weights' as const,
    examples: 400,
    shapes: [[159_010]],
    data: poison,
  }
  const answer = await rogue.request(chief, 'neural-update', update)
  assert.equal((answer.payload as { action: string }).action, 'rejected')
  await assert.rejects(client.registerAgent(), { code: 'FABRIC_HANDLER_REFUSED' })
  await assert.rejects(client.requestTaskAssignment(), { code: 'FABRIC_HANDLER_REFUSED' })
  await assert.rejects(
    rogue
      .send(chief, 'data', new Uint8Array(1))
      .then(() => rogue.request(chief, 'discovery', { action: 'query', records: [] })),
    {
      code: 'FABRIC_FORBIDDEN',
    },
  )

  const port = Number(/\/tcp\/(\d+)/.exec(lines[0]?.addresses?.[0] ?? '')?.[1])
  const stranger = connectSocket(port, '127.0.0.1')
  stranger.write('GET / HTTP/1.1\r\nhost: example\r\n\r\n')
  stranger.on('error', () => {})
  stranger.resume()
  await once(stranger, 'close')

  const { outcome } = await seen.promise
  assert.equal(outcome?.rejected, 1)
  assert.equal(outcome?.rounds.length, 3)
  const refusals = lines.find((line) => line.event === 'refusals')?.counts
  assert.ok((refusals?.['handshake-refused'] ?? 0) >= 1, JSON.stringify(refusals))
  assert.ok((refusals?.['message-forbidden'] ?? 0) >= 1, JSON.stringify(refusals))
  assert.ok(
    lines.some(
      (line) =>
        line.swarm?.kind === 'update-rejected' && line.swarm.reason === 'weights_not_finite',
    ),
  )
})
