// Sealed datagrams (docs/protocol.md §12): each carries its counter, so any of them may be lost, doubled or
// overtaken. One is sealed once for a whole group. Pure: whatever carries datagrams may carry these.
//
//   version and kind   1    11 one sender per secret; 12 a group
//   epoch              1    of the key, modulo 256
//   sender             4    only in a group
//   counter            8    from 0 in each epoch; the nonce is IV xor counter
//   ciphertext ‖ tag        the header is the associated data
//
// A counter is marked only when the tag is right; nothing that a stranger sends changes any state. Whoever holds
// a group's secret can send as any of its members: a group key tells members from strangers, not from each other.

import { err, ok, type Result } from '@myelin/base'
import { wipe } from '@myelin/crypto'
import {
  checkOption,
  checkSecret,
  checkSender,
  DatagramKeys,
  nextDatagramSecret,
} from './datagram-keys.ts'
import { SessionError } from './errors.ts'
import {
  datagramBytesMax,
  datagramEpochsAheadMax,
  datagramSendersDefault,
  datagramSendersMax,
  datagramsPerKeyMax,
} from './limits.ts'
import type { PlainSuite } from './negotiation.ts'
import { tagBytes } from './record-cipher.ts'
import { ReplayWindow } from './replay-window.ts'

const kindOfPair = 0x11
const kindOfGroup = 0x12
const pairHeaderBytes = 10
const groupHeaderBytes = 14
/** Stands in the tables for the one sender of a pair. */
const onlySender = 0

export type DatagramFault =
  /** Shorter than header and tag, or longer than any datagram. */
  | 'datagram_length'
  /** Another version, or a group's where a pair's is expected. */
  | 'datagram_kind'
  /** Of an epoch before the previous one, or too far ahead. */
  | 'datagram_epoch'
  /** Not among the senders that were named. */
  | 'datagram_sender'
  /** As many senders are known as may be. */
  | 'datagram_senders_full'
  | 'datagram_counter'
  | 'datagram_replayed'
  /** Older than the window reaches; perhaps a replay. */
  | 'datagram_late'
  /** Not sealed with this key, or changed since. */
  | 'datagram_forged'
  | 'datagram_closed'

export interface DatagramSealerOptions {
  /** In a group: the number of this member, which no other member has. Left out: the secret has one sender. */
  readonly sender?: number
  /** Datagrams after which the key is updated; by default as many as one key may seal. */
  readonly datagramsPerKey?: number
}

/**
 * Seals what one sender says. A secret serves one sealer in its life, a group's one for each sender number: a
 * second one, also after a restart, would count from 0 again and repeat nonces.
 */
export class DatagramSealer implements Disposable {
  /** What a sealed datagram has beside its plaintext. */
  readonly datagramOverheadBytes: number
  readonly #suite: PlainSuite
  readonly #sender: number | undefined
  readonly #header: Uint8Array
  readonly #datagramsPerKey: number
  readonly #view: DataView
  #secret: Uint8Array
  #keys: DatagramKeys
  #epoch = 0
  #counter = 0
  #isClosed = false

  /** Takes ownership of `secret`. */
  constructor(suite: PlainSuite, secret: Uint8Array, options: DatagramSealerOptions = {}) {
    const { sender, datagramsPerKey = datagramsPerKeyMax } = options
    this.#datagramsPerKey = checkOption('datagramsPerKey', datagramsPerKey, datagramsPerKeyMax)
    this.#suite = suite
    this.#secret = checkSecret(secret)
    this.#sender = sender === undefined ? undefined : checkSender(sender)
    const headerBytes = sender === undefined ? pairHeaderBytes : groupHeaderBytes
    this.#header = new Uint8Array(headerBytes)
    this.#view = new DataView(this.#header.buffer)
    this.#header[0] = sender === undefined ? kindOfPair : kindOfGroup
    if (sender !== undefined) this.#view.setUint32(2, sender)
    this.datagramOverheadBytes = headerBytes + tagBytes
    this.#keys = new DatagramKeys(suite, this.#secret, this.#sender)
  }

  /** Key updates so far. */
  get epoch(): number {
    return this.#epoch
  }

