import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import {
  describeFault,
  parseJson,
  parseToml,
  parseYaml,
  readConfigurationFile,
  type SyntaxResult,
} from '@myelin/node'

const folder = mkdtempSync(join(tmpdir(), 'myelin-config-'))
after(() => rmSync(folder, { recursive: true }))

function faultOf(result: SyntaxResult): string {
  assert.equal(result.ok, false)
  return result.ok ? '' : result.fault
}

test('what TOML 1.1 adds to TOML 1.0 is refused with its place', () => {
  const newer = [
    ['a = "\\x41"', 5],
    ['a = "\\e"', 5],
    ['a = {b = 1,}', 12],
    ['a = {b = 1,\n}', 12],
    ['a = {b = 1 # c\n}', 12],
    ['a = 12:30', 5],
    ['a = 1979-05-27T07:32Z', 5],
    ['a = 1979-05-27 07:32', 5],
  ] as const
  for (const [text, column] of newer) {
    const result = parseToml(text)
    assert.equal(faultOf(result), 'config_syntax', text)
    assert.equal(result.ok ? 0 : result.line, 1)
    // The token begins at or before the place named; both are on the first line.
    assert.ok(!result.ok && (result.column ?? 99) <= column, text)
  }
})

test('what only looks like TOML 1.1 is accepted', () => {
  const text = `a = '\\x41 {,}'
b = "\\\\x41 # {b = 1,}"
c = """
{ 12:30,
\\\\e """
d = '''
{a = 1,}
'''
e = {f = [
  1, # a comment, in an array
  2,
], g = "1,}"}
h = 1979-05-27T07:32:00+08:30
i = 07:32:00.5
1979-05-30 = "a key, no date" # 12:30
"12:30" = {"}" = 1}
`
  const result = parseToml(text)
  assert.ok(result.ok, result.ok ? '' : `${result.line}: ${result.detail}`)
  assert.equal(result.value.a, '\\x41 {,}')
})

test('a date that does not exist is refused', () => {
  assert.equal(faultOf(parseToml('a = 2026-02-30')), 'config_syntax')
  assert.equal(parseToml('a = 2024-02-29').ok, true)
})

test('a key that stands twice is refused in all three formats, with its line', () => {
  const results = [
    parseToml('a = 1\nb = 1\na = 2'),
    parseYaml('a: 1\nb: 1\na: 2'),
    parseJson('{"a": 1,\n"b": {"a": 1},\n"\\u0061": 2}'),
  ]
  for (const result of results) {
    assert.equal(faultOf(result), 'config_duplicate_key')
    assert.equal(result.ok ? 0 : result.line, 3)
  }
  assert.equal(parseJson('{"a":{"b":1},"b":[{"a":"a\\":"},{"a":2}]}').ok, true)
})

test('YAML keeps to the core schema: no tags, directives, second documents or sexagesimals', () => {
  const refused = [
    'a: !!binary AA==',
    'a: !x 1',
    'a: !!str 1',
    '%YAML 1.1\n---\na: no',
    'a: 1\n---\nb: 2',
  ]
  for (const text of refused) assert.equal(parseYaml(text).ok, false, text)
  const result = parseYaml('a: no\nb: 12:30\nc: 010\nd: ~\ne: &x [1]\nf: *x\n<<: {g: 1}')
  assert.ok(result.ok)
  assert.deepEqual(result.value, {
    a: 'no',
    b: '12:30',
    c: 10,
    d: null,
    e: [1],
    f: [1],
    '<<': { g: 1 },
  })
})

test('a YAML bomb ends in a fault', () => {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x]']
  for (let i = 1; i < 9; i += 1) {
    lines.push(
      `a${i}: &a${i} [${Array(8)
        .fill(`*a${i - 1}`)
        .join(', ')}]`,
    )
  }
  assert.equal(faultOf(parseYaml(lines.join('\n'))), 'config_not_allowed')
})

test('deep nesting, size and bytes that are not UTF-8 end in faults', () => {
  const depth = 40
  assert.equal(faultOf(parseJson('['.repeat(depth) + ']'.repeat(depth))), 'config_not_allowed')
  assert.equal(parseToml(`a = ${'['.repeat(depth)}${']'.repeat(depth)}`).ok, false)
  assert.equal(faultOf(parseToml(`a${'.a'.repeat(depth)} = 1`)), 'config_not_allowed')
  assert.equal(faultOf(parseYaml('['.repeat(depth) + ']'.repeat(depth))), 'config_not_allowed')
  assert.equal(faultOf(parseYaml('['.repeat(20_000))), 'config_not_allowed')
  for (const parse of [parseToml, parseYaml, parseJson]) {
    assert.equal(faultOf(parse(' '.repeat(256 * 1024 + 1))), 'config_too_large')
    assert.equal(faultOf(parse(new Uint8Array([0x61, 0xff]))), 'config_not_utf8')
  }
})

test('a file is read by the end of its name', async () => {
  const contents = {
    'a.toml': 'name = "x"',
    'a.yml': 'name: x',
    'a.yaml': 'name: x',
    'a.JSON': '{"name":"x"}',
  }
  for (const [name, content] of Object.entries(contents)) {
    const path = join(folder, name)
    writeFileSync(path, content)
    const read = await readConfigurationFile(path)
    assert.ok(read.ok)
    assert.deepEqual({ ...(read.value.content as object) }, { name: 'x' })
    assert.equal(read.value.name, path)
  }
})

test('a file that cannot be read is one fault with its place', async () => {
  const lineOf = async (name: string, content?: string) => {
    const path = join(folder, name)
    if (content !== undefined) writeFileSync(path, content)
    const read = await readConfigurationFile(path)
    return read.ok ? '' : read.faults.map(describeFault).join('\n').replace(folder, '')
  }
  assert.match(await lineOf('none.toml'), /^there is no such file; .*\(file .none\.toml\)$/)
  assert.match(await lineOf('a.ini', ''), /^the name does not say the format; .*\.json/)
  assert.match(
    await lineOf('bad.toml', 'a = 1\nb = = 2'),
    /expected TOML 1\.0 \(file .bad\.toml:2:\d+\)$/,
  )
  assert.match(await lineOf('bad.json', '{\n"a": 1,\n}'), /expected JSON .*bad\.json:3:1\)$/)
  assert.match(
    await lineOf('bad.yaml', 'a: 1\nb: [\n'),
    /expected YAML 1\.2 .*bad\.yaml:\d+:\d+\)$/,
  )
  assert.match(await lineOf('.'), /^the name does not say the format/)
})
