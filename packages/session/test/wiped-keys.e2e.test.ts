// Where keys go when they are no longer needed, and where they never show. In a process of its own: it watches every key
// that any session of the process uses.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { type Logger, utf8Encode } from '@myelin/base'
import { systemRandom } from '@myelin/base/system'
import { HandshakeState, SecretBytes } from '@myelin/crypto'
import { decodeJoinToken, encodeJoinToken, type JoinToken } from '@myelin/identity'
import { acceptSession, type Candidate, dialSession, SessionError } from '@myelin/session'
import { VirtualClock, verifies } from '@myelin/testkit'
import { awaitHandshake, beginHandshake } from '../src/handshake.ts'
import type { Established } from '../src/handshake-steps.ts'
import { flip, type Rule, tamper } from './interceptor.ts'
import { connect, type Party, party, until, wire } from './pair.ts'
import { attempt, codeOf } from './scene.ts'
import { isWiped, KeyWatch, leaksIn, RandomWatch } from './secret-watch.ts'

const abilities = {
  versionMin: 1,
  versionMax: 1,
  // Another suite than the handshake's, so that a key's algorithm tells which of the two it is of.
  suites: ['aes-256-gcm'],
  compressions: ['zstd', 'none'],
} as const

test('keys are wiped as they are replaced, and all of them when the session ends', async () => {
  verifies('R096', 'R029')
  using watch = new KeyWatch()
  const rekey = { messages: 1, bytes: 1e9, ms: 1e9 }
  const [alice, bob] = [party({ rekey, abilities }), party({ rekey, abilities })]
  bob.onMessage = (message) => message.reply(message.payload)
  const { near, far } = await connect(alice, bob)
  const handshake = watch.keys.length
  for (let i = 0; i < 5; i += 1) await near.request('echo', utf8Encode(`${i}`))
  assert.ok(near.stats.rekeysSent >= 5 && far.stats.rekeysSent >= 5)
  assert.ok(watch.keys.length >= handshake + 16, 'four more keys, two directions, two ends')
  // What is left are the keys in use: one to seal and one to open, on each side.
  assert.ok(watch.keys.filter((key) => !isWiped(key)).length <= 4)
  await Promise.all([near.close(), far.close()])
  assert.deepEqual(
    watch.keys.filter((key) => !isWiped(key)),
    [],
  )
})

test('a session that is lost takes its keys with it, on both sides', async () => {
  verifies('R096')
  using watch = new KeyWatch()
  const [alice, bob] = [party(), party()]
  const [raw, far] = await wire()
  const accepting = acceptSession(far, bob.environment, { handlers: bob.handlers })
  const near = await dialSession(raw, alice.environment, { handlers: alice.handlers })
  await accepting
  near.post('data', utf8Encode('x'))
  await until(() => bob.messages.length === 1)
  assert.ok(watch.keys.some((key) => !isWiped(key)))
  raw.destroy()
  await until(() => alice.ended.length + bob.ended.length === 2)
  assert.ok(watch.keys.every(isWiped))
})

test('a handshake leaves no key, no ephemeral and no seed behind', async () => {
  verifies('R096')
  for (const isStaticKnown of [false, true]) {
    using watch = new KeyWatch()
    const [near, far] = [new RandomWatch(), new RandomWatch()]
    const [alice, bob] = [party({ random: near, abilities }), party({ random: far, abilities })]
    const { staticKey } = bob.keys
    const known = isStaticKnown ? { staticKey: staticKey.publicKey } : {}
    const sessions = await connect(alice, bob, known)
    assert.ok(watch.keys.length >= 6)
    // The records' keys are in use; all others were the handshake's.
    assert.equal(watch.keys.filter((key) => !isWiped(key)).length, 4)
    // The hello's nonce, an X25519 ephemeral and an ML-KEM seed; the responder draws a challenge, no seed.
    assert.deepEqual(near.drawn.map((drawn) => drawn.secret.length).sort(), [32, 32, 64])
    assert.equal(near.drawn.filter((drawn) => !isWiped(drawn)).length, 1, 'only the nonce')
    assert.equal(far.drawn.length, 2)
    assert.equal(far.drawn.filter((drawn) => !isWiped(drawn)).length, 1, 'only the challenge')
    await Promise.all([sessions.near.close(), sessions.far.close()])
  }
})

const lastByte = (payload: Uint8Array) => flip(payload, payload.length - 1)

interface Failure {
  readonly code: string
  readonly rule?: Rule
  readonly isStaticKnown?: boolean
  readonly change?: (alice: Party, bob: Party) => void
  readonly bob?: Parameters<typeof party>[0]
}

