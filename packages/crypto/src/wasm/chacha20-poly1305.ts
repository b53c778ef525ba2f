// ChaCha20-Poly1305 (RFC 8439 §2.8) as a WebAssembly module. The caller writes key, nonce, associated data and message to
// the memory (memory-layout.ts) and calls `seal` or `open`, which work in place. A tail of up to two blocks, and a short
// message with its one-time key, take the two-block form of ChaCha20.
//
// Poly1305 reads ciphertext, and runs beside the ChaCha20 of another part: `seal` is one step behind, `open` is not.
// Each call overwrites key, keystream, r, s, h and tag before it returns; sealing leaves ciphertext where the plaintext
// was, and a forgery is overwritten too. What `open` gives, the caller reads and then wipes with `wipe`.
// Branches and addresses depend on lengths, and on whether the tag was right, and on nothing else.

import {
  type Call,
  type Code,
  type FunctionScope,
  i32,
  i64,
  type Local,
  ModuleWriter,
  sequence,
  v128,
  when,
  whileLoop,
} from './assembler.ts'
import { fourBlocks, twoBlocks } from './chacha20.ts'
import { at } from './memory-layout.ts'
import { Poly1305 } from './poly1305.ts'

const blockBytes = 64
const vectorBytes = 16
const zero = i32.const(0)
const zeroVector = v128.const(Array.from({ length: vectorBytes }, () => 0))

/** What the module exports. Lengths and places are in bytes; all else is in memory-layout.ts. */
export interface ChaChaPolyModule {
  readonly memory: { readonly buffer: ArrayBuffer }
  seal(adBytes: number, messageBytes: number): void
  /** 1 when the tag behind the message was right, else 0. */
  open(adBytes: number, messageBytes: number): number
  /** Zeroes whole vectors from `from` on, up to `to` at least. */
  wipe(from: number, to: number): void
  /** For tests of the parts: keystream from a counter on, and Poly1305 under the key where the keystream begins. */
  fourBlocks(counter: number, macFrom: number, macTo: number): number
  twoBlocks(counter: number, macFrom: number, macTo: number): number
  poly1305(messageBytes: number): void
}

interface Parts {
  readonly fourBlocks: Call
  readonly twoBlocks: Call
  readonly blocks: Call
  readonly finish: Call
  readonly begin: Call
  readonly mix: Call
  readonly wipe: Call
}

export function encodeChaChaPoly(): Uint8Array<ArrayBuffer> {
  const module = new ModuleWriter(1)
  const parts: Parts = {
    fourBlocks: defineKeystream(module, fourBlocks, 'fourBlocks'),
    twoBlocks: defineKeystream(module, twoBlocks, 'twoBlocks'),
    blocks: defineBlocks(module),
    finish: defineFinish(module),
    begin: module.define({ parameters: [], results: [] }, () => Poly1305.begin()),
    mix: defineMix(module),
    wipe: defineWipe(module),
  }
  defineMac(module, parts)
  defineSeal(module, parts)
  defineOpen(module, parts)
  return module.encode()
}

/** (counter, from, to) → how far Poly1305 got: it takes two blocks with each double round. */
function defineKeystream(
  module: ModuleWriter,
  keystream: (f: FunctionScope, counter: Local, beside: Code) => Code,
  name: string,
): Call {
  return module.define(
    { parameters: ['i32', 'i32', 'i32'], results: ['i32'] },
    (f) => {
      const [counter, from, to] = [f.parameter(0), f.parameter(1), f.parameter(2)]
      const mac = new Poly1305(f)
      const next = f.local('i32')
      const beside = when(
        i32.leU(next.tee(i32.add(from.get, i32.const(2 * vectorBytes))), to.get),
        sequence(mac.block(from.get, 0), mac.block(from.get, vectorBytes), from.set(next.get)),
      )
      return sequence(mac.load, keystream(f, counter, beside), mac.store, from.get)
    },
    name,
  )
}

