// The commands for one agent, as processes of their own: what they print, what they do, how they end.

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { verifies } from '@myelin/testkit'
import {
  type RunOptions,
  type RunResult,
  runMyelin,
  type StartOptions,
  startMyelin,
} from './run-myelin.ts'

const root = mkdtempSync(join(tmpdir(), 'myelin-agents-'))
after(() => rmSync(root, { recursive: true }))
let folders = 0

/** An agent in a folder of its own. */
class Place {
  readonly folder: string
  #id = ''

  constructor() {
    folders += 1
    this.folder = join(root, String(folders))
    mkdirSync(this.folder)
  }

  static async of(name: string, ...words: readonly string[]): Promise<Place> {
    const place = new Place()
    const made = await place.ok(['init', '--name', name, '--json', ...words])
    place.#id = (JSON.parse(made) as { agent: string }).agent
    return place
  }

  get id(): string {
    return this.#id
  }

  run(words: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return runMyelin(words, { cwd: this.folder, ...options })
  }

  start(words: readonly string[], options: StartOptions = {}) {
    return startMyelin(words, { cwd: this.folder, ...options })
  }

  /** The standard output of a command that must succeed. */
  async ok(words: readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(words, options)
    assert.equal(code, 0, `${words.join(' ')}: ${stderr}`)
    return stdout
  }

