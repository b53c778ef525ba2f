// Secrets are bytes that can be wiped, never strings, which cannot: nothing in the heap of a process that holds
// sessions is a text of one of its keys, whatever it is called.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { verifies } from '@myelin/testkit'
import { leaksIn } from './secret-watch.ts'

interface HeapSnapshot {
  /** Every name and every text of the heap. */
  readonly strings: readonly string[]
}

test('no string in the heap of a process with sessions holds a secret', () => {
  verifies('R096')
  const folder = mkdtempSync(join(tmpdir(), 'myelin-heap-'))
  try {
    const [secrets, snapshot, control] = ['secrets', 'heap.heapsnapshot', 'control'].map((name) =>
      join(folder, name),
    ) as [string, string, string]
    const holder = join(import.meta.dirname, 'secret-holder.ts')
    const program = ['--conditions=@myelin/source', holder, secrets, snapshot, control]
    execFileSync(process.execPath, program, { stdio: ['ignore', 'ignore', 'pipe'] })
    const { strings } = JSON.parse(readFileSync(snapshot, 'utf8')) as HeapSnapshot
    const heap = strings.join('\n')
    const held = readSecrets(secrets)
    assert.ok(held.length > 20, `${held.length} secrets`)
    assert.ok(heap.includes('XKhfs'), 'the sessions are in it')
    assert.deepEqual(leaksIn(heap, held), [])
    // The control: a secret that the process did keep as a text is found.
    assert.ok(leaksIn(heap, readSecrets(control)).length > 0)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

function readSecrets(path: string): Uint8Array[] {
  const bytes = readFileSync(path)
  const secrets: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += 1 + (bytes[at] as number))
    secrets.push(bytes.subarray(at + 1, at + 1 + (bytes[at] as number)))
  return secrets
}
