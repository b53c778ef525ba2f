// The doorway: connections that are not sessions yet, and who of them may stay (R067, denial of service). As in a
// SYN cache the newcomer always gets in and somebody else has to go: first whoever has said nothing, then whoever
// has not proved who it is, always the oldest of the address that holds most places, so that one address cannot
// keep the others out.
//
// A first message costs us about a millisecond of key exchange and its sender nothing, so they are also bounded in
// time: so many each second, of which a part is kept for addresses that have asked for little.

import type { Clock } from '@myelin/base'
import { TokenBucket } from '@myelin/guard'
import { refusal, type SessionErrorCode } from '@myelin/session'
import type { ByteStream } from '@myelin/transport'
import {
  greetingsOfQuietAddressMax,
  greetingsPerSecondMax,
  greetingsReservedPerSecond,
  quietAddressesMax,
} from './limits.ts'

export interface DoorwayOptions {
  readonly clock: Clock
  /** Connections that have said nothing yet. */
  readonly silentMax: number
  /** Handshakes that have begun and not finished. */
  readonly pendingMax: number
}

/** Now, and since the start. */
export interface DoorwayCounts {
  readonly silent: number
  readonly greeted: number
  readonly admitted: number
  /** Callers that had to make room. */
  readonly evicted: number
  /** First messages that came too fast. */
  readonly refused: number
}

type Stage = 'silent' | 'greeted' | 'admitted'

/** One connection on its way to a session. */
export interface Caller {
  /** Aborted when the caller has to go. */
  readonly signal: AbortSignal
  /** The first message is there: the code of the refusal, where it comes too fast. */
  greet(): SessionErrorCode | undefined
  /** The caller has proved who it is. */
  admit(): void
  /** The handshake is over, either way. */
  leave(): void
}

interface Place {
  readonly address: string
  readonly control: AbortController
  stage: Stage | undefined
}

export class Doorway {
  readonly #options: DoorwayOptions
  readonly #rooms: Readonly<Record<Stage, Room>> = {
    silent: new Room(),
    greeted: new Room(),
    admitted: new Room(),
  }
  readonly #greetings: Greetings
  #evicted = 0
  #refused = 0

  constructor(options: DoorwayOptions) {
    this.#options = options
    this.#greetings = new Greetings(options.clock)
  }

  get counts(): DoorwayCounts {
    const { silent, greeted, admitted } = this.#rooms
    return {
      silent: silent.size,
      greeted: greeted.size,
      admitted: admitted.size,
      evicted: this.#evicted,
      refused: this.#refused,
    }
  }

  enter({ remoteAddress }: Pick<ByteStream, 'remoteAddress'>): Caller {
    const control = new AbortController()
    const place: Place = { address: addressOf(remoteAddress), control, stage: undefined }
    const { silent } = this.#rooms
    if (silent.size >= this.#options.silentMax) this.#evict(silent)
    this.#move(place, 'silent')
    return {
      signal: control.signal,
      greet: () => this.#greet(place),
      admit: () => this.#move(place, 'admitted'),
      leave: () => this.#move(place, undefined),
    }
  }

  /** Sends everybody away. */
  close(reason: unknown): void {
    for (const room of Object.values(this.#rooms)) {
      for (const place of room.all()) place.control.abort(reason)
    }
  }

  #greet(place: Place): SessionErrorCode | undefined {
    if (!this.#greetings.take(place.address)) {
      this.#refused += 1
      return 'SESSION_BUSY'
    }
    const { greeted, admitted } = this.#rooms
    if (greeted.size + admitted.size >= this.#options.pendingMax)
      this.#evict(greeted.size > 0 ? greeted : admitted)
    this.#move(place, 'greeted')
    return undefined
  }

  #evict(room: Room): void {
    const place = room.oldestOfLargest()
    if (place === undefined) return
    this.#evicted += 1
    const isSilent = place.stage === 'silent'
    this.#move(place, undefined)
    // Who has spoken hears why; the others may not even be there.
    place.control.abort(isSilent ? 'evicted' : refusal('SESSION_BUSY', { kind: 'recoverable' }))
  }

  #move(place: Place, stage: Stage | undefined): void {
    if (place.stage !== undefined) this.#rooms[place.stage].remove(place)
    // Who was sent away does not come back by finishing a step.
    const isGone = place.control.signal.aborted
    place.stage = isGone ? undefined : stage
    if (place.stage !== undefined) this.#rooms[place.stage].add(place)
  }
}

/** Places of one stage by address, each address's in the order of arrival. */
class Room {
  readonly #byAddress = new Map<string, Set<Place>>()
  size = 0

  add(place: Place): void {
    let places = this.#byAddress.get(place.address)
    if (places === undefined) {
      places = new Set()
      this.#byAddress.set(place.address, places)
    }
    places.add(place)
    this.size += 1
  }

  remove(place: Place): void {
    const places = this.#byAddress.get(place.address)
    if (places?.delete(place) !== true) return
    this.size -= 1
    if (places.size === 0) this.#byAddress.delete(place.address)
  }

  oldestOfLargest(): Place | undefined {
    let largest: Set<Place> | undefined
    for (const places of this.#byAddress.values()) {
      if (places.size > (largest?.size ?? 0)) largest = places
    }
    return largest?.values().next().value
  }

  all(): Place[] {
    return [...this.#byAddress.values()].flatMap((places) => [...places])
  }
}

/** How many first messages are looked at. */
class Greetings {
  readonly #clock: Clock
  readonly #common: TokenBucket
  readonly #reserved: TokenBucket
  /** First messages by address in the present second. */
  readonly #recent = new Map<string, number>()
  #sinceMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#sinceMs = clock.monotonicMs()
    const common = greetingsPerSecondMax - greetingsReservedPerSecond
    this.#common = new TokenBucket({ perSecond: common, burst: common }, this.#sinceMs)
    const reserved = greetingsReservedPerSecond
    this.#reserved = new TokenBucket({ perSecond: reserved, burst: reserved }, this.#sinceMs)
  }

  take(address: string): boolean {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#sinceMs >= 1_000 || this.#recent.size >= quietAddressesMax) {
      this.#sinceMs = nowMs
      this.#recent.clear()
    }
    const recent = (this.#recent.get(address) ?? 0) + 1
    this.#recent.set(address, recent)
    if (this.#common.take(1, nowMs)) return true
    return recent <= greetingsOfQuietAddressMax && this.#reserved.take(1, nowMs)
  }
}

/**
 * Whom an attacker must be to have another one: an IPv4 address, the /64 of an IPv6 address, and all of a kind that
 * has no addresses.
 */
export function addressOf(remoteAddress: string): string {
  const [, kind = '', host = ''] = remoteAddress.split('/', 3)
  if (kind === 'ip4') return host
  if (kind !== 'ip6') return `/${kind}`
  // RFC 4291 §2.5.5.2: an IPv4 address in IPv6 clothes.
  if (/^::ffff:/i.test(host)) return host
  const [before = '', after] = host.split('::')
  const groups = before === '' ? [] : before.split(':')
  const fill =
    after === undefined ? 0 : 8 - groups.length - (after === '' ? 0 : after.split(':').length)
  const rest = after === undefined || after === '' ? [] : after.split(':')
  const all = [...groups, ...Array.from({ length: Math.max(0, fill) }, () => '0'), ...rest]
  return `${all.slice(0, 4).join(':')}::/64`
}
