// myelin listen: the agent in the foreground, printing each message that arrives.

import { once } from 'node:events'
import type { NodeAgent } from '@myelin/node'
import { daemonOptions, runDaemon, settingFlags } from '../agent-daemon.ts'
import { agentOptions, loadAgentSettings } from '../agent-home.ts'
import { numberOption } from '../arguments.ts'
import { defineCommand } from '../command.ts'
import { type Output, printable } from '../output.ts'
import { builtInNames, payloadLine, showValue } from '../payload.ts'

const countMax = 999_999_999_999
/** How long the end waits for the sender of the last message, in ms. */
const lastWordMs = 1000
/** Characters of one message in a line for people. */
const lineLengthMax = 16_384

export const listen = defineCommand({
  name: 'listen',
  summary: 'Run the agent and print each message that arrives.',
  details: [
    'One line per message on the standard output; with --json an object with from, type, kind, timestamp, payload and encoding (text, base64 or json). The log goes to the standard error.',
    'Requests are answered: echo with its payload, ping with a pong, the others with nothing. Who sends waits while nobody reads the output.',
  ],
  options: {
    type: {
      kind: 'text',
      short: 't',
      value: 'TYPE',
      repeats: true,
      describes:
        'Only messages of this type, which may be one of your own (default: all built-in).',
    },
    count: { kind: 'text', value: 'N', describes: 'Stop after so many messages.' },
    ...daemonOptions,
    ...agentOptions,
  },
  examples: ['myelin listen', 'myelin listen --type data --count 1 --json'],
  run: async (context) => {
    const { options, environment, output } = context
    const count = numberOption('count', options.count, { min: 1, max: countMax })
    const flags = settingFlags(options, output.isJson)
    const settings = await loadAgentSettings({ options, environment, flags })
    const enough = new AbortController()
    const signal = AbortSignal.any([context.signal, enough.signal])
    const types = options.type.length > 0 ? [...new Set(options.type)] : builtInNames
    const { Refusal, reply } = await import('@myelin/fabric')
    const { registerBytes } = await import('@myelin/node')
    let left = count ?? Number.POSITIVE_INFINITY
    const prepare = (agent: NodeAgent) => {
      for (const type of types) {
        registerBytes(agent, type)
        agent.handle(type, async (message) => {
          if (left <= 0) throw new Refusal('this listener has heard enough')
          left -= 1
          print(output, message, agent)
          if (left <= 0) void heard(agent, message.from).finally(() => enough.abort())
          await roomOnStdout()
          if (type === 'ping') return reply('pong', message.payload)
          return type === 'echo' ? message.payload : undefined
        })
      }
    }
    await runDaemon(settings, { output, environment, signal, logs: process.stderr, prepare })
    return 0
  },
})

/**
 * Resolves when the sender knows that its last message is here: whoever sends asks for a pong behind it, and
 * its answer to our ping comes after that question.
 */
async function heard(agent: NodeAgent, from: string): Promise<void> {
  const { withDeadline } = await import('@myelin/base')
  const { systemClock: clock } = await import('@myelin/base/system')
  const pong = agent.ping(from)
  await withDeadline(pong, { clock, timeoutMs: lastWordMs, what: 'the last pong' }).catch(() => {})
}

type Message = Parameters<Parameters<NodeAgent['handle']>[1]>[0]

function print(output: Output, message: Message, agent: NodeAgent): void {
  const { from, type, kind, timestampMs } = message
  const timestamp = new Date(timestampMs).toISOString()
  const shown = showValue(message.payload)
  output.record({ from, type, kind, timestamp, ...shown }, () => {
    const name = agent.trust.get(from)?.name ?? agent.known(from)?.name ?? ''
    const who = name === '' ? from : `${printable(name)} ${from}`
    return `${timestamp} ${who} ${type}: ${printable(payloadLine(shown), lineLengthMax)}`
  })
}

let room: Promise<unknown> | undefined

/** Resolves when the reader of our output has caught up; until then the sender gets no credit. */
async function roomOnStdout(): Promise<void> {
  if (!process.stdout.writableNeedDrain) return
  room ??= once(process.stdout, 'drain').finally(() => {
    room = undefined
  })
  await room
}