const failures: Readonly<Record<string, Failure>> = {
  'a hello that was altered': {
    rule: tamper('toResponder', 0, lastByte),
    isStaticKnown: true,
    code: 'SESSION_HANDSHAKE_DECRYPT',
  },
  'an answer that was altered': {
    rule: tamper('toInitiator', 0, lastByte),
    code: 'SESSION_HANDSHAKE_DECRYPT',
  },
  'a last message that was altered': {
    rule: tamper('toResponder', 1, lastByte),
    code: 'SESSION_HANDSHAKE_DECRYPT',
  },
  'a hello of another time': {
    bob: { timestampWindowMs: -1 },
    isStaticKnown: true,
    code: 'SESSION_TIMESTAMP',
  },
  'a hello that came before': {
    bob: { nonces: { accept: () => false } as never },
    isStaticKnown: true,
    code: 'SESSION_NONCE_REPEATED',
  },
  'no suite in common': {
    bob: { abilities: { ...abilities, suites: ['chacha20-poly1305'] } },
    isStaticKnown: true,
    code: 'SESSION_SUITE',
  },
  'a peer that is not trusted': {
    bob: { authorize: () => ({ isAdmitted: false, code: 'SESSION_NOT_TRUSTED' }) },
    code: 'SESSION_NOT_TRUSTED',
  },
  'a decision that fails': {
    bob: { authorize: () => Promise.reject(new Error('no disk')) },
    code: 'SESSION_INTERNAL',
  },
}

for (const [what, failure] of Object.entries(failures)) {
  test(`${what} leaves no key behind`, async () => {
    verifies('R096')
    using watch = new KeyWatch()
    const drawn = [new RandomWatch(), new RandomWatch()] as const
    const clock = new VirtualClock()
    const alice = party({ clock, random: drawn[0], abilities })
    const bob = party({ clock, random: drawn[1], abilities, ...failure.bob })
    const { publicKey: staticKey } = bob.keys.staticKey
    const { accepted, dialed } = await attempt(alice, bob, {
      ...(failure.isStaticKnown === true ? { staticKey } : {}),
      ...(failure.rule === undefined ? {} : { rule: failure.rule }),
    })
    assert.ok([codeOf(accepted), codeOf(dialed)].includes(failure.code))
    assert.ok(watch.keys.length > 0, 'keys were in use')
    assert.deepEqual(
      watch.keys.filter((key) => !isWiped(key)),
      [],
    )
    for (const { drawn: draws } of drawn)
      assert.ok(draws.filter((key) => !isWiped(key)).length <= 1)
  })
}

test('no secret is in a log, in an error or in what a session prints', async () => {
  verifies('R096')
  using watch = new KeyWatch()
  const [logger, logged] = recordingLogger()
  const random = [new RandomWatch(), new RandomWatch()] as const
  const token = systemRandom.fill(new Uint8Array(32))
  const candidates: Candidate[] = []
  const authorize = (candidate: Candidate) => {
    candidates.push(candidate)
    return { isAdmitted: true, roles: [] } as const
  }
  const clock = new VirtualClock()
  const rekey = { messages: 1, bytes: 1e9, ms: 1e9 }
  const common = { clock, logger, abilities, rekey, authorize }
  const [alice, bob] = [
    party({ ...common, random: random[0] }),
    party({ ...common, random: random[1] }),
  ]
  bob.onMessage = (message) => void (message.kind === 'request' && message.reply(message.payload))
  const { near, far } = await connect(alice, bob, { token })
  for (let i = 0; i < 3; i += 1) await near.request('echo', utf8Encode(`${i}`))
  const errors = await failuresOf(alice, bob)
  const seen = [near, far, alice.environment, bob.environment, alice.keys, bob.keys, ...candidates]
  const live = seen.map(printed)
  errors.push(await near.request('echo', utf8Encode('x'), { timeoutMs: 0 }).catch((e) => e))
  await Promise.all([near.close(), far.close()])
  errors.push(...alice.ended, ...bob.ended)

  const secrets = [
    token,
    ...[alice, bob].flatMap(({ keys }) => Object.values(keys.exportSecrets())),
    ...watch.keys.map(({ secret }) => secret),
    // Nonces and challenges are drawn too; they are no secrets, and still not for the log.
    ...random.flatMap(({ drawn }) => drawn.map(({ secret }) => secret)),
  ]
  assert.ok(secrets.length > 20 && logged.length > 0 && errors.length > 5)
  assert.ok(candidates.some((candidate) => candidate.token !== undefined))
  const texts = [...logged, ...errors.map(printed), ...live, ...seen.map(printed)]
  assert.deepEqual(leaksIn(texts.join('\n'), secrets), [])
  // The control: a text that does give one away is found, in each form.
  for (const secret of [token, secrets.at(-1) as Uint8Array]) {
    for (const text of [
      inspect({ secret }),
      JSON.stringify({ secret: [...secret] }, null, 2),
      Buffer.concat([Buffer.from('x'), secret]).toString('base64'),
      Buffer.from(secret).toString('hex'),
    ])
      assert.ok(leaksIn(text, [secret]).length > 0, text)
  }
})

