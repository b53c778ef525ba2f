// Fails when the project's text holds what it must not: a path or host of one machine in any tracked file, a
// resolved registry address in the lock file, a package without a README, or a TypeScript block in the docs
// that does not compile. Blocks are compiled as they stand, one module each.

import { execFileSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
process.chdir(root)
const faults = [...checkTracked(), ...checkReadmes(), ...checkBlocks()]
for (const fault of faults) console.error(`docs: ${fault}`)
if (faults.length > 0) process.exit(1)
console.log('docs: the blocks compile, no machine shows through')

function* checkTracked(): Generator<string> {
  const paths = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { encoding: 'utf8' })
    .trim()
    .split('\n')
  const forbidden = /\/(?:work|home|root|tmp)\/[a-z]+\/|"resolved": "https?:|registry\.[a-z]+\.org/
  for (const path of paths) {
    if (!existsSync(path)) continue
    if (path.startsWith('scripts/check-docs')) continue
    const match = forbidden.exec(readFileSync(path, 'utf8'))
    if (match !== null) yield `${path} holds "${match[0]}"`
  }
}

function* checkReadmes(): Generator<string> {
  for (const manifest of globSync('{packages,apps}/*/package.json')) {
    const readme = manifest.replace('package.json', 'README.md')
    if (!existsSync(readme)) yield `${readme} is missing`
    else if (readFileSync(readme, 'utf8').split('\n').length > 61)
      yield `${readme} is longer than 60 lines`
  }
}

function* checkBlocks(): Generator<string> {
  const folder = join(root, 'dist', 'doc-blocks')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const origins = new Map<string, string>()
  const sources = [
    ...globSync('*.md'),
    ...globSync('{docs,packages/*,apps/*}/**/*.md', { exclude: (p) => p.includes('node_modules') }),
    ...globSync('packages/*/src/index.ts'),
  ]
  for (const path of sources) {
    const text = readFileSync(path, 'utf8').replace(/^ \* ?/gm, '')
    let index = 0
    for (const [, block] of text.matchAll(/^```ts\n([\s\S]*?)^```/gm)) {
      const name = `block-${origins.size}.ts`
      index += 1
      origins.set(name, `${path}, block ${index}`)
      writeFileSync(join(folder, name), `${block}\nexport {}\n`)
    }
  }
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: '../../tsconfig.base.json',
      compilerOptions: {
        noEmit: true,
        composite: false,
        noUnusedLocals: false,
        noUnusedParameters: false,
      },
      include: ['*.ts'],
    }),
  )
  if (origins.size === 0) return
  try {
    execFileSync('tsc', ['-p', folder], { encoding: 'utf8', shell: process.platform === 'win32' })
  } catch (error) {
    const output = String((error as { stdout?: string }).stdout ?? error)
    yield output.replace(/block-\d+\.ts/g, (name) => origins.get(name) ?? name)
  }
}