/** (from, to, top): Poly1305 over whole blocks. */
function defineBlocks(module: ModuleWriter): Call {
  return module.define({ parameters: ['i32', 'i32', 'i64'], results: [] }, (f) => {
    const [from, to, top] = [f.parameter(0), f.parameter(1), f.parameter(2)]
    const mac = new Poly1305(f)
    return sequence(
      mac.load,
      whileLoop(
        i32.ltU(from.get, to.get),
        sequence(
          mac.block(from.get, 0, top.get),
          from.set(i32.add(from.get, i32.const(vectorBytes))),
        ),
      ),
      mac.store,
    )
  })
}

function defineFinish(module: ModuleWriter): Call {
  return module.define({ parameters: [], results: [] }, (f) => {
    const mac = new Poly1305(f)
    return sequence(mac.load, mac.finish(f))
  })
}

/** (at, bytes, keystream): the keystream is added to whole vectors. */
function defineMix(module: ModuleWriter): Call {
  return module.define({ parameters: ['i32', 'i32', 'i32'], results: [] }, (f) => {
    const [place, bytes, keystream] = [f.parameter(0), f.parameter(1), f.parameter(2)]
    const stop = f.local('i32')
    const step = i32.const(vectorBytes)
    return sequence(
      stop.set(i32.add(place.get, bytes.get)),
      whileLoop(
        i32.ltU(place.get, stop.get),
        sequence(
          v128.store(place.get, v128.xor(v128.load(place.get), v128.load(keystream.get))),
          place.set(i32.add(place.get, step)),
          keystream.set(i32.add(keystream.get, step)),
        ),
      ),
    )
  })
}

function defineWipe(module: ModuleWriter): Call {
  return module.define(
    { parameters: ['i32', 'i32'], results: [] },
    (f) => {
      const [from, to] = [f.parameter(0), f.parameter(1)]
      return whileLoop(
        i32.ltU(from.get, to.get),
        sequence(
          v128.store(from.get, zeroVector),
          from.set(i32.add(from.get, i32.const(vectorBytes))),
        ),
      )
    },
    'wipe',
  )
}

/** Poly1305 by itself: a last short block has a byte of 1 behind it, inside (§2.5.1). */
function defineMac(module: ModuleWriter, parts: Parts): void {
  module.define(
    { parameters: ['i32'], results: [] },
    (f) => {
      const end = f.local('i32')
      const whole = f.local('i32')
      const message = i32.const(at.message)
      return sequence(
        parts.begin(),
        end.set(i32.add(message, f.parameter(0).get)),
        whole.set(i32.and(end.get, i32.const(-vectorBytes))),
        parts.blocks(message, whole.get, i64.const(1)),
        v128.store(end.get, zeroVector),
        i32.store8(end.get, i32.const(1)),
        when(i32.ltU(whole.get, end.get), parts.blocks(whole.get, end.get, i64.const(0))),
        parts.finish(),
      )
    },
    'poly1305',
  )
}

/** What sealing and opening share: where the message ends, and how far the work on it has come. */
class Progress {
  readonly adBytes: Local
  readonly bytes: Local
  readonly end: Local
  readonly done: Local
  readonly next: Local
  readonly counter: Local
  readonly #parts: Parts

  constructor(f: FunctionScope, parts: Parts) {
    this.adBytes = f.parameter(0)
    this.bytes = f.parameter(1)
    this.end = f.local('i32')
    this.done = f.local('i32')
    this.next = f.local('i32')
    this.counter = f.local('i32')
    this.#parts = parts
  }

  /** The first blocks: counter 0 is the one-time key of Poly1305, the payload starts at 1 (§2.8). */
  begin(): Code {
    const { fourBlocks, twoBlocks, begin, blocks } = this.#parts
    const first = (call: Call) => this.done.set(call(zero, zero, zero))
    const adEnd = i32.add(i32.const(at.ad), this.adBytes.get)
    const roomFor = (count: number) =>
      this.next.set(smaller(this.end, i32.const(at.message + (count - 1) * blockBytes)))
    return sequence(
      this.end.set(i32.add(i32.const(at.message), this.bytes.get)),
      when(
        i32.gtU(this.bytes.get, i32.const(blockBytes)),
        sequence(first(fourBlocks), roomFor(4)),
        sequence(first(twoBlocks), roomFor(2)),
      ),
      this.done.set(i32.const(at.message)),
      this.counter.set(i32.const(4)),
      begin(),
      v128.store(adEnd, zeroVector),
      blocks(i32.const(at.ad), adEnd, i64.const(1)),
    )
  }