  /** Its document. */
  async json(words: readonly string[], options: RunOptions = {}): Promise<Document> {
    return JSON.parse(await this.ok([...words, '--json'], options)) as Document
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  /** `up` with whatever address is free; resolves when it is ready. */
  async up(...words: readonly string[]) {
    const running = this.start(['up', '--json', ...words])
    const ready = JSON.parse(await running.line(/"event":"ready"/)) as { addresses: string[] }
    return { running, address: ready.addresses[0] ?? '' }
  }
}

// biome-ignore lint/suspicious/noExplicitAny: the shape of each document is what its test asserts.
type Document = any

const anyPort = ['--listen', '/ip4/127.0.0.1/tcp/0']

test('init makes keys for this user alone and a configuration that says what it means', async () => {
  const alice = await Place.of('alice', ...anyPort)
  assert.match(alice.id, /^12D3KooW/)
  assert.equal(statSync(alice.path('.myelin')).mode & 0o777, 0o700)
  assert.equal(statSync(alice.path('.myelin/agent.key')).mode & 0o777, 0o600)
  assert.equal(readFileSync(alice.path('.myelin/.gitignore'), 'utf8'), '*\n')
  const text = readFileSync(alice.path('myelin.toml'), 'utf8')
  assert.match(text, /^# Addresses on which others may reach this agent\./m)
  const shown = await alice.json(['config', 'show'])
  const { name, home, listen, log } = shown.configuration
  assert.deepEqual([name, home, listen], ['alice', '.myelin', ['/ip4/127.0.0.1/tcp/0']])
  assert.equal(log.format, 'pretty')
})

test('init overwrites neither keys nor configuration', async () => {
  const place = await Place.of('alice')
  const before = ['.myelin/agent.key', 'myelin.toml'].map((name) =>
    readFileSync(place.path(name), 'utf8'),
  )
  const again = await place.run(['init'])
  assert.deepEqual([again.code, again.stdout], [1, ''])
  assert.match(again.stderr, /^error: CLI_HOME: an agent lives in \.myelin already; .*--home\n$/)
  const other = await place.run(['init', '--home', 'other'])
  assert.equal(other.code, 1)
  assert.match(other.stderr, /^error: CLI_INPUT: myelin\.toml is there already .*--config\n$/)
  assert.ok(!readdirSync(place.folder).includes('other'))
  const after = ['.myelin/agent.key', 'myelin.toml'].map((name) =>
    readFileSync(place.path(name), 'utf8'),
  )
  assert.deepEqual(after, before)
})

test('MYELIN_PASSPHRASE seals the keys, and nothing opens them without it', async () => {
  const place = new Place()
  const environment = { MYELIN_PASSPHRASE: 'correct horse' }
  const made = await place.json(['init'], { environment })
  assert.equal(made.isSealed, true)
  assert.ok(!('seed' in JSON.parse(readFileSync(place.path('.myelin/agent.key'), 'utf8'))))
  const without = await place.run(['up'])
  assert.equal(without.code, 1)
  assert.match(without.stderr, /^error: IDENTITY_PASSPHRASE: .*MYELIN_PASSPHRASE\)\n$/)
  const wrong = await place.run(['trust', 'list'], { environment: { MYELIN_PASSPHRASE: 'x' } })
  assert.match(wrong.stderr, /^error: IDENTITY_PASSPHRASE: the passphrase does not open [^\n]+\n$/)
  assert.deepEqual(await place.json(['trust', 'list'], { environment }), { trusted: [] })
})

test('two agents: invite, join, request, send, listen, peers, trust', async () => {
  verifies('R143')
  const [alice, bob] = await Promise.all([Place.of('alice', ...anyPort), Place.of('bob')])
  const { running } = await alice.up()
  await using _alice = running

  const invited = await alice.run(['invite', '--role', 'member', '--lifetime', '1h'])
  assert.equal(invited.code, 0)
  assert.match(invited.stdout, /^myelin-join-[\w-]+\n$/)
  assert.match(invited.stderr, /good for one agent, as member, until \d{4}-/)
  const joined = await bob.json(['join', '-'], { input: invited.stdout })
  assert.deepEqual([joined.agent, joined.name, joined.roles], [alice.id, 'alice', ['member']])
  const used = await bob.run(['trust', 'remove', alice.id])
  assert.equal(used.code, 0)
  const late = await Place.of('late')
  const refused = await late.run(['join', invited.stdout.trim()])
  assert.deepEqual([refused.code, refused.stdout], [1, ''])
  assert.match(refused.stderr, /^error: SESSION_TOKEN_UNKNOWN: [^\n]*used[^\n]*\n$/)

  // Without a daemon, and after the trust is back, bob finds alice again by the address of the first time.
  const where = `${(await alice.json(['invite'])).addresses[0]}/p2p/${alice.id}`
  await bob.ok(['trust', 'add', where, '--name', 'al'])
  const binary = Uint8Array.from({ length: 70_000 }, (_, i) => i % 256)
  const echoed = await bob.run(['request', 'al', 'echo', '-'], { input: binary })
  assert.deepEqual([echoed.code, Buffer.compare(echoed.bytes, binary)], [0, 0])
  const pong = await bob.json(['request', alice.id, 'ping'])
  assert.deepEqual([pong.from, pong.type, pong.encoding], [alice.id, 'pong', 'json'])

  const acknowledged = ['--delivery', 'at-least-once']
  assert.match(await bob.ok(['send', 'al', 'echo', 'hi', ...acknowledged]), /^sent 2 bytes of echo/)
  const unhandled = await bob.run(['send', 'al', 'data', 'hi', ...acknowledged])
  assert.deepEqual([unhandled.code, unhandled.stdout], [1, ''])
  assert.match(unhandled.stderr, /^error: FABRIC_NO_HANDLER: [^\n]*nobody handles this type\n$/)
  const wrong = await bob.run(['send', 'al', 'data', 'hi', '--delivery', 'perhaps'])
  assert.deepEqual([wrong.code, /neither at-most-once nor/.test(wrong.stderr)], [2, true])

  const words = ['--type', 'data', '--type', 'status-update', '--count', '3', '--peer', where]
  const listener = bob.start(['listen', '--json', ...words])
  await using _listener = listener
  await listener.line(/"event":"peer-connected"/)
  assert.match(
    await alice.ok(['send', 'bob', 'data', 'hello']),
    /^sent 5 bytes of data to bob 12D3/,
  )
  await alice.ok(['send', 'bob', 'data', '-'], { input: Uint8Array.of(0xff, 0x00) })
  const table = await alice.ok(['peers', '--ping'])
  assert.match(
    table,
    /^NAME +AGENT +ROLES +WAY +ADDRESS +SESSION +SENT +RECEIVED +ROUND TRIP\nbob +12D3/,
  )
  assert.match(table, /\npool: 0 sessions of ours, 0 idle; 0 opened, 0 ended or replaced\n$/)
  await alice.ok(['send', bob.id, 'status-update', '{"state":"busy"}'])
  assert.equal(await listener.exit, 0)
  const heard = listener.lines
    .filter((line) => line.startsWith('{"from"'))
    .map((line) => JSON.parse(line))
  assert.deepEqual(
    heard.map(({ from, type, payload, encoding }) => [from, type, payload, encoding]),
    [
      [alice.id, 'data', 'hello', 'text'],
      [alice.id, 'data', '/wA=', 'base64'],
      [alice.id, 'status-update', { state: 'busy' }, 'json'],
    ],
  )
  for (const { timestamp } of heard) assert.equal(new Date(timestamp).toISOString(), timestamp)

  await alice.ok(['trust', 'add', bob.id, '--name', 'robert', '--role', 'observer'])
  const [trusted] = (await alice.json(['trust', 'list'])).trusted
  assert.deepEqual([trusted.agent, trusted.name, trusted.roles], [bob.id, 'robert', ['observer']])
  const forbidden = await bob.run(['request', 'al', 'status-update', '{"state":"idle"}'])
  assert.match(forbidden.stderr, /^error: FABRIC_FORBIDDEN: [^\n]+\n$/)
  await alice.ok(['trust', 'remove', 'robert'])
  const stranger = await bob.run(['request', 'al', 'echo', 'hi'])
  assert.deepEqual([stranger.code, stranger.stdout], [1, ''])
  assert.match(stranger.stderr, /^error: SESSION_NOT_TRUSTED: [^\n]+\n$/)
  assert.deepEqual((await alice.json(['peers'])).peers, [])
})

test('up ends in order at SIGTERM and at SIGINT, and tells its peers', async () => {
  verifies('R144', 'R143')
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const [alice, bob] = await Promise.all([Place.of('alice'), Place.of('bob')])
    const socket = ['--listen', `/unix/${encodeURIComponent(alice.path('s'))}`]
    const { running: first } = await alice.up(...socket)
    await using _first = first
    const token = await alice.ok(['invite'])
    await bob.ok(['join', '-'], { input: token })
    const { running: second } = await bob.up()
    await using _second = second
    await second.line(/"event":"peer-connected"/)
    first.kill(signal)
    assert.equal(await first.exit, 0)
    const stopped = JSON.parse(await first.line(/"event":"agent-stopped"/))
    assert.equal(stopped.agent, alice.id)
    const gone = JSON.parse(await second.line(/"event":"peer-disconnected"/))
    assert.deepEqual([gone.agent, gone.code], [alice.id, 'SESSION_GOING_AWAY'])
    assert.ok(!readdirSync(alice.path('.myelin')).includes('control.sock'))
    // The daemon comes back, and its peer finds it without being told.
    const { running: again } = await alice.up(...socket)
    await using _again = again
    await again.line(/"event":"peer-connected"/)
  }
})

