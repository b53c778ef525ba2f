// Fails on a requirement that is `done` and cited by no test, and on a citation of an unknown requirement.

import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { requirements } from '../requirements.ts'

const root = resolve(import.meta.dirname, '..')
const citations = new Map<string, string[]>()

for (const path of globSync(['{packages,apps,sdks}/*/test/**/*.test.ts', 'examples/*/*.test.ts'], {
  cwd: root,
})) {
  const source = readFileSync(join(root, path), 'utf8')
  for (const call of source.matchAll(/\bverifies\(([^)]*)\)/g)) {
    for (const [, row] of (call[1] ?? '').matchAll(/'(R\d+)'/g)) {
      if (row !== undefined) citations.set(row, [...(citations.get(row) ?? []), path])
    }
  }
}

const faults: string[] = []
for (const [row, paths] of citations) {
  if (requirements[row] === undefined) faults.push(`${paths[0]} cites ${row}, which does not exist`)
}
for (const [row, requirement] of Object.entries(requirements)) {
  if (requirement.status === 'done' && !citations.has(row))
    faults.push(`${row} is done but no test cites it`)
}

if (process.argv.includes('--json')) {
  const rows = Object.entries(requirements).map(([id, row]) => ({
    id,
    ...row,
    tests: citations.get(id) ?? [],
  }))
  console.log(JSON.stringify(rows, null, 2))
}
for (const fault of faults) console.error(`requirements: ${fault}`)
if (faults.length > 0) process.exit(1)
const done = Object.values(requirements).filter((row) => row.status === 'done').length
if (!process.argv.includes('--json')) {
  console.log(
    `requirements: ${done} of ${Object.keys(requirements).length} done, ${citations.size} cited`,
  )
}
