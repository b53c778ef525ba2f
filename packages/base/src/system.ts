// The real world: the only file of the pure packages that reads a clock, sets a timer, draws randomness or
// writes a disk. Everything else receives these through ports.

import { randomBytes, randomFillSync } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, unlink } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { BaseError } from './errors.ts'
import type { Clock, Random, Store } from './ports.ts'

export { loadNodeFfi, type NodeFfi } from './node-ffi.ts'

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer: (delayMs, callback, { keepsAlive = false } = {}) => {
    const handle = setTimeout(callback, delayMs)
    if (!keepsAlive) handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
  defer: (callback) => queueMicrotask(callback),
}

export const systemRandom: Random = {
  fill: (target) => {
    randomFillSync(target)
    return target
  },
}

/** A store in memory, for agents without a home directory. */
export function memoryStore(): Store {
  const entries = new Map<string, Uint8Array>()
  return {
    get: async (key) => entries.get(key)?.slice(),
    put: async (key, value) => {
      entries.set(key, new Uint8Array(value))
    },
    delete: async (key) => {
      entries.delete(key)
    },
    list: async (prefix) => [...entries.keys()].filter((key) => key.startsWith(prefix)).sort(),
  }
}

/**
 * A store of one file per key under `directory` (made with mode 0700, files 0600).
 * Keys are slash-separated segments of `A-Za-z0-9._-` that neither begin with a dot nor end in `.tmp`; others
 * throw `BASE_STORE`.
 */
export function fileStore(directory: string): Store {
  return {
    get: async (key) => {
      try {
        return new Uint8Array(await readFile(pathOfKey(directory, key)))
      } catch (cause) {
        if (isMissing(cause)) return undefined
        throw storeError(`cannot read ${key}`, cause)
      }
    },
    put: (key, value) => writeFileAtomic(pathOfKey(directory, key), value),
    delete: async (key) => {
      try {
        await unlink(pathOfKey(directory, key))
      } catch (cause) {
        if (!isMissing(cause)) throw storeError(`cannot delete ${key}`, cause)
      }
    },
    list: (prefix) => listKeys(directory, prefix),
  }
}

const temporarySuffix = '.tmp'

/** Writes a file so that a crash leaves the old content or the new, never a mixture. Mode 0600 by default. */
export async function writeFileAtomic(
  path: string,
  content: Uint8Array,
  mode = 0o600,
): Promise<void> {
  // Random, not counted: a name that a crashed process left behind must not be in the way of this one.
  const temporary = `${path}.${randomBytes(8).toString('hex')}${temporarySuffix}`
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    const file = await open(temporary, 'wx', mode)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    await syncDirectory(dirname(path))
  } catch (cause) {
    await unlink(temporary).catch(() => {})
    throw storeError(`cannot write ${path}`, cause)
  }
}

/** The rename itself is durable only when the directory is. Windows has no such call and needs none. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

function pathOfKey(directory: string, key: string): string {
  const segments = key.split('/')
  const isSafe = segments.every((segment) => /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(segment))
  if (!isSafe || key.endsWith(temporarySuffix)) {
    const rule =
      'use slash-separated A-Z, a-z, 0-9, ".", "_", "-", no leading dot, no ending ".tmp"'
    throw storeError(`"${key}" is not a key: ${rule}`)
  }
  return join(directory, ...segments)
}

async function listKeys(directory: string, prefix: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true })
    return entries
      .filter((entry) => entry.isFile() && !entry.name.endsWith(temporarySuffix))
      .map((entry) => relative(directory, join(entry.parentPath, entry.name)).replaceAll(sep, '/'))
      .filter((key) => key.startsWith(prefix))
      .sort()
  } catch (cause) {
    if (isMissing(cause)) return []
    throw storeError(`cannot list ${directory}`, cause)
  }
}

function isMissing(cause: unknown): boolean {
  // ENOTDIR: a segment of the key is itself a key.
  const code = cause instanceof Error ? (cause as NodeJS.ErrnoException).code : undefined
  return code === 'ENOENT' || code === 'ENOTDIR'
}

function storeError(message: string, cause?: unknown): BaseError {
  const reason = cause instanceof Error ? ` (${cause.message})` : ''
  return new BaseError('BASE_STORE', `${message}${reason}`, { cause, kind: 'recoverable' })
}