/** A listener that is in the middle of a message: nobody reads what it prints. */
async function stalledListener(...words: readonly string[]) {
  const [alice, bob] = await Promise.all([Place.of('alice'), Place.of('bob')])
  await alice.ok(['trust', 'add', bob.id])
  const door = `/unix/${encodeURIComponent(alice.path('s'))}`
  const options = { withStalledReader: true } as const
  const listener = alice.start(['listen', '--json', '--listen', door, ...words], options)
  await listener.line(/"event":"agent-started"/)
  await bob.ok(['trust', 'add', `${door}/p2p/${alice.id}`])
  // More than any pipe takes: the handler waits for its reader.
  await bob.ok(['send', alice.id, 'data', '-'], { input: new Uint8Array(2 ** 21).fill(0x61) })
  return listener
}

test('what does not end within shutdown.drainMs does not keep the process', async () => {
  verifies('R144')
  await using listener = await stalledListener('--set', 'shutdown.drainMs=100')
  listener.kill('SIGTERM')
  assert.equal(await listener.exit, 0)
})

test('a second signal ends it at once', async () => {
  verifies('R144')
  await using listener = await stalledListener('--set', 'shutdown.drainMs=3600000')
  listener.kill('SIGTERM')
  await listener.line(/"event":"agent-stopping"/)
  listener.kill('SIGTERM')
  assert.equal(await listener.exit, 128 + 15)
})

