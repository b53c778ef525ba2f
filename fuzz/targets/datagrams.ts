// What datagrams are made of: the agreements on them in a session, and what is inside one that was opened.

import assert from 'node:assert/strict'
import { equalBytes } from '@myelin/base'
import type { FuzzTarget } from '@myelin/testkit'
import {
  type DatagramControl,
  decodeControl,
  encodeControl,
} from '../../packages/fabric/src/datagrams/control-codec.ts'
import {
  addressFrames,
  messagesFrame,
  readChannelContent,
} from '../../packages/fabric/src/datagrams/frames.ts'
import { boundsWith, texts } from './bounds.ts'

const id = new Uint8Array(8).fill(1)
const terms = {
  channel: id,
  salt: new Uint8Array(16).fill(2),
  bytesMax: 1_200,
  addresses: ['/ip4/192.0.2.1/udp/4001', '/ip6/2001:db8::1/udp/4001'],
}
const controls: readonly DatagramControl[] = [
  { kind: 'open', type: 'status-update', ...terms },
  { kind: 'accept', ...terms, addresses: [] },
  { kind: 'close', channel: id },
  { kind: 'join', name: 'prices', isListener: true },
  {
    kind: 'welcome',
    group: id,
    generation: 3,
    sender: 7,
    suite: 'aes-256-gcm',
    secret: new Uint8Array(32).fill(3),
    bytesMax: 65_507,
    type: 'data',
    address: '/ip4/239.1.2.3/udp/4001',
  },
  { kind: 'rekey', group: id, generation: 4, secret: new Uint8Array(32).fill(4), graceMs: 1_000 },
  { kind: 'leave', group: id },
]

const control: FuzzTarget = {
  name: 'datagram-control',
  bounds: boundsWith(),
  samples: () => controls.map(encodeControl),
  tokens: texts('/ip4/', '/udp/', 'data'),
  decode: (input) => {
    const read = decodeControl(input)
    if (!read.ok) return undefined
    assert.ok(equalBytes(encodeControl(read.value), input), 'two encodings of one agreement')
    return input.length
  },
}

const content: FuzzTarget = {
  name: 'datagram-content',
  // A byte of input is at most one message: an empty view.
  bounds: boundsWith({ allocatedBytesMax: 2 * 1_024 * 1_024 }),
  samples: () => [
    addressFrames({ challenge: id }),
    addressFrames({ answer: id, challenge: id }),
    messagesFrame(new Uint8Array(0)),
    messagesFrame(Uint8Array.of(2, 7, 7, 0, 0x40, 1, 9)),
    Uint8Array.of(...addressFrames({ answer: id }), ...messagesFrame(Uint8Array.of(1, 1))),
  ],
  decode: (input) => {
    const read = readChannelContent(input)
    if (!read.ok) return undefined
    let bytes = 0
    for (const message of read.value.messages ?? []) bytes += message.length
    assert.ok(bytes <= input.length, 'more than came in')
    return bytes
  },
}

export const datagramTargets: readonly FuzzTarget[] = [control, content]
