// Frames as a rogue peer writes them, and what becomes of its session.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  readFrames,
  writeMessageHeader,
  writeMessagePartHeader,
  writeStreamHeader,
} from '@myelin/wire'
import { type Party, until } from './pair.ts'
import { type RogueSession, rogueSession } from './rogue.ts'
import { bytes, scene } from './scene.ts'

export function message(
  flags: number,
  typeId: number,
  id: number,
  payload: Uint8Array,
): Uint8Array {
  const frame = new Uint8Array(16 + payload.length)
  frame.set(payload, writeMessageHeader(frame, 0, flags, typeId, id, 0, payload.length))
  return frame
}

export function part(flags: number, id: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(12 + payload.length)
  frame.set(payload, writeMessagePartHeader(frame, 0, flags, id, payload.length))
  return frame
}

export function stream(
  flags: number,
  streamId: number,
  payload: Uint8Array,
  typeId = 1,
): Uint8Array {
  const frame = new Uint8Array(12 + payload.length)
  frame.set(payload, writeStreamHeader(frame, 0, { flags, typeId, streamId }, payload.length))
  return frame
}

/** The code and reason number with which the session ended, and that the peer was told the same. */
export async function endOf(
  bob: Party,
  { far, packets, opener }: Awaited<ReturnType<typeof rogueSession>>,
): Promise<string> {
  await until(() => !far.isOpen)
  let told = -1
  const note = (code: number) => {
    told = code
  }
  const sink = new Proxy({}, { get: (_, name) => (name === 'closeReceived' ? note : () => {}) })
  for (let packet = await packets.next(); packet !== undefined; packet = await packets.next()) {
    const opened = opener.open(packet.header, packet.payload)
    if (opened !== undefined) readFrames(opened, sink as Parameters<typeof readFrames>[1])
  }
  const code = bob.ended.at(-1)?.code ?? 'open'
  const numbers: Record<string, number> = {
    SESSION_PROTOCOL: 3,
    SESSION_FLOW_CONTROL: 6,
    SESSION_MESSAGE_TOO_LARGE: 7,
  }
  assert.equal(told, numbers[code])
  return code
}

/** Ends as `code` after what `misbehave` does, and nobody else notices. */
export function refused(
  title: string,
  code: string,
  misbehave: (rogue: RogueSession, bob: Party) => void | Promise<void>,
): void {
  test(title, async () => {
    const { alice, bob, unharmed } = await scene()
    const rogue = await rogueSession(alice, bob)
    await misbehave(rogue, bob)
    assert.equal(await endOf(bob, rogue), code)
    await unharmed()
  })
}

export const small: Uint8Array = bytes('x')
