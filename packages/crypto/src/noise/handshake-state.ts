// HandshakeState of Noise rev 34 §5.3, with psk (§9) and hfs (noise_hfs rev 1) tokens. Pure:
// messages in, messages out.
//
// Reading takes untrusted bytes: it answers with a fault, after which the handshake is dead. Every
// public key is checked when it is read, so writing never fails because of what the peer sent.
// Writing out of turn or setting up wrong keys is the caller's fault and throws. Sizes are checked
// before any cryptography.

import { err, ok, type Random, type Result } from '@myelin/base'
import { CryptoError, disposedError } from '../errors.ts'
import { aeadTagBytes, noiseMessageBytesMax } from '../limits.ts'
import type { CipherState } from './cipher-state.ts'
import { checkKeys, type HandshakeOptions, stateError } from './handshake-options.ts'
import type { Token } from './patterns.ts'
import {
  type NoiseKem,
  type NoiseKemKeyPair,
  type NoiseKeyPair,
  type NoiseProtocol,
  parseProtocolName,
} from './protocol-name.ts'
import { SymmetricState } from './symmetric-state.ts'

export type NoiseFault =
  /** Shorter than the pattern's keys and tags. */
  | 'noise_truncated'
  /** Longer than 65,535 bytes. */
  | 'noise_too_long'
  /**
   * An authentication tag does not fit: forged, corrupted, or another protocol, prologue or key.
   */
  | 'noise_decrypt'
  /** A DH public key that would let the peer choose the shared secret, or that is none. */
  | 'noise_low_order'
  /** A KEM public key that the KEM refuses. */
  | 'noise_kem'
  /** Not this side's turn to read, complete, or dead after a fault. */
  | 'noise_state'

export interface TransportCiphers {
  /**
   * Owned by the caller. In a one-way pattern the direction that does not exist is already
   * disposed.
   */
  readonly send: CipherState
  readonly receive: CipherState
}

export class HandshakeState {
  readonly #protocol: NoiseProtocol
  readonly #kem: NoiseKem | undefined
  readonly #symmetric: SymmetricState
  readonly #isInitiator: boolean
  readonly #random: Random
  readonly #s: NoiseKeyPair | undefined
  readonly #psks: readonly Uint8Array[]
  readonly #hasPsk: boolean
  #e: NoiseKeyPair | undefined
  #e1: NoiseKemKeyPair | undefined
  #rs: Uint8Array | undefined
  #re: Uint8Array | undefined
  #re1: ReturnType<NoiseKem['importPublic']>
  #psksUsed = 0
  /** Index of the next message; the initiator writes the even ones. */
  #next = 0
  #status: 'running' | 'split' | 'dead' = 'running'

  constructor(options: HandshakeOptions) {
    const protocol = parseProtocolName(options.protocolName)
    this.#protocol = protocol
    this.#kem = protocol.kem === undefined ? undefined : (options.kem ?? protocol.kem)
    this.#isInitiator = options.initiator
    this.#random = options.random
    this.#s = options.s
    this.#e = options.e
    this.#rs = options.rs && new Uint8Array(options.rs)
    this.#psks = options.psks ?? []
    this.#hasPsk = protocol.pattern.messages.some((message) => message.includes('psk'))
    checkKeys(protocol, options)
    this.#symmetric = new SymmetricState(protocol.name, protocol.cipher, protocol.hash)
    this.#symmetric.mixHash(options.prologue)
    const { knowsInitiator, knowsResponder } = protocol.pattern
    if (knowsInitiator) this.#symmetric.mixHash(this.#staticOf(true))
    if (knowsResponder) this.#symmetric.mixHash(this.#staticOf(false))
  }

  get protocolName(): string {
    return this.#protocol.name
  }

  /** All messages are through; `split` gives the transport keys. */
  get isComplete(): boolean {
    return this.#next === this.#protocol.pattern.messages.length && this.#status !== 'dead'
  }

  get isMyTurn(): boolean {
    return this.#status === 'running' && !this.isComplete && this.#writesNext()
  }

  /** The peer's static public key, once read or given; trust it when the pattern says so (§7.7). */
  get remoteStatic(): Uint8Array | undefined {
    return this.#rs
  }

  /** h so far; after completion the value for channel binding (§11.2). */
  get handshakeHash(): Uint8Array {
    return this.#symmetric.handshakeHash
  }

  /** Bytes that the next message has beside its payload; 0 when complete. */
  get nextOverheadBytes(): number {
    return this.#overheadOf(this.#protocol.pattern.messages[this.#next] ?? [])
  }

