// THREAT_MODEL.md names for each threat the tests that stand for it (R153), and they exist.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { verifies } from '@myelin/testkit'

const root = resolve(import.meta.dirname, '../../..')
const model = readFileSync(resolve(root, 'THREAT_MODEL.md'), 'utf8')

test('each threat has tests that stand for it, and each of them is in the tree', () => {
  verifies('R153')
  const threats = [...model.matchAll(/^\| (T\d+) /gm)].map(([, id]) => id as string)
  assert.ok(threats.length >= 30, `${threats.length} threats`)
  assert.equal(new Set(threats).size, threats.length)
  const citations = [...model.matchAll(/^- (T\d+) `(\S+) › "(.+)"`$/gm)]
  const cited = new Set(citations.map(([, id]) => id))
  assert.deepEqual(
    threats.filter((id) => !cited.has(id)),
    [],
  )
  for (const [, id = '', path = '', title = ''] of citations) {
    assert.ok(threats.includes(id), `${id} is no threat`)
    const source = readFileSync(resolve(root, path), 'utf8')
    // "…" stands for what a template puts in.
    for (const part of title.split('…')) assert.ok(source.includes(part), `${path} has no ${title}`)
  }
})

test('what is out of scope says so, with a reason', () => {
  verifies('R153')
  const rows = [...model.matchAll(/^\| (N\d+) [^|]+\|([^|]+)\|([^|]+)\|$/gm)]
  assert.ok(rows.length >= 10, `${rows.length} rows`)
  for (const [, id, gain = '', reason = ''] of rows) {
    assert.ok(gain.trim() !== '' && reason.trim().length > 20, `${id} has no reason`)
  }
})
