// Sessions and streams against a small model (R101): whatever is done in whatever order, with deliveries cut
// off at any point between, what can be seen follows from what was asked.

import { test } from 'node:test'
import { systemRandom } from '@myelin/base/system'
import { AgentKeys } from '@myelin/identity'
import { verifies } from '@myelin/testkit'
import fc from 'fast-check'
import { byteAt, Model } from './model.ts'
import { commands, runCommands } from './model-commands.ts'
import { World } from './model-world.ts'

const runs = 400
const commandsMax = 100

const options = fc.record({
  rekeyMessages: fc.constantFrom(1, 3, 1_000_000),
  rekeyBytes: fc.constantFrom(5_000, 100_000, 2 ** 36),
  rekeyMs: fc.constantFrom(2_000, 86_400_000),
  dataWindowBytes: fc.constantFrom(65_536, 100_000, 1_048_576),
})

test('sessions and streams do what the model says, in any order of events', async () => {
  verifies('R101')
  const keys = { near: AgentKeys.generate(systemRandom), far: AgentKeys.generate(systemRandom) }
  await fc.assert(
    fc.asyncProperty(
      options,
      fc.commands(commands, { maxCommands: commandsMax, size: 'max' }),
      async (chosen, steps) => {
        const world = new World({ ...chosen, keys }, byteAt)
        await world.connect()
        const scene = { world, windowBytes: chosen.dataWindowBytes, model: new Model() }
        await runCommands(scene, steps)
      },
    ),
    // A failure prints its seed and its path; `seed` and `path` here repeat it.
    { numRuns: runs },
  )
})
