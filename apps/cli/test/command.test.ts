import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CommandLine, defineCommand, parseCommandLine } from '../src/command.ts'
import { commands, findCommand, subcommandsOf } from '../src/commands.ts'
import { commandHelp } from '../src/help.ts'
import { nodeVersionFault } from '../src/node-version.ts'
import { alignColumns, Output, printable } from '../src/output.ts'

const sample = defineCommand({
  name: 'sample',
  summary: 'A sample.',
  options: {
    to: { kind: 'text', short: 't', value: 'PEER', describes: 'Where to.' },
    tag: { kind: 'text', repeats: true, describes: 'A tag.' },
    fast: { kind: 'flag', short: 'f', describes: 'Fast.' },
  },
  operands: {
    file: { describes: 'A file.' },
    rest: { describes: 'More.', optional: true, repeats: true },
  },
  examples: [],
  run: ({ options, operands }) => {
    // Each line compiles only while the declared types are these.
    const to: string | undefined = options.to
    const tags: readonly string[] = options.tag
    const isFast: boolean = options.fast
    const file: string = operands.file
    const rest: readonly string[] = operands.rest
    return isFast && to === 'bob' ? tags.length + file.length + rest.length : undefined
  },
})

const parse = (...words: string[]): CommandLine => parseCommandLine(sample, words)

test('options and operands are sorted, in any order and in both spellings', () => {
  const expected = {
    options: { to: 'bob', tag: ['a', 'b'], fast: true, help: false, json: false },
    operands: { file: 'x', rest: ['y', '--z'] },
  }
  assert.deepEqual(
    parse('x', '--to', 'bob', '--tag=a', '-f', '--tag', 'b', 'y', '--', '--z'),
    expected,
  )
  assert.deepEqual(parse('-ft', 'bob', 'x', 'y', '--tag', 'a', '--tag', 'b', '--', '--z'), expected)
})

test('what is not given is undefined, false or empty', () => {
  assert.deepEqual(parse('x'), {
    options: { to: undefined, tag: [], fast: false, help: false, json: false },
    operands: { file: 'x', rest: [] },
  })
})

test('faults of a command line name the option and what to write', () => {
  const faults: readonly (readonly [words: string[], message: RegExp])[] = [
    [['x', '--to'], /^--to needs a value; write --to PEER$/],
    [['x', '-t', '--json'], /^-t needs a value; write --to=--json if that is the value$/],
    [['x', '--fast=1'], /^--fast takes no value/],
    [['x', '--to', 'a', '--to', 'b'], /^--to stands twice/],
    [['x', '--constructor'], /^unknown option "--constructor"$/],
    [['x', '-z'], /^unknown option "-z"$/],
    [[], /^FILE is missing; usage: myelin sample FILE \[REST…\] \[options\]$/],
  ]
  for (const [words, message] of faults) {
    assert.throws(() => parse(...words), { code: 'CLI_USAGE', message })
  }
})

test('--help needs no operands', () => {
  assert.equal(parse('--help').options.help, true)
})

test('two words win over one, and a group knows its members', () => {
  assert.equal(findCommand(['config', 'check', 'a'])?.entry.name, 'config check')
  assert.deepEqual(findCommand(['config', 'check', 'a'])?.rest, ['a'])
  assert.equal(findCommand(['config']), undefined)
  assert.equal(findCommand([]), undefined)
  assert.deepEqual(subcommandsOf('config'), ['check', 'show'])
})

test('each command is what its entry says and tells how it is used', async () => {
  for (const entry of commands) {
    const command = await entry.load()
    assert.equal(command.name, entry.name)
    assert.ok(command.summary.endsWith('.'), entry.name)
    assert.ok(command.examples.length > 0, entry.name)
    for (const example of command.examples) assert.ok(example.startsWith(`myelin ${entry.name}`))
    assert.ok(commandHelp(command).some((line) => line.startsWith(`Usage: myelin ${entry.name}`)))
  }
})

test('an old Node is refused with the version that is needed', () => {
  assert.match(nodeVersionFault('20.20.2') ?? '', /20\.20\.2 is too old; install Node\.js 26/)
  assert.match(nodeVersionFault('25.9.0') ?? '', /too old/)
  assert.equal(nodeVersionFault('26.0.0'), undefined)
  assert.equal(nodeVersionFault('100.0.0'), undefined)
})

test('progress is shown to a terminal only and gives way to results', () => {
  const show = (isTTY: boolean) => {
    let written = ''
    const stream = (name: string) => ({
      isTTY,
      write: (text: string) => {
        written += name + text
      },
    })
    const [stdout, stderr] = [stream('o'), stream('e')]
    const output = new Output({ stdout, stderr, isJson: false })
    output.progress('12')
    output.record({ n: 1n }, () => 'done')
    return written
  }
  assert.equal(show(true), 'e\r12e\r  \rodone\n')
  assert.equal(show(false), 'odone\n')
})

test('text of others cannot steer a terminal', () => {
  assert.equal(printable('a\u001b[2J\n\u202eb'), 'a\\u001b[2J\\u000a\\u202eb')
  assert.equal(printable('x'.repeat(10), 4), 'xxxx…')
  assert.deepEqual(
    alignColumns([
      ['a', 'b'],
      ['ccc', ''],
    ]),
    ['a    b', 'ccc'],
  )
})
