// The one gate: layers, lint, types, requirements, docs, then every test. `npm test` is this.

import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'

process.chdir(resolve(import.meta.dirname, '..'))
const node = process.execPath
const steps: readonly (readonly [name: string, command: string, ...arguments: string[]])[] = [
  ['layers', node, 'scripts/check-layers.ts'],
  ['requirements', node, 'scripts/check-requirements.ts'],
  ['lint', 'biome', 'check', '--reporter=summary'],
  ['types', 'tsc', '-b'],
  ['docs', node, 'scripts/check-docs.ts'],
  ['tests', node, '--conditions=@myelin/source', 'scripts/test.ts', ...process.argv.slice(2)],
]

for (const [name, command, ...parameters] of steps) {
  const startedMs = performance.now()
  const result = spawnSync(command, parameters, {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  if (result.status !== 0) {
    console.error(`verify: ${name} failed`)
    process.exit(1)
  }
  if (name !== 'tests') console.log(`${name}: ${Math.round(performance.now() - startedMs)} ms`)
}