  /** As long as something is left: keystream for it, Poly1305 beside, then `each` with what is to be mixed. */
  rest(mac: { from: Local; to: () => Code }, each: Code): Code {
    const { fourBlocks, twoBlocks } = this.#parts
    const take = (call: Call, count: number) =>
      sequence(
        this.next.set(smaller(this.end, i32.add(this.done.get, i32.const(count * blockBytes)))),
        mac.from.set(call(this.counter.get, mac.from.get, mac.to())),
      )
    return whileLoop(
      i32.ltU(this.done.get, this.end.get),
      sequence(
        when(
          i32.gtU(i32.sub(this.end.get, this.done.get), i32.const(2 * blockBytes)),
          take(fourBlocks, 4),
          take(twoBlocks, 2),
        ),
        each,
        this.counter.set(i32.add(this.counter.get, i32.const(4))),
      ),
    )
  }

  /** Adds the keystream up to `next`. */
  mix(keystream: number): Code {
    return sequence(
      this.#parts.mix(this.done.get, i32.sub(this.next.get, this.done.get), i32.const(keystream)),
      this.done.set(this.next.get),
    )
  }

  /** The block of lengths ends the input of Poly1305 (§2.8). */
  finish(): Code {
    const lengths = i32.const(at.lengths)
    return sequence(
      i64.store(zero, i64.extendI32(this.adBytes.get), at.lengths),
      i64.store(zero, i64.extendI32(this.bytes.get), at.lengths + 8),
      this.#parts.blocks(lengths, i32.const(at.lengths + vectorBytes), i64.const(1)),
      this.#parts.finish(),
    )
  }

  forget(): Code {
    return this.#parts.wipe(i32.const(at.key), i32.const(at.secretsEnd))
  }
}

const whole = i64.const(1)
/** The first block of the keystream is not for the message. */
const firstKeystream = at.keystream + blockBytes

/** The smaller of a place and another, both public. */
function smaller(place: Local, other: Code): Code {
  return [place.get, other, i32.ltU(place.get, other), 0x1b]
}

function defineSeal(module: ModuleWriter, parts: Parts): void {
  module.define(
    { parameters: ['i32', 'i32'], results: [] },
    (f) => {
      const progress = new Progress(f, parts)
      const { end, done } = progress
      const from = f.local('i32')
      return sequence(
        progress.begin(),
        progress.mix(firstKeystream),
        from.set(i32.const(at.message)),
        // Full steps alone are behind `done` while more is to come.
        progress.rest({ from, to: () => done.get }, progress.mix(at.keystream)),
        v128.store(end.get, zeroVector),
        parts.blocks(from.get, end.get, whole),
        progress.finish(),
        v128.store(end.get, v128.load(zero, at.tag)),
        progress.forget(),
      )
    },
    'seal',
  )
}

function defineOpen(module: ModuleWriter, parts: Parts): void {
  module.define(
    { parameters: ['i32', 'i32'], results: ['i32'] },
    (f) => {
      const progress = new Progress(f, parts)
      const { bytes, end, next } = progress
      const [low, high, from, isGenuine] = [
        f.local('i64'),
        f.local('i64'),
        f.local('i32'),
        f.local('i32'),
      ]
      const behind = i32.add(i32.const(at.message), bytes.get)
      const differs = i64.or(
        i64.xor(low.get, i64.load(zero, at.tag)),
        i64.xor(high.get, i64.load(zero, at.tag + 8)),
      )
      const catchUp = sequence(parts.blocks(from.get, next.get, whole), from.set(next.get))
      return sequence(
        low.set(i64.load(behind)),
        high.set(i64.load(behind, 8)),
        v128.store(behind, zeroVector),
        progress.begin(),
        from.set(i32.const(at.message)),
        catchUp,
        progress.mix(firstKeystream),
        progress.rest({ from, to: () => next.get }, sequence(catchUp, progress.mix(at.keystream))),
        progress.finish(),
        // One comparison of all bits; what it says is public.
        isGenuine.set(i64.eqz(differs)),
        progress.forget(),
        when(i32.eqz(isGenuine.get), parts.wipe(i32.const(at.message), end.get)),
        isGenuine.get,
      )
    },
    'open',
  )
}
