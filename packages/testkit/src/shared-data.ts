// Where the test suites and data of others lie. They are not part of the project: a clone without them skips
// the tests that need them, aloud.

import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

const repositoryRoot = resolve(import.meta.dirname, '../../..')

/** The folder `path` of the shared data (`MYELIN_SHARED`, else `../shared`), or undefined where absent. */
export function sharedPath(path: string): string | undefined {
  const root = process.env.MYELIN_SHARED ?? join(dirname(repositoryRoot), 'shared')
  const found = join(root, path)
  return existsSync(found) ? found : undefined
}

/** The value for a test's `skip` option: false where the data is there, else the reason. */
export function skipWithout(path: string): string | false {
  return sharedPath(path) === undefined
    ? `no ${path} here: set MYELIN_SHARED to a folder that holds it`
    : false
}
