import assert from 'node:assert/strict'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createLogger, rotatingFile } from '@myelin/node'
import { verifies } from '@myelin/testkit'

verifies('R149')

const root = mkdtempSync(join(tmpdir(), 'myelin-log-'))
after(() => rmSync(root, { recursive: true }))
let folders = 0

function newFolder(): string {
  folders += 1
  return join(root, String(folders))
}

const neverFails = { onFailure: (message: string) => assert.fail(message) }

test('a file is rotated before it grows past its size, and only so many are kept', () => {
  const folder = newFolder()
  const path = join(folder, 'agent.log')
  const file = rotatingFile({ path, maxBytes: 20, maxFiles: 3, ...neverFails })
  for (let i = 0; i < 10; i += 1) file.write(`line ${i} ...\n`)
  file.close()
  // 11 bytes per line: one fits 20 bytes, two do not.
  assert.deepEqual(readdirSync(folder).sort(), ['agent.log', 'agent.log.1', 'agent.log.2'])
  const read = (name: string) => readFileSync(join(folder, name), 'utf8')
  assert.equal(read('agent.log'), 'line 9 ...\n')
  assert.equal(read('agent.log.1'), 'line 8 ...\n')
  assert.equal(read('agent.log.2'), 'line 7 ...\n')
})

test('lines fill a file exactly to its size', () => {
  const folder = newFolder()
  const path = join(folder, 'a.log')
  const file = rotatingFile({ path, maxBytes: 8, maxFiles: 2, ...neverFails })
  for (const line of ['abc\n', 'def\n', 'ghi\n']) file.write(line)
  file.close()
  assert.equal(readFileSync(`${path}.1`, 'utf8'), 'abc\ndef\n')
  assert.equal(readFileSync(path, 'utf8'), 'ghi\n')
})

test('with one file to keep, the file begins anew', () => {
  const path = join(newFolder(), 'a.log')
  const file = rotatingFile({ path, maxBytes: 8, maxFiles: 1, ...neverFails })
  for (const line of ['abc\n', 'def\n', 'ghi\n']) file.write(line)
  file.close()
  assert.equal(readFileSync(path, 'utf8'), 'ghi\n')
  assert.equal(readdirSync(join(path, '..')).length, 1)
})

test('a new process goes on where the last one stopped', () => {
  const path = join(newFolder(), 'a.log')
  for (const line of ['abc\n', 'def\n', 'ghi\n']) {
    const file = rotatingFile({ path, maxBytes: 8, maxFiles: 2, ...neverFails })
    file.write(line)
    file.close()
    file.write('after close\n')
  }
  assert.equal(readFileSync(`${path}.1`, 'utf8'), 'abc\ndef\n')
  assert.equal(readFileSync(path, 'utf8'), 'ghi\n')
})

test('a line longer than the bound gets a file of its own, and size is counted in bytes', () => {
  const path = join(newFolder(), 'a.log')
  const file = rotatingFile({ path, maxBytes: 8, maxFiles: 3, ...neverFails })
  for (const line of ['abc\n', `${'é'.repeat(5)}\n`, 'é\n', 'üü\n', 'x\n']) file.write(line)
  file.close()
  assert.equal(readFileSync(`${path}.2`, 'utf8'), `${'é'.repeat(5)}\n`)
  assert.equal(readFileSync(`${path}.1`, 'utf8'), 'é\nüü\n')
  assert.equal(readFileSync(path, 'utf8'), 'x\n')
})

test('the file is readable by its owner only', {
  skip: process.platform === 'win32' && 'POSIX modes',
}, () => {
  const path = join(newFolder(), 'deep', 'a.log')
  const file = rotatingFile({ path, maxBytes: 100, maxFiles: 2, ...neverFails })
  file.write('x\n')
  file.close()
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.equal(statSync(join(path, '..')).mode & 0o777, 0o700)
})

test('a file that cannot be written is told once, and again after it could in between', () => {
  const folder = newFolder()
  mkdirSync(folder)
  // A file in place of the folder: refused to every user, root included.
  const blocker = join(folder, 'logs')
  writeFileSync(blocker, '')
  const path = join(blocker, 'a.log')
  const told: string[] = []
  const file = rotatingFile({
    path,
    maxBytes: 100,
    maxFiles: 2,
    onFailure: (message) => told.push(message),
  })
  const logger = createLogger({ level: 'info', format: 'json', sink: file })
  for (let i = 0; i < 3; i += 1) logger.log('info', 'lost')
  assert.equal(told.length, 1)
  assert.match(told[0] ?? '', /^cannot write the log file .*a\.log \(.*\); check log\.file/)
  assert.equal(file.linesLost, 3)

  rmSync(blocker)
  logger.log('info', 'kept')
  assert.match(readFileSync(path, 'utf8'), /"event":"kept"/)
  assert.equal(file.linesLost, 3)
  file.close()
})

test('a rotation that fails loses lines but not the process', () => {
  const path = join(newFolder(), 'a.log')
  const told: string[] = []
  const file = rotatingFile({
    path,
    maxBytes: 4,
    maxFiles: 2,
    onFailure: (message) => told.push(message),
  })
  file.write('abc\n')
  // The oldest place is taken by a folder, which no rename replaces.
  mkdirSync(`${path}.1`)
  file.write('def\n')
  assert.equal(told.length, 1)
  rmdirSync(`${path}.1`)
  file.write('ghi\n')
  file.close()
  assert.equal(readFileSync(path, 'utf8'), 'ghi\n')
  assert.equal(readFileSync(`${path}.1`, 'utf8'), 'abc\n')
})