  /** The next message with `payload` (encrypted as soon as the pattern has a key). */
  writeMessage(payload: Uint8Array): Uint8Array {
    const tokens = this.#protocol.pattern.messages[this.#next]
    if (this.#status === 'dead') throw disposedError('a Noise handshake')
    if (tokens === undefined) throw stateError('it is complete: call split()')
    if (!this.#writesNext()) throw stateError("it is the peer's turn: read its message first")
    const length = this.#overheadOf(tokens) + payload.length
    if (length > noiseMessageBytesMax) {
      const message = `a handshake message of ${length} bytes; shorten the payload to fit 65,535`
      throw new CryptoError('CRYPTO_NOISE_TOO_LONG', message, { kind: 'usage' })
    }
    const out = new Uint8Array(length)
    let offset = 0
    for (const token of tokens) offset += this.#write(token, out, offset)
    this.#symmetric.encryptAndHash(payload, out, offset)
    this.#next += 1
    return out
  }

  /**
   * The payload of the peer's next message, in memory of its own; after a fault the handshake is
   * dead. Copies are made with the constructor throughout: a Buffer's `slice` would share memory.
   */
  readMessage(message: Uint8Array): Result<Uint8Array, NoiseFault> {
    const tokens = this.#protocol.pattern.messages[this.#next]
    if (this.#status !== 'running' || tokens === undefined || this.#writesNext()) {
      return this.#fail('noise_state')
    }
    if (message.length > noiseMessageBytesMax) return this.#fail('noise_too_long')
    if (message.length < this.#overheadOf(tokens)) return this.#fail('noise_truncated')
    let offset = 0
    for (const token of tokens) {
      const step = this.#read(token, message, offset)
      if (typeof step === 'string') return this.#fail(step)
      offset += step
    }
    const isEncrypted = this.#symmetric.hasKey
    const payload = this.#symmetric.decryptAndHash(message.subarray(offset))
    if (payload === undefined) return this.#fail('noise_decrypt')
    this.#next += 1
    return ok(isEncrypted ? payload : new Uint8Array(payload))
  }

  /**
   * The transport ciphers of this side, once, after the last message. Wipes what the handshake
   * holds.
   */
  split(): TransportCiphers {
    if (!this.isComplete || this.#status === 'split') {
      throw stateError('split() comes once, after the last message')
    }
    const [fromInitiator, fromResponder] = this.#symmetric.split()
    this.#status = 'split'
    this.#forgetEphemerals()
    // §7.4: in a one-way pattern only the initiator sends.
    if (this.#protocol.pattern.isOneWay) fromResponder[Symbol.dispose]()
    return this.#isInitiator
      ? { send: fromInitiator, receive: fromResponder }
      : { send: fromResponder, receive: fromInitiator }
  }

  /** Wipes ephemerals, ck and k. The remote static key and the handshake hash stay readable. */
  [Symbol.dispose](): void {
    if (this.#status === 'running') this.#status = 'dead'
    this.#forgetEphemerals()
    this.#symmetric[Symbol.dispose]()
  }

  #writesNext(): boolean {
    return (this.#next % 2 === 0) === this.#isInitiator
  }

  /** Writes one token and returns its length. */
  #write(token: Token, out: Uint8Array, offset: number): number {
    switch (token) {
      case 'e': {
        this.#e ??= this.#protocol.dh.generate(this.#random)
        out.set(this.#e.publicKey, offset)
        this.#mixEphemeral(this.#e.publicKey)
        return this.#e.publicKey.length
      }
      case 's':
        return this.#symmetric.encryptAndHash(this.#localStatic().publicKey, out, offset)
      case 'e1': {
        this.#e1 = this.#liveKem().generate(this.#random)
        return this.#symmetric.encryptAndHash(this.#e1.publicKey, out, offset)
      }
      case 'ekem1': {
        if (this.#re1 === undefined) throw stateError('its KEM key has not been read')
        const { ciphertext, sharedSecret } = this.#re1.encapsulate()
        const length = this.#symmetric.encryptAndHash(ciphertext, out, offset)
        this.#symmetric.mixKey(sharedSecret)
        return length
      }
      case 'psk':
        this.#mixPsk()
        return 0
      default:
        if (!this.#mixDh(token)) throw stateError("the peer's key gives no shared secret")
        return 0
    }
  }

  /** Reads one token and returns its length or the fault. */
  #read(token: Token, message: Uint8Array, offset: number): number | NoiseFault {
    switch (token) {
      case 'e': {
        const length = this.#protocol.dh.publicBytes
        const re = new Uint8Array(message.subarray(offset, offset + length))
        if (!this.#protocol.dh.accepts(re)) return 'noise_low_order'
        this.#re = re
        this.#mixEphemeral(re)
        return length
      }
      case 's': {
        const length = this.#protocol.dh.publicBytes + this.#tagBytes()
        const rs = this.#symmetric.decryptAndHash(message.subarray(offset, offset + length))
        if (rs === undefined) return 'noise_decrypt'
        if (!this.#protocol.dh.accepts(rs)) return 'noise_low_order'
        this.#rs = new Uint8Array(rs)
        return length
      }
      case 'e1': {
        const kem = this.#liveKem()
        const length = kem.publicBytes + this.#tagBytes()
        const key = this.#symmetric.decryptAndHash(message.subarray(offset, offset + length))
        if (key === undefined) return 'noise_decrypt'
        this.#re1 = kem.importPublic(key)
        return this.#re1 === undefined ? 'noise_kem' : length
      }
      case 'ekem1': {
        const length = this.#liveKem().ciphertextBytes + this.#tagBytes()
        const ciphertext = this.#symmetric.decryptAndHash(message.subarray(offset, offset + length))
        if (ciphertext === undefined) return 'noise_decrypt'
        const shared = this.#e1?.decapsulate(ciphertext)
        if (shared === undefined) return 'noise_kem'
        this.#symmetric.mixKey(shared)
        return length
      }
      case 'psk':
        this.#mixPsk()
        return 0
      default:
        return this.#mixDh(token) ? 0 : 'noise_low_order'
    }
  }

  /** §9.2: with a psk in the pattern, `e` is mixed into the key as well. */
  #mixEphemeral(publicKey: Uint8Array): void {
    this.#symmetric.mixHash(publicKey)
    if (this.#hasPsk) this.#symmetric.mixPublicKey(publicKey)
  }

  /** §5.3: the first letter is the initiator's key, the second the responder's. */
  #mixDh(token: 'ee' | 'es' | 'se' | 'ss'): boolean {
    const [mine, theirs] = this.#isInitiator ? [token[0], token[1]] : [token[1], token[0]]
    const pair = mine === 'e' ? this.#e : this.#localStatic()
    const peer = theirs === 'e' ? this.#re : this.#rs
    const shared = peer === undefined ? undefined : pair?.agree(peer)
    if (shared === undefined) return false
    this.#symmetric.mixKey(shared)
    return true
  }

  #mixPsk(): void {
    const psk = this.#psks[this.#psksUsed]
    if (psk === undefined) throw stateError('it needs another psk')
    this.#psksUsed += 1
    this.#symmetric.mixKeyAndHash(psk)
  }

  #overheadOf(tokens: readonly Token[]): number {
    let bytes = 0
    let tag = this.#tagBytes()
    for (const token of tokens) {
      if (token === 'e') bytes += this.#protocol.dh.publicBytes
      else if (token === 's') bytes += this.#protocol.dh.publicBytes + tag
      else if (token === 'e1') bytes += this.#liveKem().publicBytes + tag
      else if (token === 'ekem1') bytes += this.#liveKem().ciphertextBytes + tag
      const makesKey = token === 'e' ? this.#hasPsk : token !== 's' && token !== 'e1'
      if (makesKey) tag = aeadTagBytes
    }
    return tokens.length === 0 ? 0 : bytes + tag
  }

  #tagBytes(): number {
    return this.#symmetric.hasKey ? aeadTagBytes : 0
  }

  #localStatic(): NoiseKeyPair {
    if (this.#s === undefined) throw stateError('its pattern needs a static key pair `s`')
    return this.#s
  }

  #liveKem(): NoiseKem {
    if (this.#kem === undefined) throw stateError('its pattern has no KEM')
    return this.#kem
  }

  #staticOf(isInitiator: boolean): Uint8Array {
    if (isInitiator === this.#isInitiator) return this.#localStatic().publicKey
    if (this.#rs === undefined) throw stateError("its pattern needs the peer's static key `rs`")
    return this.#rs
  }

  #fail(fault: NoiseFault): Result<never, NoiseFault> {
    if (this.#status === 'running') this[Symbol.dispose]()
    return err(fault)
  }

  #forgetEphemerals(): void {
    this.#e?.[Symbol.dispose]()
    this.#e1?.[Symbol.dispose]()
    this.#e = undefined
    this.#e1 = undefined
    this.#re1 = undefined
  }
}
