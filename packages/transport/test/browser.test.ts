import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { test } from 'node:test'

const sources = resolve(import.meta.dirname, '../src')
const base = resolve(sources, '../../base/src')

/** What a source file imports when it runs, as it is written there. */
function importsOf(path: string): string[] {
  const text = readFileSync(path, 'utf8')
  return [...text.matchAll(/^(?:import|export) (?!type\b)[^'"]*?from '([^']+)'/gms)].map(
    ([, name = '']) => name,
  )
}

test("the browser's client reaches no module of Node, however far one follows its imports", () => {
  const foreign = new Set<string>()
  const seen = new Set<string>()
  const follow = (path: string) => {
    if (seen.has(path)) return
    seen.add(path)
    for (const name of importsOf(path)) {
      if (name.startsWith('.')) follow(join(dirname(path), name))
      else if (name === '@myelin/base') follow(join(base, 'index.ts'))
      else foreign.add(name)
    }
  }
  follow(join(sources, 'websocket-client.ts'))
  assert.ok(seen.has(join(sources, 'message-stream.ts')))
  assert.ok(seen.size > 5)
  assert.deepEqual([...foreign], ['@multiformats/multiaddr'])
})