test('connects, handshakes and errors are JSON events of the log', async () => {
  verifies('R122', 'R149')
  const [alice, bob] = await Promise.all([Place.of('alice', ...anyPort), Place.of('bob')])
  const { running, address } = await alice.up()
  await using _running = running
  const port = Number(/tcp\/(\d+)/.exec(address)?.[1])
  connect(port, '127.0.0.1').end('GET / HTTP/1.1\r\n\r\n')
  await running.line(/"kind":"handshake-refused".*"detail":"SESSION_HANDSHAKE_MALFORMED \/ip4/)
  await bob.ok(['trust', 'add', address])
  assert.equal((await bob.run(['request', alice.id, 'echo', 'x'])).code, 1)
  await running.line(/"event":"security","kind":"peer-not-trusted"/)
  await alice.ok(['trust', 'add', bob.id])
  await bob.ok(['request', alice.id, 'echo', 'x'])
  const connected = JSON.parse(await running.line(/"event":"peer-connected"/))
  assert.deepEqual([connected.agent, connected.direction], [bob.id, 'in'])
  assert.match(connected.security, /^X[KX]hfs \S*(aes-256-gcm|chacha20-poly1305) (zstd|lz4|none)$/)
  assert.equal(typeof connected.handshakeMs, 'number')
  await running.line(/"event":"peer-disconnected"/)
  for (const line of running.lines) {
    const event = JSON.parse(line) as { event: string; time?: string; level?: string }
    if (event.event === 'ready') continue
    assert.match(event.time ?? '', /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    assert.match(event.level ?? '', /^(trace|debug|info|warn|error)$/)
  }
})

test('the log goes where the configuration says: pretty to the output, or to a file that rotates', async () => {
  verifies('R149')
  const [alice, bob] = await Promise.all([Place.of('alice', ...anyPort), Place.of('bob')])
  const pretty = alice.start(['up'])
  await using _pretty = pretty
  await pretty.line(/^\d{4}-\d\d-\d\dT[\d:.]+Z INFO {2}agent-started agent=12D3KooW/)
  pretty.kill('SIGTERM')
  await pretty.exit
  const file = [
    '--set',
    'log.file=logs/agent.log',
    '--set',
    'log.maxBytes=4096',
    '--set',
    'log.maxFiles=2',
  ]
  const { running, address } = await alice.up(...file, '--set', 'log.level=debug')
  await using _running = running
  await alice.ok(['trust', 'add', bob.id])
  await bob.ok(['trust', 'add', address])
  // Each start and end of this one is some lines: enough of them, and the file has to move on.
  for (let i = 0; i < 8; i += 1) await bob.ok(['request', alice.id, 'echo', 'x'])
  running.kill('SIGTERM')
  assert.equal(await running.exit, 0)
  assert.deepEqual(
    running.lines.map((line) => JSON.parse(line).event),
    ['ready'],
  )
  assert.deepEqual(readdirSync(alice.path('logs')).sort(), ['agent.log', 'agent.log.1'])
  const lines = ['agent.log.1', 'agent.log'].flatMap((name) =>
    readFileSync(alice.path(join('logs', name)), 'utf8')
      .trimEnd()
      .split('\n'),
  )
  assert.ok(statSync(alice.path('logs/agent.log.1')).size <= 4096)
  assert.equal(JSON.parse(lines.at(-1) ?? '').event, 'agent-stopped')
})

test('a peer that falls silent is noticed, and found again when it speaks', async () => {
  verifies('R143', 'R040')
  const [alice, bob] = await Promise.all([Place.of('alice', ...anyPort), Place.of('bob')])
  const { running: first, address } = await alice.up('--set', 'session.heartbeatIntervalMs=200')
  await using _first = first
  await alice.ok(['trust', 'add', bob.id, '--name', 'bob'])
  // Bob's only source of peers is his configuration.
  const { running: second } = await bob.up(
    '--peer',
    address,
    '--set',
    'session.heartbeatIntervalMs=200',
  )
  await using _second = second
  await first.line(/"event":"peer-connected"/)
  second.kill('SIGSTOP')
  const timeout = await alice.run(['request', 'bob', 'echo', 'x', '--timeout-ms', '100'])
  assert.equal(timeout.code, 1)
  const gone = JSON.parse(await first.line(/"event":"peer-disconnected"/))
  assert.deepEqual([gone.agent, gone.code], [bob.id, 'SESSION_PEER_DEAD'])
  const before = first.lines.length
  second.kill('SIGCONT')
  await second.line(/"event":"peer-lost"/)
  await second.line(/"event":"peer-connected"/)
  await alice.ok(['request', 'bob', 'echo', 'x'])
  assert.ok(first.lines.slice(before).some((line) => line.includes('"event":"peer-connected"')))
})

test('a request without an answer ends at its timeout', async () => {
  verifies('R143')
  const [alice, bob] = await Promise.all([Place.of('alice', ...anyPort), Place.of('bob')])
  const { running: first, address } = await alice.up()
  await using _first = first
  await alice.ok(['trust', 'add', bob.id, '--name', 'bob'])
  const { running: second } = await bob.up('--peer', address)
  await using _second = second
  await first.line(/"event":"peer-connected"/)
  second.kill('SIGSTOP')
  const { code, stdout, stderr } = await alice.run([
    'request',
    'bob',
    'echo',
    'x',
    '--timeout-ms',
    '300',
  ])
  assert.deepEqual([code, stdout], [1, ''])
  assert.match(stderr, /^error: SESSION_REQUEST_TIMEOUT: no response within \d+ ms; [^\n]+\n$/)
})

test('without a daemon peers says how to start one, and invite needs an address that will hold', async () => {
  const place = await Place.of('alice', ...anyPort)
  const peers = await place.run(['peers'])
  assert.deepEqual([peers.code, peers.stdout], [1, ''])
  assert.equal(
    peers.stderr,
    'error: NODE_DAEMON_ABSENT: no daemon runs for .myelin; start one with: myelin up\n',
  )
  const invite = await place.run(['invite'])
  assert.equal(invite.code, 1)
  assert.match(
    invite.stderr,
    /^error: CLI_INPUT: no daemon runs and listen names no fixed address; .*--address\n$/,
  )
  const given = await place.json(['invite', '--address', '/ip4/192.0.2.1/tcp/4001'])
  assert.deepEqual(given.addresses, ['/ip4/192.0.2.1/tcp/4001'])
  const fixed = await place.json(['invite', '--set', 'listen=/ip4/127.0.0.1/tcp/4001'])
  assert.deepEqual(fixed.addresses, ['/ip4/127.0.0.1/tcp/4001'])
})

test('a home has one daemon, and the commands find it', async () => {
  const alice = await Place.of('alice', ...anyPort)
  const { running } = await alice.up()
  await using _running = running
  for (const words of [['up'], ['listen']]) {
    const second = await alice.run(words)
    assert.equal(second.code, 1)
    assert.match(second.stderr, /^error: NODE_DAEMON_RUNS: [^\n]+\n$/)
  }
  assert.deepEqual((await alice.json(['peers'])).peers, [])
  running.kill('SIGTERM')
  assert.equal(await running.exit, 0)
})
