// Fails when a package depends on one that does not stand above it in layers.json, when its tsconfig
// references differ from its dependencies, or when a pure package's source imports what only shells may.

import { existsSync, globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

interface Manifest {
  readonly name: string
  readonly dependencies?: Readonly<Record<string, string>>
}

const root = resolve(import.meta.dirname, '..')
const scope = '@myelin/'

/** Packages that are pure: their sources import no sockets, no disk, no processes. */
const purePackages = [
  'base',
  'wire',
  'crypto',
  'identity',
  'session',
  'guard',
  'fabric',
  'learning',
]
const shellModules =
  /from '(node:(?:net|fs|fs\/promises|dgram|child_process|tls|http|https|os|timers[^']*))'/g
/** The one file that may: the real implementations of base's ports. */
const shellFiles = ['packages/base/src/system.ts']

const faults = [...checkOrder(), ...checkReferences(), ...checkPurity()]
for (const fault of faults) console.error(`layers: ${fault}`)
if (faults.length > 0) process.exit(1)
console.log('layers: every arrow points up')

function* checkOrder(): Generator<string> {
  const { layers, beside } = readJson<{ layers: string[]; beside: string[] }>('layers.json')
  for (const path of globSync('packages/*/package.json', { cwd: root })) {
    const manifest = readJson<Manifest>(path)
    const name = manifest.name.slice(scope.length)
    if (beside.includes(name)) continue
    const position = layers.indexOf(name)
    if (position < 0) yield `${name} is not in layers.json`
    for (const dependency of ownDependencies(manifest)) {
      const above = layers.indexOf(dependency)
      if (above < 0 || above >= position) yield `${name} must not depend on ${dependency}`
    }
  }
}

function* checkReferences(): Generator<string> {
  for (const path of globSync('{packages,apps}/*/package.json', { cwd: root })) {
    const manifest = readJson<Manifest>(path)
    const folder = path.slice(0, -'/package.json'.length)
    const config = readJson<{ references?: { path: string }[] }>(`${folder}/tsconfig.json`)
    const referenced = (config.references ?? []).map((entry) => entry.path.split('/').at(-1)).sort()
    const expected = ownDependencies(manifest).sort()
    if (referenced.join() !== expected.join()) {
      yield `${folder}/tsconfig.json references [${referenced}], package.json depends on [${expected}]`
    }
  }
}

function* checkPurity(): Generator<string> {
  for (const name of purePackages) {
    if (!existsSync(join(root, 'packages', name))) continue
    for (const path of globSync(`packages/${name}/src/**/*.ts`, { cwd: root })) {
      if (shellFiles.includes(path)) continue
      const source = readFileSync(join(root, path), 'utf8')
      for (const match of source.matchAll(shellModules))
        yield `${path} imports ${match[1]}: take a port`
      if (/\bMath\.random\b/.test(source)) yield `${path} uses Math.random: take a Random`
      if (/\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b/.test(source))
        yield `${path} reads a clock: take a Clock`
      if (/\bset(?:Timeout|Interval|Immediate)\(/.test(source))
        yield `${path} sets a timer: take a Clock`
    }
  }
}

function ownDependencies(manifest: Manifest): string[] {
  return Object.keys(manifest.dependencies ?? {})
    .filter((name) => name.startsWith(scope))
    .map((name) => name.slice(scope.length))
}

function readJson<Value>(path: string): Value {
  return JSON.parse(readFileSync(join(root, path), 'utf8')) as Value
}
