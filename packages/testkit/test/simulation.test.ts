import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  datagramTransportCompliance,
  SeededRandom,
  Simulation,
  streamTransportCompliance,
  verifies,
} from '@myelin/testkit'

verifies('R102')

let ports = 0
const simulated = (link: ConstructorParameters<typeof Simulation>[0]['link']) => async () => {
  const simulation = new Simulation({ seed: 1, ...(link === undefined ? {} : { link }) })
  const running = simulation.runInBackground()
  const address = () => {
    ports += 1
    return `/memory/here.p${ports}`
  }
  const host = simulation.host('here')
  return { host, address, dispose: async () => running[Symbol.dispose]() }
}

const quick = { delayMs: 0.1 }
streamTransportCompliance(
  async () => {
    const { host, address, dispose } = await simulated(quick)()
    return { transport: host.transport, address, dispose, bufferedBytesMax: 4 * 1024 * 1024 }
  },
  { test, name: 'a simulated network' },
)

streamTransportCompliance(
  async () => {
    const { host, address, dispose } = await simulated({ delayMs: 5, jitterMs: 20, loss: 0.2 })()
    return { transport: host.transport, address, dispose, bufferedBytesMax: 4 * 1024 * 1024 }
  },
  { test, name: 'a simulated network that loses a fifth' },
)

datagramTransportCompliance(
  async () => {
    const { host, address, dispose } = await simulated(quick)()
    return { transport: host.datagrams, address, dispose }
  },
  { test, name: 'simulated datagrams' },
)

test('one seed gives one stream of numbers, and each concern one of its own', () => {
  const draw = (random: SeededRandom) => Array.from({ length: 5 }, () => random.u32())
  assert.deepEqual(draw(new SeededRandom(7)), draw(new SeededRandom(7)))
  assert.notDeepEqual(draw(new SeededRandom(7)), draw(new SeededRandom(8)))
  assert.notDeepEqual(draw(new SeededRandom(7).fork('net')), draw(new SeededRandom(7).fork('disk')))
  const fractions = Array.from(
    { length: 10_000 },
    (
      (random) => () =>
        random.fraction()
    )(new SeededRandom(1)),
  )
  const mean = fractions.reduce((sum, value) => sum + value, 0) / fractions.length
  // The mean of 10,000 uniforms has a standard deviation of 0.0029.
  assert.ok(Math.abs(mean - 0.5) < 0.015, `mean ${mean}`)
})

test('datagrams are lost, doubled, overtaken and cut off as the link says', async () => {
  const simulation = new Simulation({
    seed: 3,
    link: { loss: 0.2, duplication: 0.1, reordering: 0.3 },
  })
  const [a, b] = [simulation.host('a'), simulation.host('b')]
  const [from, to] = [await a.datagrams.bind('/memory/a.1'), await b.datagrams.bind('/memory/b.1')]
  const seen: number[] = []
  to.attach({ message: (bytes) => seen.push(bytes[0] as number), closed: () => {} })
  for (let i = 0; i < 200; i += 1) {
    from.send(Uint8Array.of(i), '/memory/b.1')
    await simulation.advance(1)
  }
  await simulation.advance(1000)
  const distinct = new Set(seen).size
  assert.ok(distinct > 130 && distinct < 190, `${distinct} of 200 arrived`)
  assert.ok(seen.length > distinct, 'none arrived twice')
  assert.ok(
    seen.some((value, i) => i > 0 && value < (seen[i - 1] as number)),
    'none was overtaken',
  )
  simulation.network.cut('a', 'b')
  const before = seen.length
  from.send(Uint8Array.of(1), '/memory/b.1')
  await simulation.advance(1000)
  assert.equal(seen.length, before)
})

test('a crash loses what was not durable, and nothing else', async () => {
  let [kept, lost] = [0, 0]
  for (let seed = 0; seed < 40; seed += 1) {
    const simulation = new Simulation({ seed })
    const host = simulation.host('disk')
    const first = host.store.put('first', Uint8Array.of(1))
    await simulation.complete(first, 1000, 'the write')
    void host.store.put('second', Uint8Array.of(2))
    host.crash()
    const { store } = simulation.host('disk')
    assert.deepEqual(
      await simulation.complete(store.get('first'), 1000, 'the read'),
      Uint8Array.of(1),
    )
    const second = await simulation.complete(store.get('second'), 1000, 'the read')
    if (second === undefined) lost += 1
    else kept += 1
  }
  assert.ok(kept > 5 && lost > 5, `${kept} kept, ${lost} lost`)
})

test('a crashed host does nothing any more', async () => {
  const simulation = new Simulation({ seed: 1 })
  const host = simulation.host('a')
  let fired = 0
  host.clock.setTimer(10, () => {
    fired += 1
  })
  host.crash()
  await simulation.advance(100)
  assert.equal(fired, 0)
  assert.equal(simulation.host('a').incarnation, 2)
})

test('a hang is reported with its seed', async () => {
  const simulation = new Simulation({ seed: 'abc' })
  await assert.rejects(
    simulation.complete(new Promise(() => {}), 1000, 'the answer'),
    /the answer did not end.*seed abc/,
  )
})