test('values that carry a secret print and serialise without it', () => {
  verifies('R096')
  const [alice, bob] = [party(), party()]
  const secret = systemRandom.fill(new Uint8Array(32))
  const issued: JoinToken = {
    issuer: alice.keys.agent,
    staticKey: alice.keys.staticKey.publicKey,
    expiresMs: 1,
    secret,
    addresses: ['/memory/x'],
  }
  const decoded = decodeJoinToken(encodeJoinToken(issued))
  assert.ok(decoded.ok)
  assert.deepEqual(decoded.value.secret, secret)
  assert.deepEqual(decoded.value, issued, 'the fields are all there')
  const established = handshake(alice, bob, secret)
  const noise = new HandshakeState({
    protocolName: 'Noise_NN_25519_ChaChaPoly_SHA256',
    initiator: true,
    prologue: secret,
    random: systemRandom,
  })
  const secrets = [secret, ...established.flatMap(({ secrets: s }) => [s.send, s.receive])]
  const values = [decoded, decoded.value, ...established, noise, new SecretBytes(secret.slice())]
  for (const value of values) {
    assert.deepEqual(leaksIn(printed(value), secrets), [])
    assert.deepEqual(leaksIn(printed({ deep: [{ value }] }), secrets), [])
  }
  assert.match(inspect(decoded.value), /secret: '\[redacted\]'/)
  assert.match(inspect(decoded.value), /\/memory\/x/)
})

/** All that a value says of itself. */
function printed(value: unknown): string {
  const options = {
    showHidden: true,
    depth: Number.POSITIVE_INFINITY,
    maxArrayLength: null,
  } as const
  const parts = [inspect(value, options), String(value), json(value)]
  for (let error = value; error instanceof Error; error = error.cause)
    parts.push(error.message, error.stack ?? '', json(error), json({ ...error }))
  return parts.join('\n')
}

/** What has a circle or a function in it is printed all the same. */
function json(value: unknown): string {
  const above = new Set<unknown>()
  return (
    JSON.stringify(value, (_, inner: unknown) => {
      if (typeof inner !== 'object' || inner === null) return inner
      if (above.has(inner)) return undefined
      above.add(inner)
      return inner instanceof Map ? [...inner] : inner
    }) ?? ''
  )
}

function recordingLogger(): [Logger, string[]] {
  const lines: string[] = []
  const logger: Logger = {
    log: (level, event, fields) => lines.push(`${level} ${event} ${printed(fields)}`),
    child: () => logger,
  }
  return [logger, lines]
}

/** Handshakes that fail between two, in several ways. */
async function failuresOf(alice: Party, bob: Party): Promise<unknown[]> {
  const { publicKey: staticKey } = bob.keys.staticKey
  const rules = [
    tamper('toResponder', 0, lastByte),
    tamper('toInitiator', 0, lastByte),
    tamper('toResponder', 1, lastByte),
  ]
  const outcomes: unknown[] = []
  for (const rule of rules) {
    const { dialed, accepted } = await attempt(alice, bob, { rule, staticKey })
    outcomes.push(dialed, accepted)
  }
  const wrong = await attempt(alice, bob, { expected: alice.keys.agent, staticKey })
  outcomes.push(wrong.dialed)
  const errors = outcomes.filter((outcome) => outcome instanceof SessionError)
  assert.ok(errors.length >= 5)
  return errors
}

/** The outcomes of a handshake between two, without a session around it. */
function handshake(alice: Party, bob: Party, token: Uint8Array): Established[] {
  const nowMs = alice.environment.clock.wallMs()
  const context = ({ environment, record }: Party) => ({ ...environment, record })
  const begun = beginHandshake({ ...context(alice), token }, nowMs)
  const answered = awaitHandshake(context(bob)).receive(begun.send, nowMs)
  assert.ok(answered.kind === 'continue')
  const finished = begun.next.receive(answered.send, nowMs)
  assert.ok(finished.kind === 'established' && finished.send !== undefined)
  const accepted = answered.next.receive(finished.send, nowMs)
  assert.ok(accepted.kind === 'established')
  assert.deepEqual(accepted.established.token, token)
  return [finished.established, accepted.established]
}
