// Bad input to the commands for one agent: one line that names fault and mend, the right exit code, no stack.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { runCli } from '../src/cli.ts'

const folder = mkdtempSync(join(tmpdir(), 'myelin-faults-'))
after(() => rmSync(folder, { recursive: true }))
const home = join(folder, 'home')
let id = ''

async function run(...words: readonly string[]) {
  const written = { stdout: '', stderr: '' }
  const streamOf = (name: 'stdout' | 'stderr') => ({
    write: (content: string | Uint8Array) => {
      written[name] += String(content)
    },
  })
  const code = await runCli(words, {
    stdout: streamOf('stdout'),
    stderr: streamOf('stderr'),
    environment: {},
    signal: () => new AbortController().signal,
  })
  return { code, ...written }
}

/** `--home` stands behind the words of each command. */
async function fails(code: number, words: readonly string[], pattern: RegExp): Promise<void> {
  const result = await run(...words, '--home', home)
  assert.deepEqual([result.code, result.stdout], [code, ''], `${words.join(' ')}: ${result.stderr}`)
  assert.match(result.stderr, pattern)
  assert.match(
    result.stderr,
    code === 2 ? /^myelin: [^\n]+; see "myelin [^\n]+\n$/ : /^error: [A-Z]/,
  )
  assert.doesNotMatch(result.stderr, /\n {4}at |undefined|\[object/)
}

before(async () => {
  const { stdout } = await run('init', '--json', '--home', home, '--config', join(folder, 'm.toml'))
  id = (JSON.parse(stdout) as { agent: string }).agent
})

test('a wrong message is a fault of the command line', async () => {
  await fails(2, ['send', 'bob'], /TYPE is missing; usage: /)
  await fails(2, ['send', 'bob', 'dta', 'x'], /unknown message type "dta".*did you mean "data"/)
  await fails(
    2,
    ['request', 'bob', 'status-update', '{}'],
    /state must be one of .*write it such as/,
  )
  await fails(
    2,
    ['request', 'bob', 'echo', 'x', '--timeout-ms', 'soon'],
    /is no whole number from 1/,
  )
  await fails(2, ['listen', '--count', '0'], /--count "0" is no whole number/)
})

test('a target that can never be one is a fault of the command line, an unknown one a failure', async () => {
  const peer = `/ip4/127.0.0.1/tcp/1/p2p/${id}`
  await fails(2, ['send', '/ip4/127.0.0.1/tcp/1', 'data'], /names no agent: give an agent id/)
  await fails(2, ['send', peer.replace('tcp', 'sctp'), 'data'], /is of no supported form; use/)
  await fails(
    1,
    ['send', 'bob', 'data', 'x'],
    /^error: FABRIC_PEER_UNKNOWN: "bob": no peer has this/,
  )
  await fails(
    1,
    ['send', id.replace(/.$/, 'X'), 'data'],
    /^error: NODE_PEER: .*myelin trust add 12D3/,
  )
})

test('a wrong token, role, name, time or agent says what would be right', async () => {
  await fails(
    2,
    ['join', 'not-a-token'],
    /the join token cannot be read \(token_text\); copy it whole/,
  )
  await fails(2, ['trust', 'add', 'bob'], /"bob" names no agent/)
  await fails(
    2,
    ['trust', 'add', id.replace(/.$/, 'X'), '--role', 'king'],
    /use one of member, worker/,
  )
  await fails(
    2,
    ['trust', 'add', id.replace(/.$/, 'X'), '--name', '-'],
    /"-" cannot be a name: use/,
  )
  await fails(2, ['invite', '--lifetime', 'long'], /is no time such as 30m/)
  await fails(2, ['invite', '--address', '/ip4/1.2.3.4'], /is of no supported form/)
  await fails(1, ['trust', 'add', id], /^error: NODE_PEER: .* is this agent itself/)
  await fails(
    1,
    ['trust', 'remove', 'bob'],
    /^error: NODE_PEER: no trusted agent is "bob"; .*trust list/,
  )
})

test('init refuses what no later command would accept', async () => {
  await fails(2, ['init', '--name', 'a b'], /expected 1 to 64 letters/)
  await fails(2, ['init', '--listen', '127.0.0.1:4001'], /does not start with "\/"/)
  await fails(2, ['init', '--peer', '/ip4/127.0.0.1/tcp/1'], /peers: item 1, .* is not allowed/)
  await fails(2, ['init', '--config', 'myelin.json'], /does not end in \.toml/)
  await fails(1, ['init'], /^error: CLI_HOME: an agent lives in .* already; /)
})

test('a group without a command lists what it has', async () => {
  const { code, stderr } = await run('trust')
  assert.equal(code, 2)
  assert.match(
    stderr,
    /^myelin: trust needs one of: list, add, remove; see "myelin trust --help"\n$/,
  )
})

test('a daemon that cannot start says why', async () => {
  await fails(
    1,
    ['up', '--listen', '/ip4/999.0.0.1/tcp/1'],
    /^error: TRANSPORT_ADDRESS: .* is no multi/,
  )
  await fails(
    1,
    ['up', '--set', 'log.level=loud'],
    /^error: CLI_CONFIGURATION: .*\n {2}log\.level: "loud"/,
  )
  const none = await run('up', '--home', join(folder, 'nowhere'))
  assert.equal(none.code, 1)
  assert.match(
    none.stderr,
    /^error: CLI_HOME: no agent lives in .*nowhere; make one with "myelin init/,
  )
})

test('damaged files of the home are named with their mend', async () => {
  const files: readonly (readonly [string, RegExp])[] = [
    ['join-tokens.json', /^error: IDENTITY_TOKEN: join-tokens\.json is damaged; delete it/],
    [
      'trust.json',
      /^error: IDENTITY_TRUST: trust\.json cannot be used: .*; restore it or delete it/,
    ],
    ['peers.json', /^error: NODE_HOME: peers\.json in the home cannot be used: it is not JSON; /],
    [
      'agent.key',
      /^error: IDENTITY_KEY_FILE: agent\.key cannot be used: it is not JSON; restore it/,
    ],
  ]
  for (const [name, pattern] of files) {
    writeFileSync(join(home, name), '{', { mode: 0o600 })
    await fails(1, ['trust', 'list'], pattern)
    if (name !== 'agent.key') rmSync(join(home, name))
  }
})