  /** One datagram, in memory of its own. The key is updated when it has sealed as many as it may. */
  seal(plaintext: Uint8Array): Uint8Array {
    this.#checkOpen()
    if (plaintext.length + this.datagramOverheadBytes > datagramBytesMax) {
      const message = `${plaintext.length} bytes do not fit a datagram; send a message of a session`
      throw new SessionError('SESSION_MESSAGE_TOO_LARGE', message, { kind: 'usage' })
    }
    if (this.#counter >= this.#datagramsPerKey) this.update()
    const header = this.#header
    header[1] = this.#epoch % 256
    this.#view.setBigUint64(header.length - 8, BigInt(this.#counter))
    const datagram = new Uint8Array(plaintext.length + this.datagramOverheadBytes)
    datagram.set(header)
    this.#keys.sealInto(this.#counter, plaintext, header, datagram, header.length)
    this.#counter += 1
    return datagram
  }

  /** Moves to the next key; the old one is wiped. In a group, whoever sends must keep up with its opener. */
  update(): void {
    this.#checkOpen()
    const next = nextDatagramSecret(this.#secret)
    wipe(this.#secret)
    this.#keys.wipe()
    this.#secret = next
    this.#keys = new DatagramKeys(this.#suite, next, this.#sender)
    this.#epoch += 1
    this.#counter = 0
  }

  [Symbol.dispose](): void {
    this.#isClosed = true
    wipe(this.#secret)
    this.#keys.wipe()
  }

  #checkOpen(): void {
    if (!this.#isClosed) return
    const message = 'this sealer is disposed of; make another with a new secret'
    throw new SessionError('SESSION_CLOSED', message, { kind: 'usage' })
  }
}

export interface DatagramOpenerOptions {
  /** The secret is a group's, whose datagrams name their senders. */
  readonly isGroup?: boolean
  /** Who may send, where that is known: others are refused before any computation. */
  readonly senders?: ReadonlySet<number>
  /** Senders whose counters are remembered; further ones are refused until the next key update. */
  readonly sendersMax?: number
}

export interface OpenedDatagram {
  readonly plaintext: Uint8Array
  /** In a group: the number that the sender goes by. */
  readonly sender?: number
  readonly epoch: number
  readonly counter: number
}

interface SenderState {
  readonly keys: DatagramKeys
  readonly window: ReplayWindow
}

interface Epoch {
  readonly number: number
  readonly secret: Uint8Array
  readonly senders: Map<number, SenderState>
}

/**
 * Opens each datagram once, in any order, of the present epoch and the one before. The first that opens in a later
 * epoch leads there.
 */
export class DatagramOpener implements Disposable {
  readonly #suite: PlainSuite
  readonly #isGroup: boolean
  readonly #headerBytes: number
  readonly #senders: ReadonlySet<number> | undefined
  readonly #sendersMax: number
  #previous: Epoch | undefined
  #present: Epoch
  /** The epochs to come, as far as a datagram has asked for them. */
  readonly #ahead: Epoch[] = []
  #isClosed = false

  /** Takes ownership of `secret`. */
  constructor(suite: PlainSuite, secret: Uint8Array, options: DatagramOpenerOptions = {}) {
    const { isGroup = false, senders, sendersMax = datagramSendersDefault } = options
    this.#suite = suite
    this.#isGroup = isGroup
    this.#headerBytes = isGroup ? groupHeaderBytes : pairHeaderBytes
    this.#senders = senders
    this.#sendersMax = checkOption('sendersMax', sendersMax, datagramSendersMax)
    this.#present = { number: 0, secret: checkSecret(secret), senders: new Map() }
  }

  /** The highest epoch of which a datagram was opened, or that `update` has led to. */
  get epoch(): number {
    return this.#present.number
  }

  /** `datagram` comes from the network and may be anything. */
  open(datagram: Uint8Array): Result<OpenedDatagram, DatagramFault> {
    if (this.#isClosed) return err('datagram_closed')
    const headerBytes = this.#headerBytes
    if (datagram.length < headerBytes + tagBytes || datagram.length > datagramBytesMax)
      return err('datagram_length')
    if (datagram[0] !== (this.#isGroup ? kindOfGroup : kindOfPair)) return err('datagram_kind')
    const view = new DataView(datagram.buffer, datagram.byteOffset, headerBytes)
    const epoch = this.#epochOf(datagram[1] as number)
    if (epoch === undefined) return err('datagram_epoch')
    const sender = this.#isGroup ? view.getUint32(2) : onlySender
    if (this.#isGroup && this.#senders?.has(sender) === false) return err('datagram_sender')
    const known = epoch.senders.get(sender)
    if (known === undefined && epoch.senders.size >= this.#sendersMax)
      return err('datagram_senders_full')
    const counter = Number(view.getBigUint64(headerBytes - 8))
    if (!Number.isSafeInteger(counter)) return err('datagram_counter')
    const state = known ?? this.#derive(epoch, sender)
    const judged = state.window.check(counter)
    if (judged !== 'fresh') return err(judged === 'seen' ? 'datagram_replayed' : 'datagram_late')
    const header = datagram.subarray(0, headerBytes)
    const plaintext = state.keys.open(counter, datagram.subarray(headerBytes), header)
    if (plaintext === undefined) {
      if (!epoch.senders.has(sender)) state.keys.wipe()
      return err('datagram_forged')
    }
    epoch.senders.set(sender, state)
    state.window.mark(counter)
    while (epoch.number > this.#present.number) this.update()
    const from = this.#isGroup ? { sender } : {}
    return ok({ plaintext, ...from, epoch: epoch.number, counter })
  }

  /** Moves to the next epoch, as the first datagram sealed in it does by itself. */
  update(): void {
    if (this.#isClosed) return
    if (this.#previous !== undefined) wipeEpoch(this.#previous)
    this.#previous = this.#present
    this.#present = this.#epochAhead(1)
    this.#ahead.shift()
  }

  [Symbol.dispose](): void {
    this.#isClosed = true
    for (const epoch of [this.#previous, this.#present, ...this.#ahead])
      if (epoch !== undefined) wipeEpoch(epoch)
  }

  #epochOf(byte: number): Epoch | undefined {
    const ahead = (byte - (this.#present.number % 256) + 256) % 256
    if (ahead === 0) return this.#present
    if (ahead === 255) return this.#previous
    return ahead <= datagramEpochsAheadMax ? this.#epochAhead(ahead) : undefined
  }

  #epochAhead(steps: number): Epoch {
    let last = this.#ahead.at(-1) ?? this.#present
    while (this.#ahead.length < steps) {
      last = {
        number: last.number + 1,
        secret: nextDatagramSecret(last.secret),
        senders: new Map(),
      }
      this.#ahead.push(last)
    }
    return this.#ahead[steps - 1] as Epoch
  }

  /** Not kept in a group before its first datagram opens: a stranger can invent any number of senders. */
  #derive(epoch: Epoch, sender: number): SenderState {
    const named = this.#isGroup ? sender : undefined
    const keys = new DatagramKeys(this.#suite, epoch.secret, named)
    const state = { keys, window: new ReplayWindow() }
    if (!this.#isGroup) epoch.senders.set(sender, state)
    return state
  }
}

function wipeEpoch({ secret, senders }: Epoch): void {
  wipe(secret)
  for (const { keys } of senders.values()) keys.wipe()
  senders.clear()
}
