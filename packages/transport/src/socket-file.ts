// The file of a Unix socket: made without a moment in which others may use it, and never in the place of
// something that is alive or is no socket.
//
// bind(2) makes the file with the permissions that the umask leaves, and listen(2) follows at once. A umask set
// around it would be the whole process's, threads included, and Node forbids it in workers. So the socket is bound
// inside a new folder of mode 0700 beside its place, gets its mode there, and is hard-linked into place:
// link(2) fails where a file is in the way, so nothing is replaced unseen.

import { type BigIntStats, lstatSync, unlinkSync } from 'node:fs'
import { chmod, link, lstat, mkdtemp, rename, rm, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { dirname, join, sep } from 'node:path'
import { systemCode, TransportError, transportErrorOf } from './errors.ts'
import { publishAttemptsMax } from './limits.ts'

/** A folder of mode 0700 in the folder of `path`, hence on the same file system; gone when disposed. */
export class PrivateFolder implements AsyncDisposable {
  readonly #path: string

  private constructor(path: string) {
    this.#path = path
  }

  static async beside(path: string, what: string): Promise<PrivateFolder> {
    try {
      return new PrivateFolder(await mkdtemp(`${dirname(path)}${sep}.`))
    } catch (cause) {
      if (systemCode(cause) !== 'ENOENT') throw transportErrorOf(cause, what)
      const message = `${what}: its folder ${dirname(path)} is missing; make it with mode 0700`
      throw new TransportError('TRANSPORT_ADDRESS', message, { cause, kind: 'usage' })
    }
  }

  /** As long as `socketPath` of a folder beside `path` will be. mkdtemp adds six characters. */
  static longestPathBeside(path: string): string {
    return join(dirname(path), '.XXXXXX', 's')
  }

  get socketPath(): string {
    return join(this.#path, 's')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.#path, { recursive: true, force: true })
  }
}

export interface PublishSocket {
  /** The folder in whose `socketPath` a server listens already. */
  readonly folder: PrivateFolder
  readonly path: string
  readonly mode: number
  readonly what: string
  /** How a second name is made; tests put a file system without hard links here. */
  readonly link?: (existing: string, added: string) => Promise<void>
}

/** What file systems without hard links answer. There the socket is renamed, once nothing is in the way. */
const withoutHardLinks: ReadonlySet<string | undefined> = new Set([
  'ENOSYS',
  'ENOTSUP',
  'EOPNOTSUPP',
  'EPERM',
])

/**
 * Moves the listening socket of `folder` to `path`. Resolves to what removes it again, unless another file has
 * taken its place. Throws `TRANSPORT_IN_USE` where a listener answers or something else is in the way.
 */
export async function publishSocket(options: PublishSocket): Promise<() => Promise<void>> {
  const { folder, path, mode, what } = options
  try {
    await chmod(folder.socketPath, mode)
    const own = await lstat(folder.socketPath, { bigint: true })
    await linkIntoPlace(options)
    return async () => {
      const there = await statOf(path)
      if (there !== undefined && isSameFile(there, own)) await unlink(path).catch(() => {})
    }
  } catch (cause) {
    throw transportErrorOf(cause, what)
  }
}

async function linkIntoPlace(options: PublishSocket): Promise<void> {
  const { folder, path, what } = options
  const addName = options.link ?? link
  for (let attempt = 0; attempt < publishAttemptsMax; attempt += 1) {
    try {
      return await addName(folder.socketPath, path)
    } catch (cause) {
      const code = systemCode(cause)
      if (code !== 'EEXIST' && !withoutHardLinks.has(code)) throw cause
      await removeStale(options)
      if (code !== 'EEXIST') return await rename(folder.socketPath, path)
    }
  }
  throw inUse(what, 'others keep taking the path; give each listener its own')
}

/** Removes a socket at `path` that nobody listens on, and nothing else. */
async function removeStale({ path, what }: PublishSocket): Promise<void> {
  const found = await statOf(path)
  if (found === undefined) return
  if (!found.isSocket())
    throw inUse(what, 'a file that is no socket is in the way; move it or choose another path')
  if (await isAnswered(path))
    throw inUse(what, 'another listener answers there; stop it or choose another path')
  // Between the question and the answer another listener may have replaced the file, so it is compared and
  // removed in one turn. Other processes can still slip in between these two calls, some microseconds; POSIX has no
  // removal by inode that would shut them out.
  const now = lstatSync(path, { bigint: true, throwIfNoEntry: false })
  if (now !== undefined && isSameFile(now, found)) unlinkSync(path)
}

/**
 * Whether a connection to the socket is accepted, or fails for another reason than that nobody listens. Linux
 * answers EAGAIN for a full backlog; the BSDs refuse then too, which no one can tell from an abandoned file.
 */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', (cause) => {
      const code = systemCode(cause)
      resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT')
    })
  })
}

async function statOf(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true })
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return undefined
    throw cause
  }
}

/** Inode numbers are used again; together with the time of the last write they are not. */
function isSameFile(a: BigIntStats, b: BigIntStats): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.mtimeNs === b.mtimeNs
}

function inUse(what: string, reason: string): TransportError {
  return new TransportError('TRANSPORT_IN_USE', `${what}: ${reason}`, { kind: 'usage' })
}
