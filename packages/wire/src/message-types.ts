// The registry of message types (R013): names, their numbers on a session's wire, and the codecs of their
// payloads. An application adds and removes its own; handlers are registered in @myelin/fabric, permissions in
// @myelin/guard, both by the same names.

import type { Result } from '@myelin/base'
import { WireError } from './errors.ts'
import { internalTypes } from './internal-types.ts'
import {
  messageTypeIdCustomMin,
  messageTypeIdMax,
  messageTypeNameBytesMax,
  messageTypesMaxDefault,
} from './limits.ts'
import { isMessageTypeName } from './message-name.ts'

/** One kind of message: its name and the codec that also validates its payload. */
export interface MessageType<Payload = unknown> {
  /** Kebab-case, at most 64 bytes. */
  readonly name: string
  /** A number that both sides know without agreeing on it: 64 to 65,535 for applications. */
  readonly id?: number
  /** Throws a WireError for a payload that `decode` would refuse. */
  encode(payload: Payload): Uint8Array
  /** Never throws: what is wrong with a peer's payload comes back as a fault in snake_case. */
  decode(bytes: Uint8Array): Result<Payload, string>
}

export interface MessageTypesOptions {
  /** Types that are there from the start, may have numbers below 64 and cannot be removed. */
  readonly fixed?: readonly MessageType[]
  /** How many types the registry holds at most; 1024 by default. */
  readonly typesMax?: number
}

export class MessageTypes {
  readonly #byName = new Map<string, MessageType>()
  readonly #byId = new Map<number, MessageType>()
  readonly #fixed: ReadonlySet<string>
  readonly #typesMax: number

  constructor({ fixed = [], typesMax = messageTypesMaxDefault }: MessageTypesOptions = {}) {
    this.#typesMax = typesMax
    for (const type of fixed) this.#add(type, 1)
    this.#fixed = new Set(this.#byName.keys())
  }

  /** Throws `WIRE_TYPE_INVALID`, `WIRE_TYPE_DUPLICATE` or `WIRE_TYPES_FULL`. */
  register<Payload>(type: MessageType<Payload>): void {
    this.#add(type, messageTypeIdCustomMin)
  }

  /** True when the type was there and is gone. Throws `WIRE_TYPE_INVALID` for a fixed type. */
  unregister(name: string): boolean {
    if (this.#fixed.has(name)) {
      throw new WireError('WIRE_TYPE_INVALID', `"${name}" is built in and cannot be removed`)
    }
    const type = this.#byName.get(name)
    if (type === undefined) return false
    this.#byName.delete(name)
    if (type.id !== undefined) this.#byId.delete(type.id)
    return true
  }

  /** The type of that name; undefined for one that nobody registered. */
  get(name: string): MessageType | undefined {
    return this.#byName.get(name)
  }

  getById(id: number): MessageType | undefined {
    return this.#byId.get(id)
  }

  /** In the order of registration. */
  get names(): string[] {
    return [...this.#byName.keys()]
  }

  #add(type: MessageType, idMin: number): void {
    const { name, id } = type
    if (!isMessageTypeName(name)) {
      const mend = `use kebab-case, at most ${messageTypeNameBytesMax} bytes`
      throw new WireError('WIRE_TYPE_INVALID', `"${name}" is no name of a message type: ${mend}`)
    }
    if (id !== undefined && !(Number.isInteger(id) && id >= idMin && id <= messageTypeIdMax)) {
      const mend = `use ${idMin} to ${messageTypeIdMax}, or none`
      throw new WireError('WIRE_TYPE_INVALID', `${id} cannot be the id of "${name}": ${mend}`)
    }
    if (internalTypes.has(name)) {
      throw new WireError('WIRE_TYPE_INVALID', `"${name}" is the library's own; take another name`)
    }
    if (this.#byName.has(name) || (id !== undefined && this.#byId.has(id))) {
      const mend = 'unregister the other one or take another'
      throw new WireError('WIRE_TYPE_DUPLICATE', `"${name}" or its id is taken: ${mend}`)
    }
    if (this.#byName.size >= this.#typesMax) {
      const mend = 'unregister types that are not needed, or raise typesMax'
      throw new WireError('WIRE_TYPES_FULL', `${this.#typesMax} types are registered: ${mend}`)
    }
    this.#byName.set(name, type)
    if (id !== undefined) this.#byId.set(id, type)
  }
}
