// Over every byte-stream transport: who does not prove who it is, or is not trusted, gets no
// session (R002), and who does gets one.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acceptSession, type DialSessionOptions, dialSession, SessionError } from '@myelin/session'
import { verifies } from '@myelin/testkit'
import { type Party, party } from './pair.ts'
import { everyPlace } from './places.ts'
import { codeOf, type Outcome, outcomeOf } from './scene.ts'

verifies('R002', 'R068')

for (const { name, transport, addresses } of everyPlace) {
  /** One attempt over a connection of its own. */
  async function attempt(
    caller: Party,
    called: Party,
    options: Partial<DialSessionOptions> = {},
  ): Promise<[dialed: Outcome, accepted: Outcome]> {
    const { at, clear } = await addresses()
    const accepting = Promise.withResolvers<Outcome>()
    const listener = await transport.listen(at, (stream) => {
      const { environment, handlers } = called
      accepting.resolve(outcomeOf(acceptSession(stream, environment, { handlers })))
    })
    const stream = await transport.dial(listener.addresses[0] as string)
    const { environment, handlers } = caller
    const dialing = dialSession(stream, environment, { handlers, ...options })
    const outcomes = await Promise.all([outcomeOf(dialing), accepting.promise])
    for (const one of outcomes) if (!(one instanceof SessionError)) await one.close()
    await listener.close()
    await clear()
    return outcomes
  }

  test(`${name}: both sides prove who they are`, async () => {
    const [alice, bob] = [party(), party()]
    const [dialed, accepted] = await attempt(alice, bob, { expected: bob.keys.agent })
    assert.ok(!(dialed instanceof SessionError) && !(accepted instanceof SessionError))
    assert.deepEqual([dialed.peer.agent, accepted.peer.agent], [bob.keys.agent, alice.keys.agent])
  })

  test(`${name}: another agent than the one called is refused`, async () => {
    const [alice, bob, mallory] = [party(), party(), party()]
    const [dialed] = await attempt(alice, mallory, { expected: bob.keys.agent })
    assert.equal(codeOf(dialed), 'SESSION_WRONG_AGENT')
    const thief = party({ record: () => bob.record })
    assert.equal(codeOf((await attempt(alice, thief))[0]), 'SESSION_STATIC_KEY')
    const { publicKey: staticKey } = bob.keys.staticKey
    assert.equal(
      codeOf((await attempt(alice, mallory, { staticKey }))[0]),
      'SESSION_HANDSHAKE_DECRYPT',
    )
  })

  test(`${name}: a caller that is a stranger, or lies about who it is, is refused`, async () => {
    const [alice, mallory] = [party(), party()]
    const strict = party({
      authorize: ({ peer }) =>
        peer.agent === alice.keys.agent
          ? { isAdmitted: true, roles: [] }
          : { isAdmitted: false, code: 'SESSION_NOT_TRUSTED' },
    })
    assert.equal(codeOf((await attempt(alice, strict))[1]), 'open')
    const stranger = await attempt(mallory, strict)
    assert.deepEqual(stranger.map(codeOf), ['SESSION_NOT_TRUSTED', 'SESSION_NOT_TRUSTED'])
    const liar = party({ record: () => alice.record })
    assert.equal(codeOf((await attempt(liar, strict))[1]), 'SESSION_STATIC_KEY')
  })

  test(`${name}: a caller that proves nothing is refused`, async () => {
    const { at, clear } = await addresses()
    const bob = party()
    const accepting = Promise.withResolvers<Outcome>()
    const listener = await transport.listen(at, (stream) => {
      const { environment, handlers } = bob
      accepting.resolve(outcomeOf(acceptSession(stream, environment, { handlers })))
    })
    const stream = await transport.dial(listener.addresses[0] as string)
    const closed = Promise.withResolvers<void>()
    stream.attach({
      data: () => {},
      drain: () => {},
      end: () => stream.end(),
      closed: () => closed.resolve(),
    })
    stream.write(new TextEncoder().encode('let me in'))
    assert.equal(codeOf(await accepting.promise), 'SESSION_HANDSHAKE_MALFORMED')
    await closed.promise
    await listener.close()
    await clear()
  })
}
