// myelin send: one message.

import { base64urlEncode } from '@myelin/base'
import { openAgentControl } from '../agent-control.ts'
import { agentOptions, loadAgentSettings } from '../agent-home.ts'
import { numberOption, textOrInput, timeoutMsMax, timeoutOption } from '../arguments.ts'
import { defineCommand } from '../command.ts'
import { usageError } from '../errors.ts'
import { printable } from '../output.ts'
import { customOption, encodePayload, payloadDetails } from '../payload.ts'

export const send = defineCommand({
  name: 'send',
  summary: 'Send one message to a peer.',
  details: [
    'TO is an agent id, a name or an address that ends in /p2p/<agent id>; the peer must be trusted. Done when the message has reached the peer; with --delivery at-least-once it is sent again until the peer has handled it, or says why it has not.',
    ...payloadDetails,
  ],
  options: {
    delivery: {
      kind: 'text',
      value: 'HOW',
      describes: 'at-most-once (default) or at-least-once.',
    },
    ...timeoutOption,
    ...customOption,
    ...agentOptions,
  },
  operands: {
    to: { describes: 'Agent id, name, or address with /p2p/.' },
    type: { describes: 'Message type.' },
    payload: { describes: 'Text, JSON, or - for the standard input.', optional: true },
  },
  examples: [
    'myelin send bob data hello',
    'myelin send bob data hello --delivery at-least-once',
    'myelin send bob status-update \'{"state":"ready"}\'',
    'myelin send /ip4/127.0.0.1/tcp/4001/p2p/12D3KooW… data - < file',
  ],
  run: async ({ operands, options, environment, output, signal }) => {
    const timeoutMs = numberOption('timeout-ms', options['timeout-ms'], {
      min: 1,
      max: timeoutMsMax,
    })
    const { to, type } = operands
    const delivery = deliveryOption(options.delivery)
    const settings = await loadAgentSettings({ options, environment })
    const { messageBytesMax } = settings.configuration.limits
    const written =
      operands.payload === undefined
        ? undefined
        : await textOrInput(operands.payload, 2 * messageBytesMax)
    const payload = encodePayload(type, written, { isCustom: options.custom })
    await using control = await openAgentControl(settings)
    const message = { to, type, payload: base64urlEncode(payload), isCustom: options.custom }
    const sent = await control.call(
      'send',
      { ...message, ...(timeoutMs && { timeoutMs }), ...(delivery && { delivery }) },
      signal,
    )
    const { agent, name, bytes } = sent
    output.result({ agent, name, type, bytes }, () => [
      `sent ${bytes} bytes of ${type} to ${name === '' ? '' : `${printable(name)} `}${agent}`,
    ])
    return 0
  },
})

function deliveryOption(text: string | undefined): 'at-most-once' | 'at-least-once' | undefined {
  if (text === undefined || text === 'at-most-once' || text === 'at-least-once') return text
  const shown = JSON.stringify(text.slice(0, 40))
  throw usageError(`--delivery ${shown} is neither at-most-once nor at-least-once`)
}
