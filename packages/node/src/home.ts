// What an agent keeps: its keys, whom it trusts, which join tokens are open. In a folder of its own (0700,
// files 0600), or in memory where none is named.

import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Random, Store } from '@myelin/base'
import { fileStore, memoryStore } from '@myelin/base/system'
import {
  AgentKeys,
  JoinTokenBook,
  loadAgentKeys,
  saveAgentKeys,
  TrustStore,
} from '@myelin/identity'
import { NodeError } from './errors.ts'

export const keyFileName = 'agent.key'

export interface HomeOptions {
  /** A folder; undefined keeps everything in memory. */
  readonly path?: string | undefined
  readonly passphrase?: string | undefined
  readonly random: Random
  /** Instead of a folder. */
  readonly store?: Store | undefined
}

export interface Home {
  readonly store: Store
  readonly keys: AgentKeys
  readonly trust: TrustStore
  readonly tokens: JoinTokenBook
  /** The keys were made just now. */
  readonly isNew: boolean
}

/** Opens a home, making keys where it has none. Throws `NODE_HOME` or the errors of identity. */
export async function openHome(options: HomeOptions): Promise<Home> {
  const store =
    options.store ?? (options.path === undefined ? memoryStore() : fileStore(resolve(options.path)))
  if (options.path !== undefined) await checkKeyPermissions(resolve(options.path))
  const file = { store, path: keyFileName, passphrase: options.passphrase, random: options.random }
  const found = await loadAgentKeys(file)
  const keys = found ?? AgentKeys.generate(options.random)
  if (found === undefined) await saveAgentKeys(keys, file)
  const [trust, tokens] = [await TrustStore.open(store), await JoinTokenBook.open(store)]
  return { store, keys, trust, tokens, isNew: found === undefined }
}

/** A key that others can read is no secret any more (as ssh holds it). */
async function checkKeyPermissions(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const path = join(folder, keyFileName)
  const mode = await stat(path).then(
    (info) => info.mode,
    () => undefined,
  )
  if (mode === undefined || (mode & 0o077) === 0) return
  const octal = (mode & 0o777).toString(8)
  throw new NodeError(
    'NODE_HOME',
    `${path} can be read by others (mode ${octal}); run: chmod 600 ${path}`,
    { kind: 'usage' },
  )
}
