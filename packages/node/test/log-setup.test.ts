import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { configureLogger, loadConfiguration, type PartialConfiguration } from '@myelin/node'
import { verifies } from '@myelin/testkit'

verifies('R149')

const folder = mkdtempSync(join(tmpdir(), 'myelin-log-setup-'))
after(() => rmSync(folder, { recursive: true }))

function configured(log: PartialConfiguration['log'], isTTY = false) {
  const loaded = loadConfiguration({ code: { log } })
  assert.ok(loaded.ok)
  const written = { stdout: '', stderr: '' }
  const streamOf = (name: 'stdout' | 'stderr') => ({
    isTTY,
    write: (text: string) => {
      written[name] += text
    },
  })
  const streams = { stdout: streamOf('stdout'), stderr: streamOf('stderr'), environment: {} }
  return { written, log: configureLogger(loaded.value, streams) }
}

test('by default the events from info on are JSON lines on the standard output', () => {
  const { log, written } = configured({})
  log.logger.log('debug', 'unimportant')
  log.logger.log('info', 'peer-connected', { name: 'bob' })
  const line = JSON.parse(written.stdout) as Record<string, unknown>
  assert.deepEqual([line.level, line.event, line.name], ['info', 'peer-connected', 'bob'])
  assert.equal(written.stderr, '')
})

test('the pretty format is for people, with colours where a terminal is', () => {
  for (const isTTY of [false, true]) {
    const { log, written } = configured({ format: 'pretty', level: 'trace' }, isTTY)
    log.logger.log('trace', 'detail', { n: 1 })
    const coloured = '\u001b[90mTRACE\u001b[0m detail'
    assert.ok(written.stdout.includes(isTTY ? coloured : 'Z TRACE detail n=1\n'))
  }
})

test('a configured file gets the lines instead, is rotated and closed', () => {
  const file = join(folder, 'agent.log')
  const { log, written } = configured({ file, maxBytes: 4096, maxFiles: 2 })
  for (let i = 0; i < 100; i += 1) log.logger.log('info', 'event', { filler: 'x'.repeat(100), i })
  log.close()
  log.logger.log('info', 'too-late')
  assert.deepEqual(readdirSync(folder).sort(), ['agent.log', 'agent.log.1'])
  assert.ok(statSync(`${file}.1`).size <= 4096)
  const last = JSON.parse(readFileSync(file, 'utf8').trimEnd().split('\n').at(-1) ?? '') as {
    i: number
  }
  assert.equal(last.i, 99)
  assert.deepEqual(written, { stdout: '', stderr: '' })
})

test('a file that cannot be written is told on the standard error, once', () => {
  const { log, written } = configured({ file: join(folder, 'agent.log', 'below-a-file') })
  log.logger.log('info', 'lost')
  log.logger.log('info', 'lost')
  assert.match(written.stderr, /^cannot write the log file [^\n]+\n$/)
})
