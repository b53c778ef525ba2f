// myelin version: what runs here.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineCommand } from '../command.ts'
import { alignColumns } from '../output.ts'

export const version = defineCommand({
  name: 'version',
  summary: 'Show the versions of Myelin, Node.js and OpenSSL.',
  examples: ['myelin version', 'myelin version --json'],
  run: ({ output }) => {
    const { node, openssl } = process.versions
    const document = { name: 'myelin', version: ownVersion(), node, openssl }
    const { name, version, ...runtime } = document
    output.result(document, () => alignColumns([[name, version], ...Object.entries(runtime)]))
    return 0
  },
})

/** From the package's manifest, which lies two folders up both in `src` and in `dist`. */
function ownVersion(): string {
  const path = join(import.meta.dirname, '..', '..', 'package.json')
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as { readonly version: string }
  return manifest.version
}
