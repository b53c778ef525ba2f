// Message types by number on one session's wire. Built-in names have fixed numbers below 64; any other name
// is announced once by its sender, in a frame before its first use, and numbered by that sender.

import { customTypeIdFirst, typesMax } from './limits.ts'

export class TypeNames {
  readonly #builtIn: ReadonlyMap<string, number>
  readonly #builtInNames: ReadonlyMap<number, string>
  // Made with the first custom type: most sessions have none.
  #ours: Map<string, number> | undefined
  #theirs: Map<number, string> | undefined
  /** The last name that was looked up: most messages follow one of their own type. */
  #lastName: string | undefined
  #lastNumber: number | undefined

  constructor(builtIn: ReadonlyMap<string, number>) {
    this.#builtIn = builtIn
    this.#builtInNames = inverse(builtIn)
  }

  /** The number of a name, or undefined where it must be announced first. */
  numberOf(name: string): number | undefined {
    if (name === this.#lastName) return this.#lastNumber
    const number = this.#builtIn.get(name) ?? this.#ours?.get(name)
    if (number !== undefined) {
      this.#lastName = name
      this.#lastNumber = number
    }
    return number
  }

  /** A new number for a name; undefined: there are too many. */
  announce(name: string): number | undefined {
    this.#ours ??= new Map()
    if (this.#ours.size >= typesMax) return undefined
    const number = customTypeIdFirst + this.#ours.size
    this.#ours.set(name, number)
    return number
  }

  nameOf(number: number): string | undefined {
    return this.#builtInNames.get(number) ?? this.#theirs?.get(number)
  }

  /** The peer announced a type. False: it may not. */
  learn(number: number, name: string): boolean {
    this.#theirs ??= new Map()
    // Once on the main stream, and once on each lane that may overtake it.
    if (this.#theirs.get(number) === name) return true
    // One number, one name: a peer cannot rename a type, nor give a built-in name a second number.
    const isNew = number >= customTypeIdFirst && !this.#theirs.has(number)
    if (!isNew || this.#theirs.size >= typesMax) return false
    if (name === '' || this.#builtIn.has(name)) return false
    this.#theirs.set(number, name)
    return true
  }
}

const inverses = new WeakMap<ReadonlyMap<string, number>, ReadonlyMap<number, string>>()

/** One inverse per table, not per session. */
function inverse(table: ReadonlyMap<string, number>): ReadonlyMap<number, string> {
  let found = inverses.get(table)
  if (found === undefined) {
    found = new Map([...table].map(([name, number]) => [number, name]))
    inverses.set(table, found)
  }
  return found
}
