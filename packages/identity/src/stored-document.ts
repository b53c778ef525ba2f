// A JSON document in a Store, written whole on every change, one write at a time and in order.

import { type Store, utf8Decode, utf8Encode } from '@myelin/base'

export class StoredDocument {
  readonly #store: Store
  readonly #path: string
  #writing: Promise<void> = Promise.resolve()

  constructor(store: Store, path: string) {
    this.#store = store
    this.#path = path
  }

  /** Undefined: there is none. `{ value: undefined }`: it is not JSON. */
  async read(): Promise<{ readonly value: unknown } | undefined> {
    const bytes = await this.#store.get(this.#path)
    if (bytes === undefined) return undefined
    try {
      return { value: JSON.parse(utf8Decode(bytes) ?? '') as unknown }
    } catch {
      return { value: undefined }
    }
  }

  /** Resolves when `value`, as it is now, is durable. A failed write does not stop later ones. */
  write(value: unknown): Promise<void> {
    const bytes = utf8Encode(`${JSON.stringify(value, null, 2)}\n`)
    const next = this.#writing.catch(() => {}).then(() => this.#store.put(this.#path, bytes))
    this.#writing = next
    return next
  }
}
