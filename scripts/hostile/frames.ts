// Frames and whole records of them, as no correct sender would make them.

import {
  encodeFrame,
  frameKinds,
  writeMessageHeader,
  writeMessagePartHeader,
  writeStreamHeader,
} from '@myelin/wire'

const nothing = new Uint8Array(0)

/** A whole message. Types 1 and 2 are `data` and `echo`. */
export function messageFrame(typeId: number, payload = nothing, flags = 0, id = 1): Uint8Array {
  const frame = new Uint8Array(16 + payload.length)
  frame.set(payload, writeMessageHeader(frame, 0, flags, typeId, id, 0, payload.length))
  return frame
}

export function partFrame(id: number, payload: Uint8Array, flags = 0): Uint8Array {
  const frame = new Uint8Array(12 + payload.length)
  frame.set(payload, writeMessagePartHeader(frame, 0, flags, id, payload.length))
  return frame
}

export function streamFrame(
  streamId: number,
  { flags = 0, typeId = 0, payload = nothing } = {},
): Uint8Array {
  const frame = new Uint8Array(12 + payload.length)
  const body = writeStreamHeader(frame, 0, { flags, typeId, streamId }, payload.length)
  frame.set(payload, body)
  return frame
}

export const pingFrame: Uint8Array = encodeFrame.ping(new Uint8Array(8))

export function padding(bytes: number): Uint8Array {
  return new Uint8Array(bytes).fill(frameKinds.padding)
}

export function joined(...frames: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(frames))
}

/** As many copies of a frame as fit. */
export function recordOf(frame: Uint8Array, bytesMax = 60_000): Uint8Array {
  return joined(...Array.from({ length: Math.floor(bytesMax / frame.length) }, () => frame))
}
