// The parts of the hot path one by one (R155, R196): microseconds of a call, beside what Node or OpenSSL does for the
// same task where there is such a thing. A part that is fast here may still be slow in a program that calls it
// rarely; session.bench.ts measures the whole.

import { type Bench, defineBench } from './harness.ts'
import { checkOperations } from './micro/checks.ts'
import { cipherOperations } from './micro/ciphers.ts'
import { sessionContests } from './micro/sessions.ts'
import { timed } from './micro/timing.ts'
import { wireOperations } from './micro/wire.ts'

const full = { turnMs: 50, messages: 400_000, handshakes: 100, idle: 1_000 } as const
const quick = { turnMs: 2, messages: 20_000, handshakes: 5, idle: 50 } as const

export const bench: Bench = defineBench({
  name: 'micro',
  summary:
    'Headers, envelopes, compression, ciphers, checks, handshake and memory, part by part, beside Node.',
  open: async ({ isQuick = false }) => {
    const amounts = isQuick ? quick : full
    const sessions = await sessionContests(amounts)
    const operations = [...wireOperations(), ...cipherOperations(), ...checkOperations()]
    return {
      contests: [...timed(amounts, operations), ...sessions.contests],
      [Symbol.asyncDispose]: () => sessions[Symbol.asyncDispose](),
    }
  },
})
