// What somebody on the line sees (R001): real sockets, a recorder between the two ends, and nothing of what the
// agents say in what it recorded. The same recorder finds the same words where they are sent raw.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { publicKeyOf } from '@myelin/identity'
import { acceptSession, dialSession } from '@myelin/session'
import { verifies } from '@myelin/testkit'
import type { ByteStream, StreamTransport } from '@myelin/transport'
import { type Party, party, until } from './pair.ts'
import { type Place, places } from './places.ts'

verifies('R001')

const marker = 'MARKER-2f7c-of-the-application'
const markers = {
  message: `${marker}-message`,
  request: `${marker}-request`,
  reply: `${marker}-reply`,
  failure: `${marker}-failure`,
  stream: `${marker}-stream`,
  type: `${marker}-type`,
  streamType: `${marker}-stream-type`,
  reason: `${marker}-reason`,
}
const bytes = (text: string) => new TextEncoder().encode(text)

interface Recorder extends AsyncDisposable {
  readonly address: string
  /** All bytes of both directions, in order of arrival. */
  recorded(): { toListener: Buffer; toDialer: Buffer }
}

/** Passes streams on to `target` and keeps a copy of everything. */
async function recorder(
  transport: StreamTransport,
  listenAt: string,
  target: string,
): Promise<Recorder> {
  const [there, back]: [Uint8Array[], Uint8Array[]] = [[], []]
  const listener = await transport.listen(listenAt, (dialer) => {
    dialer.pause()
    void transport.dial(target).then((onward) => {
      pass(dialer, onward, there)
      pass(onward, dialer, back)
      dialer.resume()
    })
  })
  return {
    address: listener.addresses[0] as string,
    recorded: () => ({ toListener: Buffer.concat(there), toDialer: Buffer.concat(back) }),
    [Symbol.asyncDispose]: () => listener.close(),
  }
}

function pass(from: ByteStream, to: ByteStream, copies: Uint8Array[]): void {
  from.attach({
    data: (chunk) => {
      copies.push(chunk.slice())
      to.write(chunk)
    },
    drain: () => {},
    end: () => to.end(),
    closed: () => to.destroy(),
  })
}

/** Everything two agents can say, with a marker in each of it. */
async function talk(place: Place, alice: Party, bob: Party, useStaticKey: boolean) {
  const { transport } = place
  const { at, recordAt, clear } = await place.addresses()
  const listener = await transport.listen(at, (stream) => {
    acceptSession(stream, bob.environment, { handlers: bob.handlers }).catch(() => {})
  })
  await using line = await recorder(transport, recordAt, listener.addresses[0] as string)
  bob.onMessage = (message) => {
    if (message.kind !== 'request') return
    if (message.type === markers.type) message.fail(7, markers.failure)
    else message.reply(bytes(markers.reply))
  }
  const heard: Promise<string>[] = []
  bob.onStream = (stream) => {
    const read = async () => {
      let text = ''
      for await (const chunk of stream) text += Buffer.from(chunk).toString()
      stream.write(bytes(markers.stream))
      stream.finish()
      return text
    }
    heard.push(read())
  }
  const session = await dialSession(await transport.dial(line.address), alice.environment, {
    handlers: alice.handlers,
    expected: bob.keys.agent,
    ...(useStaticKey ? { staticKey: bob.keys.staticKey.publicKey } : {}),
  })
  session.post('data', bytes(markers.message))
  session.post('data', bytes(markers.message.repeat(1_000)))
  session.post(markers.type, bytes(markers.message))
  const reply = await session.request('echo', bytes(markers.request))
  await assert.rejects(session.request(markers.type, bytes(markers.request)), {
    code: 'SESSION_REQUEST_FAILED',
  })
  const stream = session.openStream(markers.streamType)
  stream.write(bytes(markers.stream.repeat(10)))
  stream.finish()
  let echoed = ''
  for await (const chunk of stream) echoed += Buffer.from(chunk).toString()
  await until(() => bob.messages.length === 5)
  await session.close('SESSION_GOING_AWAY', markers.reason)
  await until(() => bob.ended.length === 1)
  await listener.close()
  await clear()
  // All of it was understood at the other end, so all of it was on the line.
  assert.equal(Buffer.from(reply.payload).toString(), markers.reply)
  assert.equal(await heard[0], markers.stream.repeat(10))
  assert.equal(echoed, markers.stream)
  assert.equal(bob.streams[0]?.type, markers.streamType)
  assert.equal(bob.messages[2]?.type, markers.type)
  return line.recorded()
}

/** The forms in which bytes could be found again. */
function forms(text: string | Uint8Array): Buffer[] {
  const raw = Buffer.from(text as Uint8Array)
  return [
    raw,
    Buffer.from(raw.toString('hex')),
    Buffer.from(raw.toString('base64url').slice(1, -2)),
  ]
}

for (const place of places) {
  for (const useStaticKey of [true, false]) {
    test(`${place.name}, ${useStaticKey ? 'XK' : 'XX'}: no word of the agents is on the line`, async () => {
      const [alice, bob] = [party(), party()]
      const { toListener, toDialer } = await talk(place, alice, bob, useStaticKey)
      const line = Buffer.concat([toListener, toDialer])
      assert.ok(line.length > 3_000, 'the recorder recorded')
      for (const form of forms(marker)) assert.equal(line.includes(form), false)
      // Who calls and who is called stays unknown to those who only listen.
      for (const one of [alice, bob]) {
        for (const known of [
          one.keys.agent,
          publicKeyOf(one.keys.agent),
          one.keys.staticKey.publicKey,
          one.record.encoded.subarray(0, 40),
        ]) {
          for (const form of forms(known as Uint8Array)) assert.equal(line.includes(form), false)
        }
      }
      // Beside keys and ciphertext only ten bytes of header for each packet can be told apart.
      assert.equal(toListener.subarray(0, 5).toString('hex'), 'deadbeef01')
    })
  }

  test(`${place.name}: the control: what is sent raw is found`, async () => {
    const { transport } = place
    const { at, recordAt, clear } = await place.addresses()
    let arrived = 0
    const listener = await transport.listen(at, (stream) => {
      stream.attach({
        data: (chunk) => (arrived += chunk.length),
        drain: () => {},
        end: () => stream.end(),
        closed: () => {},
      })
    })
    await using line = await recorder(transport, recordAt, listener.addresses[0] as string)
    const stream = await transport.dial(line.address)
    const closed = Promise.withResolvers<void>()
    stream.attach({
      data: () => {},
      drain: () => {},
      end: () => {},
      closed: () => closed.resolve(),
    })
    const words = Object.values(markers).join(' ')
    stream.write(bytes(words))
    stream.end()
    await until(() => arrived === words.length)
    await closed.promise
    await listener.close()
    await clear()
    for (const word of Object.values(markers)) assert.ok(line.recorded().toListener.includes(word))
  })
}
