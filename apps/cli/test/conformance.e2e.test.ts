import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { runMyelin } from './run-myelin.ts'

const folder = mkdtempSync(join(tmpdir(), 'myelin-conformance-'))
after(() => rmSync(folder, { recursive: true }))

function writeCases(name: string, files: Readonly<Record<string, string>>): string {
  const root = join(folder, name)
  mkdirSync(join(root, 'valid'), { recursive: true })
  mkdirSync(join(root, 'invalid'))
  for (const [path, content] of Object.entries(files)) writeFileSync(join(root, path), content)
  return root
}

test('a folder whose cases pass ends in counts and exit code 0', async () => {
  const root = writeCases('good', {
    'valid/a.toml': 'a = 1',
    'valid/a.json': '{"a": {"type": "integer", "value": "1"}}',
    'invalid/b.toml': 'a =',
  })
  const { code, stdout } = await runMyelin(['conformance', 'toml-test', root])
  assert.equal(code, 0)
  assert.deepEqual(stdout.split('\n'), [
    'valid/a.toml    1 passed, 0 failed, 0 skipped',
    'invalid/b.toml  1 passed, 0 failed, 0 skipped',
    '2 passed, 0 failed, 0 skipped',
    '',
  ])
})

test('failures are listed with their reasons, skips by reason, and the exit code is 1', async () => {
  const root = writeCases('bad', {
    'valid/a.toml': 'a = 1',
    'valid/a.json': '{"a": {"type": "float", "value": "1"}}',
    'valid/b.toml': 'b = 1',
    'valid/c.toml': 'c = 1',
    'valid/d.toml': 'd = ',
    'valid/d.json': '{"d": {"type": "integer", "value": "1"}}',
    'invalid/e.toml': 'e = 1',
  })
  const { code, stdout } = await runMyelin(['conformance', 'toml-test', root, '--quiet'])
  assert.equal(code, 1)
  const lines = stdout.split('\n')
  assert.equal(lines[0], 'FAILED valid/a.toml valid: .a is integer, must be float')
  assert.match(lines[1] ?? '', /^FAILED valid\/d\.toml valid: refused: /)
  assert.equal(lines[2], 'FAILED invalid/e.toml invalid: accepted, must be refused')
  assert.equal(lines[3], 'skipped 2: the .json with the expected values is missing')
  assert.equal(lines[4], '0 passed, 3 failed, 2 skipped')

  const json = await runMyelin(['conformance', 'toml-test', root, '--json'])
  assert.equal(json.code, 1)
  const { passed, failed, skipped, files, failures, skips } = JSON.parse(json.stdout) as {
    passed: number
    failed: number
    skipped: number
    files: unknown[]
    failures: { file: string }[]
    skips: unknown
  }
  assert.deepEqual([passed, failed, skipped, files.length], [0, 3, 2, 5])
  assert.deepEqual(
    failures.map(({ file }) => file),
    ['valid/a.toml', 'valid/d.toml', 'invalid/e.toml'],
  )
  const reason = 'the .json with the expected values is missing'
  assert.deepEqual(skips, [{ reason, count: 2 }])
})

test('an empty folder proves nothing: exit code 1', async () => {
  const { code, stdout } = await runMyelin(['conformance', 'toml-test', writeCases('empty', {})])
  assert.equal(code, 1)
  assert.match(
    stdout,
    /^no file of the suite toml-test lies in .*\n0 passed, 0 failed, 0 skipped\n$/,
  )
})

test('an unknown suite is a wrong command line: exit code 2 and the nearest name', async () => {
  const { code, stderr } = await runMyelin(['conformance', 'toml-tset', folder])
  assert.equal(code, 2)
  assert.match(
    stderr,
    /^myelin: conformance: unknown suite "toml-tset", .*did you mean "toml-test"/,
  )
})
