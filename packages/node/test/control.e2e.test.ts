import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { base64urlEncode, utf8Encode } from '@myelin/base'
import { systemClock } from '@myelin/base/system'
import {
  type Control,
  connectControl,
  createAgent,
  createLogger,
  localControl,
  type NodeAgent,
  serveControl,
} from '@myelin/node'
import { controlLineBytesMax, controlRequestsMax } from '../src/control-limits.ts'

const root = mkdtempSync(join(tmpdir(), 'myelin-control-'))
after(() => rmSync(root, { recursive: true }))
let homes = 0

/** A home whose path fits a socket. */
function newHome(): string {
  homes += 1
  return join(root, String(homes))
}

const payload = (text: string) => base64urlEncode(utf8Encode(text))

interface Scene extends AsyncDisposable {
  readonly home: string
  readonly alice: NodeAgent
  readonly bob: NodeAgent
  readonly control: Control
}

/** Alice is served on a socket; bob has joined her and is reached over memory. */
async function scene(): Promise<Scene> {
  const stack = new AsyncDisposableStack()
  const home = newHome()
  const door = `/memory/control-${homes}`
  const alice = stack.use(await createAgent({ name: 'alice', home, listen: [door] }))
  const bob = stack.use(await createAgent({ name: 'bob' }))
  await meet(alice, bob)
  stack.use(await serveControl(alice, { home }))
  const control = stack.use(await connectControl(home))
  return { home, alice, bob, control, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

/** Bob joins; with the pong, the session is open on alice's side too. */
async function meet(alice: NodeAgent, bob: NodeAgent): Promise<void> {
  await bob.join(await alice.issueJoinToken())
  await bob.ping(alice.id)
}

/** A caller that writes what it likes. */
async function rawCaller(home: string) {
  const socket: Socket = connect(join(home, 'control.sock'))
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
  const next = async (): Promise<Answer> => {
    const { value, done } = await lines.next()
    return done === true ? {} : (JSON.parse(value) as Answer)
  }
  return { socket, next, [Symbol.dispose]: () => void socket.destroy() }
}

interface Answer {
  readonly id?: number | null
  readonly result?: unknown
  readonly error?: { readonly code: string; readonly message: string; readonly kind: string }
}

test('the socket is for this user alone', { skip: process.platform === 'win32' }, async () => {
  await using around = await scene()
  const info = statSync(join(around.home, 'control.sock'))
  assert.ok(info.isSocket())
  assert.equal(info.mode & 0o777, 0o600)
  assert.equal(statSync(around.home).mode & 0o777, 0o700)
})

test('status and peers tell who runs and with whom it talks', async () => {
  await using around = await scene()
  const { alice, bob, control } = around
  const status = await control.call('status', {})
  assert.deepEqual([status.agent, status.name, status.pid], [alice.id, 'alice', process.pid])
  assert.deepEqual([status.peers, status.addresses], [1, alice.addresses])
  const [peer] = (await control.call('peers', {})).peers
  assert.deepEqual([peer?.agent, peer?.name, peer?.roles], [bob.id, 'bob', ['member']])
  assert.deepEqual([peer?.direction, peer?.transport], ['in', 'memory'])
})

test('send reaches a handler, request brings its answer, ping measures', async () => {
  await using around = await scene()
  const { bob, control } = around
  const heard: unknown[] = []
  bob.handle('data', (message) => void heard.push([message.kind, message.payload]))
  bob.handle('echo', (message) => message.payload)
  const sent = await control.call('send', { to: 'bob', type: 'data', payload: payload('hi') })
  assert.deepEqual(sent, { agent: bob.id, name: 'bob', bytes: 2 })
  assert.deepEqual(heard, [['message', utf8Encode('hi')]])
  const answer = await control.call('request', { to: bob.id, type: 'echo', payload: payload('x') })
  assert.deepEqual(answer, { from: bob.id, type: 'echo', payload: payload('x') })
  const { roundTripMs } = await control.call('ping', { to: 'bob' })
  assert.ok(roundTripMs >= 0)
})

test('a type of one’s own needs to be called that, or it is refused as a typing error', async () => {
  await using around = await scene()
  const { bob, control } = around
  const message = { to: 'bob', type: 'my-type', payload: payload('x') }
  await assert.rejects(control.call('send', message), { code: 'FABRIC_TYPE_UNKNOWN' })
  const { promise: arrived, resolve } = Promise.withResolvers<unknown>()
  bob.types.register<Uint8Array>({
    name: 'my-type',
    encode: (bytes) => bytes,
    decode: (value) => ({ ok: true, value }),
  })
  bob.handle('my-type', (received) => resolve(received.payload))
  await control.call('send', { ...message, isCustom: true })
  assert.deepEqual(await arrived, utf8Encode('x'))
})

test('the errors of methods keep their code, message and kind', async () => {
  await using around = await scene()
  const { alice, bob, control } = around
  const send = { type: 'data', payload: '' }
  const stranger = (await createAgent()).id
  const faults: readonly (readonly [() => Promise<unknown>, object])[] = [
    [
      () => control.call('send', { ...send, to: 'carol' }),
      { code: 'FABRIC_PEER_UNKNOWN', kind: 'usage' },
    ],
    [
      () => control.call('send', { ...send, to: '/ip4/1.2.3.4' }),
      { code: 'NODE_CONTROL', kind: 'usage' },
    ],
    [
      () => control.call('send', { ...send, to: stranger }),
      { code: 'NODE_PEER', message: /trust add/ },
    ],
    [() => control.call('request', { ...send, to: bob.id }), { code: 'FABRIC_NO_HANDLER' }],
    [
      () => control.call('request', { to: 'bob', type: 'status-update', payload: payload('x') }),
      { code: 'NODE_CONTROL', message: /does not fit type "status-update"/ },
    ],
    [
      () => control.call('join', { token: 'myelin-join-x' }),
      { code: 'NODE_CONTROL', message: /copy it/ },
    ],
    [
      () => control.call('trust-add', { agent: alice.id }),
      { code: 'NODE_PEER', message: /itself/ },
    ],
    [
      () => control.call('trust-add', { agent: stranger, roles: ['king'] }),
      { code: 'NODE_CONTROL' },
    ],
    [() => control.call('trust-add', { agent: stranger, name: '/x' }), { code: 'NODE_CONTROL' }],
    [() => control.call('trust-add', { agent: stranger, name: 'bob' }), { code: 'NODE_PEER' }],
    [() => control.call('trust-remove', { agent: stranger }), { code: 'NODE_PEER' }],
    [() => control.call('invite', { addresses: ['nowhere'] }), { code: 'NODE_CONTROL' }],
  ]
  for (const [call, expected] of faults) await assert.rejects(call(), expected)
})

test('a request that nobody answers ends at its deadline', async () => {
  await using around = await scene()
  const { bob, control } = around
  const { promise, resolve } = Promise.withResolvers<Uint8Array>()
  bob.handle('echo', () => promise)
  const call = control.call('request', { to: 'bob', type: 'echo', payload: '', timeoutMs: 50 })
  await assert.rejects(call, { code: 'SESSION_REQUEST_TIMEOUT', kind: 'recoverable' })
  resolve(new Uint8Array())
})

test('an invitation lets one agent in, in its role, and names the addresses asked for', async () => {
  await using around = await scene()
  const { alice, control } = around
  const asked = { roles: ['worker'], lifetimeMs: 60_000, addresses: ['/ip4/192.0.2.1/tcp/4001'] }
  const elsewhere = await control.call('invite', asked)
  assert.deepEqual([elsewhere.roles, elsewhere.addresses], [['worker'], asked.addresses])
  const { token } = await control.call('invite', { roles: ['worker'] })
  await using carol = await createAgent({ name: 'carol' })
  const parts = { agent: carol, clock: systemClock }
  const joined = await localControl(parts).call('join', { token })
  assert.deepEqual([joined.agent, joined.name], [alice.id, 'alice'])
  assert.deepEqual(alice.trust.get(carol.id)?.roles, ['worker'])
  assert.equal(carol.memory.get(alice.id)?.isJoined, true)
  await using dave = await createAgent({ name: 'dave' })
  const again = localControl({ ...parts, agent: dave }).call('join', { token })
  await assert.rejects(again, { code: 'SESSION_TOKEN_UNKNOWN' })
  assert.deepEqual(dave.trust.list(), [])
})

test('trust is listed with the name that a peer gives itself, changed, and ends a session', async () => {
  await using around = await scene()
  const { alice, bob, control } = around
  const [entry] = (await control.call('trust-list', {})).entries
  assert.deepEqual([entry?.agent, entry?.ownName], [bob.id, 'bob'])
  await control.call('trust-add', { agent: bob.id, name: 'robert' })
  assert.deepEqual([alice.trust.get(bob.id)?.roles, alice.peers().length], [['member'], 1])
  await control.call('trust-add', { agent: bob.id, roles: ['observer'] })
  assert.equal(alice.trust.get(bob.id)?.name, 'robert')
  assert.equal(alice.peers().length, 0, 'a session with the old roles has ended')
  const removed = await control.call('trust-remove', { agent: 'robert' })
  assert.deepEqual([removed.entry.agent, removed.isConfigured], [bob.id, false])
  assert.equal(alice.trust.get(bob.id), undefined)
  await assert.rejects(bob.connect(alice.id), { code: 'SESSION_NOT_TRUSTED' })
})

test('an address given with the trust is remembered', async () => {
  await using around = await scene()
  await using carol = await createAgent({ name: 'carol', listen: ['/memory/control-carol'] })
  await carol.trust.add({ agent: around.alice.id, roles: ['member'], source: 'manual', addedMs: 0 })
  const agent = `/memory/control-carol/p2p/${carol.id}`
  await around.control.call('trust-add', { agent, name: 'carol' })
  assert.deepEqual(around.alice.memory.get(carol.id)?.addresses, ['/memory/control-carol'])
  assert.equal((await around.control.call('ping', { to: 'carol' })).agent, carol.id)
})

test('two peers of one name are told apart by their ids', async () => {
  await using around = await scene()
  await using other = await createAgent({ name: 'bob' })
  await meet(around.alice, other)
  await assert.rejects(around.control.call('ping', { to: 'bob' }), {
    code: 'NODE_PEER',
    message: /2 trusted agents are called "bob"/,
  })
  assert.equal((await around.control.call('ping', { to: other.id })).agent, other.id)
})

test('a caller hears what is wrong with a call, and may go on', async () => {
  await using around = await scene()
  using raw = await rawCaller(around.home)
  raw.socket.write('{"id":1,"method":"stop"}\n{"id":2,"method":"trust-list"}\n')
  const fault = await raw.next()
  assert.deepEqual([fault.id, fault.error?.code, fault.error?.kind], [1, 'NODE_CONTROL', 'usage'])
  assert.equal((await raw.next()).id, 2)
})

test('a caller that speaks no JSON is told so and hung up on', async () => {
  await using around = await scene()
  using raw = await rawCaller(around.home)
  raw.socket.write('GET / HTTP/1.1\n')
  assert.deepEqual(await raw.next(), {
    id: null,
    error: { code: 'NODE_CONTROL', message: 'a line must be JSON', kind: 'usage' },
  })
  assert.deepEqual(await raw.next(), {})
})

test('a line without an end is cut off at its bound', async () => {
  await using around = await scene()
  using raw = await rawCaller(around.home)
  raw.socket.write(new Uint8Array(controlLineBytesMax + 1).fill(0x20))
  assert.match((await raw.next()).error?.message ?? '', /^a line has at most \d+ bytes$/)
  assert.deepEqual(await raw.next(), {})
})

test('calls beyond the bound are refused while the others run', async () => {
  await using around = await scene()
  const { promise, resolve } = Promise.withResolvers<Uint8Array>()
  around.bob.handle('echo', () => promise)
  using raw = await rawCaller(around.home)
  const params = { to: 'bob', type: 'echo', payload: '' }
  for (let id = 0; id <= controlRequestsMax; id += 1)
    raw.socket.write(`${JSON.stringify({ id, method: 'request', params })}\n`)
  const refused = await raw.next()
  assert.equal(refused.id, controlRequestsMax)
  assert.match(refused.error?.message ?? '', /calls are in progress/)
  resolve(new Uint8Array())
  assert.equal((await raw.next()).error, undefined)
})

test('calls in progress hear that the daemon ends, and the socket is gone', async () => {
  const stack = new AsyncDisposableStack()
  await using _all = stack
  const home = newHome()
  const alice = stack.use(await createAgent({ home, listen: [`/memory/control-${homes}`] }))
  const bob = stack.use(await createAgent({ name: 'bob' }))
  await meet(alice, bob)
  const { promise, resolve } = Promise.withResolvers<Uint8Array>()
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
  bob.handle('echo', () => {
    begin()
    return promise
  })
  const server = await serveControl(alice, { home })
  await using control = await connectControl(home)
  const call = control.call('request', { to: 'bob', type: 'echo', payload: '' })
  await begun
  const failed = assert.rejects(call, { code: 'NODE_CONTROL', message: /shutting down/ })
  await server.close()
  await failed
  resolve(new Uint8Array())
  await assert.rejects(connectControl(home), { code: 'NODE_DAEMON_ABSENT', message: /myelin up/ })
})

test('one daemon serves a home', async () => {
  await using around = await scene()
  const second = serveControl(around.alice, { home: around.home })
  await assert.rejects(second, { code: 'NODE_DAEMON_RUNS', message: /stop it first/ })
})

test('no token and no payload reaches the log', async () => {
  const lines: string[] = []
  const sink = { hasColour: false, write: (text: string) => void lines.push(text), close: () => {} }
  const logger = createLogger({ level: 'trace', format: 'json', sink })
  const home = newHome()
  await using alice = await createAgent({ home, logger, listen: [`/memory/control-${homes}`] })
  await using _server = await serveControl(alice, { home, logger })
  await using control = await connectControl(home)
  const { token } = await control.call('invite', {})
  await using bob = await createAgent({ name: 'bob', logger })
  bob.handle('echo', (message) => message.payload)
  await bob.join(token)
  await bob.ping(alice.id)
  const secret = payload('a secret of ours')
  await control.call('request', { to: 'bob', type: 'echo', payload: secret })
  await assert.rejects(control.call('join', { token: `${token}x` }))
  const log = lines.join('')
  assert.ok(log.includes('peer-connected'))
  for (const word of [token.slice(60), secret, 'a secret of ours']) assert.ok(!log.includes(word))
})
