// What travels on the datagram socket (docs/protocol.md §12). Outside, in the clear, which channel or group it is for:
//
//   13 ‖ channel(8) ‖ sealed datagram        one to one; the id is the receiver's
//   14 ‖ group(8) ‖ generation(u8) ‖ sealed datagram
//
// Inside, sealed: in a group the messages; in a channel frames, of which messages are the last.
//
//   01 ‖ token(8)    challenge: prove that you receive here
//   02 ‖ token(8)    the proof
//   00 ‖ messages    each behind its length
//
// Pure. Decoders return faults and never throw.

import { err, ok, type Result } from '@myelin/base'
import { readDatagramMessages } from '@myelin/session'
import { channelIdBytes } from './control-codec.ts'

export const channelKind = 0x13
export const groupKind = 0x14
export const channelHeaderBytes = 1 + channelIdBytes
export const groupHeaderBytes = 1 + channelIdBytes + 1
export const tokenBytes = 8
const frameBytes = 1 + tokenBytes

const frames = { messages: 0, challenge: 1, answer: 2 } as const

export interface ChannelContent {
  readonly challenge: Uint8Array | undefined
  readonly answer: Uint8Array | undefined
  /** Undefined in a datagram that only proves addresses; empty in one that only keeps a way open. */
  readonly messages: readonly Uint8Array[] | undefined
}

export type ChannelContentFault =
  | 'frame_unknown'
  | 'frame_truncated'
  | 'frame_repeated'
  | 'datagram_messages'

/** Which channel or group: a number that a map finds, 64 bits. */
export function idOf(bytes: Uint8Array, offset = 0): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(offset)
}

export function channelDatagram(id: Uint8Array, sealed: Uint8Array): Uint8Array {
  const datagram = new Uint8Array(channelHeaderBytes + sealed.length)
  datagram[0] = channelKind
  datagram.set(id, 1)
  datagram.set(sealed, channelHeaderBytes)
  return datagram
}

export function groupDatagram(id: Uint8Array, generation: number, sealed: Uint8Array): Uint8Array {
  const datagram = new Uint8Array(groupHeaderBytes + sealed.length)
  datagram[0] = groupKind
  datagram.set(id, 1)
  datagram[groupHeaderBytes - 1] = generation % 256
  datagram.set(sealed, groupHeaderBytes)
  return datagram
}

/** `messages` as a `DatagramBatch` gives them. */
export function messagesFrame(messages: Uint8Array): Uint8Array {
  const frame = new Uint8Array(1 + messages.length)
  frame.set(messages, 1)
  return frame
}

export function addressFrames(tokens: {
  readonly answer?: Uint8Array | undefined
  readonly challenge?: Uint8Array | undefined
}): Uint8Array {
  const { answer, challenge } = tokens
  const parts: number[] = []
  if (answer !== undefined) parts.push(frames.answer, ...answer)
  if (challenge !== undefined) parts.push(frames.challenge, ...challenge)
  return Uint8Array.from(parts)
}

export function readChannelContent(
  plaintext: Uint8Array,
): Result<ChannelContent, ChannelContentFault> {
  let challenge: Uint8Array | undefined
  let answer: Uint8Array | undefined
  let offset = 0
  while (offset < plaintext.length) {
    const kind = plaintext[offset]
    if (kind === frames.messages) {
      const read = readDatagramMessages(plaintext.subarray(offset + 1))
      return read.ok ? ok({ challenge, answer, messages: read.value }) : read
    }
    if (kind !== frames.challenge && kind !== frames.answer) return err('frame_unknown')
    if (plaintext.length - offset < frameBytes) return err('frame_truncated')
    const token = plaintext.subarray(offset + 1, offset + frameBytes)
    if ((kind === frames.challenge ? challenge : answer) !== undefined) return err('frame_repeated')
    if (kind === frames.challenge) challenge = token
    else answer = token
    offset += frameBytes
  }
  return ok({ challenge, answer, messages: undefined })
}
