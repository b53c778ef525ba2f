// myelin request: one request, and its answer.

import { base64urlDecode, base64urlEncode, emptyBytes } from '@myelin/base'
import { openAgentControl } from '../agent-control.ts'
import { agentOptions, loadAgentSettings } from '../agent-home.ts'
import { numberOption, textOrInput, timeoutMsMax, timeoutOption } from '../arguments.ts'
import { defineCommand } from '../command.ts'
import { printable } from '../output.ts'
import {
  customOption,
  encodePayload,
  payloadDetails,
  payloadLine,
  showPayload,
} from '../payload.ts'

export const request = defineCommand({
  name: 'request',
  summary: 'Send one request to a peer and print its answer.',
  details: [
    'TO is an agent id, a name or an address that ends in /p2p/<agent id>; the peer must be trusted.',
    ...payloadDetails,
    'An answer of bytes goes to a pipe as it is; with --json: from, type, payload and encoding (text, base64 or json).',
  ],
  options: { ...timeoutOption, ...customOption, ...agentOptions },
  operands: {
    to: { describes: 'Agent id, name, or address with /p2p/.' },
    type: { describes: 'Message type.' },
    payload: { describes: 'Text, JSON, or - for the standard input.', optional: true },
  },
  examples: ['myelin request bob echo hello', 'myelin request bob ping --timeout-ms 500'],
  run: async ({ operands, options, environment, output, signal }) => {
    const timeoutMs = numberOption('timeout-ms', options['timeout-ms'], {
      min: 1,
      max: timeoutMsMax,
    })
    const { to, type } = operands
    const settings = await loadAgentSettings({ options, environment })
    const { messageBytesMax } = settings.configuration.limits
    const written =
      operands.payload === undefined
        ? undefined
        : await textOrInput(operands.payload, 2 * messageBytesMax)
    const payload = encodePayload(type, written, { isCustom: options.custom })
    await using control = await openAgentControl(settings)
    const message = { to, type, payload: base64urlEncode(payload), isCustom: options.custom }
    const params = { ...message, ...(timeoutMs && { timeoutMs }) }
    const answer = await control.call('request', params, signal)
    const bytes = base64urlDecode(answer.payload) ?? emptyBytes
    const shown = showPayload(answer.type, bytes)
    const line = () => printable(payloadLine(shown), bytes.length * 4)
    if (output.isJson || shown.encoding === 'json')
      output.result({ from: answer.from, type: answer.type, ...shown }, () => [line()])
    else output.bytes(bytes, line)
    return 0
  },
})
