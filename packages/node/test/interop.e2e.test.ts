import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { createAgent, type NodeAgent } from '@myelin/node'

const peer = resolve(import.meta.dirname, 'interop/peer.py')
const probe = 'import cryptography.hazmat.primitives.asymmetric.mlkem'
const skip =
  spawnSync('python3', ['-c', probe]).status === 0
    ? false
    : 'no python3 with cryptography >= 47 here: pip install cryptography'

async function run(
  token: string,
  pattern: number,
  suite: number,
): Promise<{ code: number; said: string[]; stderr: string }> {
  const child = spawn('python3', [peer, String(pattern), String(suite)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  child.stdin.end(token)
  const [code] = (await once(child, 'close')) as [number]
  return { code, said: stdout.trim().split('\n'), stderr }
}

/** An agent that answers all that the peer asks. */
async function door(): Promise<NodeAgent> {
  const agent = await createAgent({ name: 'door', listen: ['/ip4/127.0.0.1/tcp/0'] })
  agent.handle('echo', ({ payload }) => payload)
  agent.handleStream('cat', async (stream) => {
    for await (const chunk of stream) stream.write(chunk)
    stream.finish()
  })
  return agent
}

const everything = [
  'joined',
  'echo',
  'large_after_key_update',
  'unknown_type',
  'stream',
  'ping',
  'broken_rule',
]
const combinations = [
  [1, 1, 'XKhfs chacha20-poly1305 none'],
  [1, 2, 'XKhfs aes-256-gcm none'],
  [2, 1, 'XXhfs chacha20-poly1305 none'],
  [2, 2, 'XXhfs aes-256-gcm none'],
] as const

for (const [pattern, suite, security] of combinations) {
  test(`an implementation in Python, written from the specification, talks to us: ${security}`, {
    skip,
  }, async () => {
    await using agent = await door()
    const seen: string[] = []
    agent.watchPeers((event) => {
      if (event.kind === 'connected') seen.push(event.peer.security)
      else if (event.kind === 'disconnected') seen.push(event.code)
    })
    const { said, stderr } = await run(await agent.issueJoinToken(), pattern, suite)
    assert.deepEqual(said, everything, stderr)
    assert.deepEqual(seen, [security, 'SESSION_PROTOCOL'])
  })
}

test('the Python implementation is refused with a used token, by number', { skip }, async () => {
  await using agent = await door()
  const token = await agent.issueJoinToken()
  await run(token, 1, 1)
  const { code, stderr } = await run(token, 1, 1)
  assert.equal(code, 1)
  // SESSION_TOKEN_UNKNOWN is 31.
  assert.match(stderr, /refused 31/)
})
