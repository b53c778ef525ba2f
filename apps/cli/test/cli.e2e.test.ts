import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { verifies } from '@myelin/testkit'
import { commands } from '../src/commands.ts'
import { runMyelin } from './run-myelin.ts'

const folder = mkdtempSync(join(tmpdir(), 'myelin-cli-'))
after(() => rmSync(folder, { recursive: true }))

test('version tells what runs, as text and as JSON', async () => {
  const manifest = JSON.parse(
    readFileSync(resolve(import.meta.dirname, '../package.json'), 'utf8'),
  ) as { version: string }
  const { code, stdout, stderr } = await runMyelin(['version', '--json'])
  const { node, openssl } = process.versions
  assert.deepEqual(JSON.parse(stdout), { name: 'myelin', version: manifest.version, node, openssl })
  assert.deepEqual([code, stderr], [0, ''])
  const text = await runMyelin(['--version'])
  assert.ok(text.stdout.startsWith(`myelin   ${manifest.version}\n`))
})

test('help lists every command and each has a page', async () => {
  const list = await runMyelin(['help'])
  assert.equal(list.code, 0)
  for (const { name } of commands) assert.ok(list.stdout.includes(`\n  ${name} `), name)
  const page = await runMyelin(['conformance', '--help'])
  assert.equal(page.code, 0)
  assert.match(page.stdout, /^Usage: myelin conformance SUITE DIR \[options\]$/m)
  assert.match(page.stdout, /^ {6}--json /m)
  assert.equal((await runMyelin(['help', 'conformance'])).stdout, page.stdout)
})

test('without a command the list goes to the standard error and the exit code is 2', async () => {
  const { code, stdout, stderr } = await runMyelin([])
  assert.deepEqual([code, stdout], [2, ''])
  assert.match(stderr, /Usage: myelin COMMAND/)
})

test('a wrong command line is one line that names fault and mend, and exit code 2', async () => {
  const faults = [
    [['verison'], 'unknown command "verison"; did you mean "version"; see "myelin help"'],
    [['qqqqqqqq'], 'unknown command "qqqqqqqq"; see "myelin help"'],
    [['config'], 'config needs one of: check, show; see "myelin config --help"'],
    [['--jsno'], 'unknown option "--jsno"; see "myelin help"'],
    [
      ['version', '--jsno'],
      'version: unknown option "--jsno"; did you mean "--json"; see "myelin version --help"',
    ],
    [
      ['conformance', 'toml-test'],
      'conformance: DIR is missing; usage: myelin conformance SUITE DIR [options]; see "myelin conformance --help"',
    ],
  ] as const
  for (const [words, line] of faults) {
    const { code, stdout, stderr } = await runMyelin(words)
    assert.deepEqual([code, stdout, stderr], [2, '', `myelin: ${line}\n`])
  }
})

test('under --json an error is a document on the standard output', async () => {
  const usage = await runMyelin(['verison', '--json'])
  assert.equal(usage.code, 2)
  assert.equal((JSON.parse(usage.stdout) as ErrorDocument).error.code, 'CLI_USAGE')
  const failure = await runMyelin(['conformance', 'toml-test', join(folder, 'none'), '--json'])
  assert.equal(failure.code, 1)
  assert.equal((JSON.parse(failure.stdout) as ErrorDocument).error.code, 'CLI_INPUT')
})

interface ErrorDocument {
  readonly error: { readonly code: string; readonly message: string }
}

test('a failure is one line with its code, and a stack only on demand', async () => {
  const words = ['conformance', 'toml-test', join(folder, 'none')]
  const plain = await runMyelin(words)
  assert.equal(plain.code, 1)
  assert.match(plain.stderr, /^error: CLI_INPUT: .*none does not exist; [^\n]+\n$/)
  const debug = await runMyelin(words, { environment: { MYELIN_DEBUG: '1' } })
  assert.match(debug.stderr, /\n {4}at /)
})

test('a reader that leaves early is no error', async () => {
  const words = ['config', 'show', '--reference']
  const { code, stderr } = await runMyelin(words, { withoutReader: true })
  assert.deepEqual([code, stderr], [0, ''])
})

test('config show tells each value and where it came from', async () => {
  verifies('R154')
  const path = join(folder, 'a.yaml')
  writeFileSync(path, 'log:\n  level: warn\n  format: pretty\nname: a\n')
  const { code, stdout } = await runMyelin(
    ['config', 'show', '--json', '--config', path, '--set', 'name=from-flag'],
    { environment: { MYELIN_LOG__LEVEL: 'debug' } },
  )
  assert.equal(code, 0)
  const { configuration, origins } = JSON.parse(stdout) as {
    configuration: { name: string; log: { level: string; format: string } }
    origins: Record<string, { kind: string; name: string }>
  }
  assert.deepEqual(
    [configuration.name, configuration.log.level, configuration.log.format],
    ['from-flag', 'debug', 'pretty'],
  )
  assert.deepEqual(origins.name, { kind: 'flag', name: 'name' })
  assert.deepEqual(origins['log.level'], { kind: 'environment', name: 'MYELIN_LOG__LEVEL' })
  assert.deepEqual(origins['log.format'], { kind: 'file', name: path })
  assert.equal(origins['log.file']?.kind, 'default')
})

test('config show finds myelin.toml in the folder and the file of MYELIN_CONFIG', async () => {
  writeFileSync(join(folder, 'myelin.toml'), 'name = "here"\n')
  writeFileSync(join(folder, 'other.json'), '{"name":"there"}')
  const nameOf = async (environment: Record<string, string>) => {
    const { stdout } = await runMyelin(['config', 'show'], { cwd: folder, environment })
    return /^name +(\S+) +(.+)$/m.exec(stdout)?.slice(1)
  }
  assert.deepEqual(await nameOf({}), ['here', 'file myelin.toml'])
  assert.deepEqual(await nameOf({ MYELIN_CONFIG: 'other.json' }), ['there', 'file other.json'])
})

test('config check lists all faults of all files at once', async () => {
  verifies('R154')
  const bad = join(folder, 'bad.toml')
  const broken = join(folder, 'broken.json')
  const good = join(folder, 'good.toml')
  writeFileSync(bad, 'nmae = "a"\n[request]\ntimeoutMs = -1\n')
  writeFileSync(broken, '{')
  writeFileSync(good, 'name = "a"\n')
  const { code, stderr } = await runMyelin(['config', 'check', bad, broken])
  assert.equal(code, 1)
  assert.equal(stderr.split('\n')[0], 'error: CLI_CONFIGURATION: the configuration has 3 faults')
  assert.match(stderr, /^ {2}.*expected JSON .*broken\.json:1:2\)$/m)
  assert.match(stderr, /^ {2}nmae: is no setting; expected name \(file .*bad\.toml\)$/m)
  assert.match(stderr, /^ {2}request\.timeoutMs: -1 is out of range; /m)
  const fine = await runMyelin(['config', 'check', good])
  assert.deepEqual([fine.code, fine.stdout], [0, `${good}: ok\n`])
})
