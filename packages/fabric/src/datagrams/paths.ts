// The addresses of one peer, and which of them have proved themselves (after RFC 9000 §8 and §9). Pure: time and
// tokens come in, decisions go out.
//
// An address proves itself by sending back, sealed, the token of a challenge that was sent to it. Until then at most
// three times the bytes go there that came from there in datagrams that opened, or, where the peer named the address
// in the session and nothing has come yet, a few challenges. Nothing that does not open leads to an entry here.

import type { Random } from '@myelin/base'
import { equalConstantTime } from '@myelin/crypto'
import { TokenBucket } from '@myelin/guard'
import { tokenBytes } from './frames.ts'
import {
  amplificationMax,
  challengeRateOfChannel,
  challengesToldMax,
  pathsMax,
  pathValidMs,
} from './limits.ts'

/** A way to the peer: from one of our sockets to one of its addresses. */
export interface Route {
  /** Index of the socket. */
  readonly socket: number
  readonly address: string
}

interface Path {
  readonly route: Route
  /** Named by the peer in the session. */
  readonly isTold: boolean
  isValidated: boolean
  /** The peer's latest messages came from here: it becomes the path as soon as it is proved. */
  isWanted: boolean
  token: Uint8Array | undefined
  challenges: number
  receivedBytes: number
  sentBytes: number
  lastHeardMs: number
}

export interface PathsParts {
  readonly random: Random
  readonly nowMs: number
  /** Of all channels together. */
  readonly sharedRate: TokenBucket
}

export class Paths {
  readonly #random: Random
  readonly #rate: TokenBucket
  readonly #sharedRate: TokenBucket
  readonly #paths = new Map<string, Path>()
  #current: Path | undefined
  #migrations = 0

  constructor({ random, nowMs, sharedRate }: PathsParts) {
    this.#random = random
    this.#sharedRate = sharedRate
    this.#rate = new TokenBucket(challengeRateOfChannel, nowMs)
  }

  /** Where messages go; undefined before an address has proved itself. */
  get current(): Route | undefined {
    return this.#current?.route
  }

  /** How often the peer has moved. */
  get migrations(): number {
    return this.#migrations
  }

  get size(): number {
    return this.#paths.size
  }

  /** The peer says in the session that it may be reached there. */
  tell(route: Route, nowMs: number): void {
    if (!this.#paths.has(keyOf(route))) this.#add(route, true, nowMs)
  }

  /** The routes that were told and have not been proved, as long as they may be challenged. */
  get unproved(): readonly Route[] {
    return [...this.#paths.values()]
      .filter((path) => path.isTold && !path.isValidated && path.challenges < challengesToldMax)
      .map(({ route }) => route)
  }

  /**
   * A datagram of `bytes` that opened came from there. `isNewest`: its counter is the highest so far and it is
   * more than a proof, so the peer is there now. True: the address should be challenged.
   */
  heard(route: Route, bytes: number, isNewest: boolean, nowMs: number): boolean {
    const path = this.#paths.get(keyOf(route)) ?? this.#add(route, false, nowMs)
    if (path !== this.#current && nowMs - path.lastHeardMs > pathValidMs) this.#doubt(path)
    path.receivedBytes += bytes
    path.lastHeardMs = nowMs
    if (!isNewest || path === this.#current) {
      if (isNewest) this.#wantOnly(undefined)
      return !path.isValidated && this.#current === undefined
    }
    this.#wantOnly(path)
    if (!path.isValidated) return true
    this.#use(path)
    return false
  }

  /** The token to send there, if a challenge of `bytes` may go there now; it is then counted as sent. */
  challenge(route: Route, bytes: number, nowMs: number): Uint8Array | undefined {
    const path = this.#paths.get(keyOf(route))
    if (path === undefined || path.isValidated) return undefined
    const isNamed = path.isTold && path.receivedBytes === 0
    if (isNamed && path.challenges >= challengesToldMax) return undefined
    if (!isNamed && !this.#isWithinBudget(path, bytes)) return undefined
    if (!this.#rate.take(1, nowMs) || !this.#sharedRate.take(1, nowMs)) return undefined
    path.challenges += 1
    path.sentBytes += bytes
    path.token ??= this.#random.fill(new Uint8Array(tokenBytes))
    return path.token
  }

  /** Whether `bytes` may go there in answer; they are then counted as sent. */
  mayAnswer(route: Route, bytes: number): boolean {
    const path = this.#paths.get(keyOf(route))
    if (path === undefined) return false
    if (path.isValidated) return true
    if (!this.#isWithinBudget(path, bytes)) return false
    path.sentBytes += bytes
    return true
  }

  /** A proof came, by whatever way: it proves the address that its challenge went to. */
  answered(token: Uint8Array, nowMs: number): void {
    for (const path of this.#paths.values()) {
      if (path.token === undefined || !equalConstantTime(path.token, token)) continue
      path.token = undefined
      path.isValidated = true
      path.lastHeardMs = nowMs
      if (this.#current === undefined || path.isWanted) this.#use(path)
      return
    }
  }

  #isWithinBudget(path: Path, bytes: number): boolean {
    return path.sentBytes + bytes <= amplificationMax * path.receivedBytes
  }

  #use(path: Path): void {
    if (this.#current !== undefined && this.#current !== path) this.#migrations += 1
    this.#current = path
    path.isWanted = false
  }

  #wantOnly(path: Path | undefined): void {
    for (const other of this.#paths.values()) other.isWanted = other === path
  }

  #doubt(path: Path): void {
    path.isValidated = false
    path.token = undefined
    path.challenges = 0
    path.sentBytes = 0
    path.receivedBytes = 0
  }

  #add(route: Route, isTold: boolean, nowMs: number): Path {
    if (this.#paths.size >= pathsMax) this.#forgetOldest()
    const path: Path = {
      route,
      isTold,
      isValidated: false,
      isWanted: false,
      token: undefined,
      challenges: 0,
      receivedBytes: 0,
      sentBytes: 0,
      lastHeardMs: nowMs,
    }
    this.#paths.set(keyOf(route), path)
    return path
  }

  #forgetOldest(): void {
    let oldest: Path | undefined
    for (const path of this.#paths.values()) {
      if (path === this.#current) continue
      if (oldest === undefined || path.lastHeardMs < oldest.lastHeardMs) oldest = path
    }
    if (oldest !== undefined) this.#paths.delete(keyOf(oldest.route))
  }
}

function keyOf({ socket, address }: Route): string {
  return `${socket} ${address}`
}
