import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogLevel } from '@myelin/base'
import {
  createLogger,
  type LoggerOptions,
  type LogSink,
  streamSink,
  wantsColour,
} from '@myelin/node'
import { verifies } from '@myelin/testkit'
import fc from 'fast-check'

verifies('R149')

const levels: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error']
const clock = { wallMs: () => Date.UTC(2026, 0, 2, 3, 4, 5, 6) }

function capture(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = []
  const sink: LogSink = {
    hasColour: false,
    write: (text) => void lines.push(text),
    close: () => {},
  }
  const logger = createLogger({ level: 'trace', format: 'json', sink, clock, ...options })
  const fieldsOf = (fields: Record<string, unknown>): Record<string, unknown> => {
    logger.log('info', 'x', fields)
    const { time, level, event, ...rest } = JSON.parse(lines.at(-1) ?? '') as Record<
      string,
      unknown
    >
    assert.deepEqual([time, level, event], ['2026-01-02T03:04:05.006Z', 'info', 'x'])
    return rest
  }
  return { logger, lines, fieldsOf }
}

test('a JSON line holds time, level, event and the fields, in this order', () => {
  const { logger, lines } = capture()
  logger.log('warn', 'session.closed', { peer: 'bob', bytes: 7 })
  assert.deepEqual(lines, [
    '{"time":"2026-01-02T03:04:05.006Z","level":"warn","event":"session.closed","peer":"bob","bytes":7}\n',
  ])
})

test('a level writes itself and what is more important', () => {
  for (const [index, level] of levels.entries()) {
    const { logger, lines } = capture({ level })
    for (const at of levels) logger.log(at, at)
    const written = lines.map((line) => (JSON.parse(line) as { event: string }).event)
    assert.deepEqual(written, levels.slice(index))
  }
})

test('a child adds its fields, and the event has the last word', () => {
  const { logger, lines } = capture()
  logger.child({ peer: 'bob', n: 1 }).child({ stream: 3 }).log('info', 'x', { n: 2 })
  const { peer, stream, n } = JSON.parse(lines[0] ?? '') as Record<string, unknown>
  assert.deepEqual([peer, stream, n], ['bob', 3, 2])
})

test('a pretty line is for people, coloured only on demand', () => {
  const plain = capture({ format: 'pretty' })
  plain.logger.log('info', 'session.opened', { peer: 'bob', note: 'two words', list: [1, 'a'] })
  assert.deepEqual(plain.lines, [
    '2026-01-02T03:04:05.006Z INFO  session.opened peer=bob note="two words" list=[1,"a"]\n',
  ])
  const coloured = capture({ format: 'pretty', colour: true })
  coloured.logger.log('error', 'x')
  assert.ok(coloured.lines[0]?.includes('\u001b[31mERROR\u001b[0m'))
})

test('colours are for terminals and never under NO_COLOR', () => {
  assert.equal(wantsColour({ isTTY: true }, {}), true)
  assert.equal(wantsColour({ isTTY: true }, { NO_COLOR: '' }), true)
  assert.equal(wantsColour({ isTTY: true }, { NO_COLOR: '1' }), false)
  assert.equal(wantsColour({ isTTY: true }, { TERM: 'dumb' }), false)
  assert.equal(wantsColour({}, {}), false)
})

test('fields that are named like secrets are redacted at every depth', () => {
  const { fieldsOf } = capture({ redact: ['Voucher'] })
  const secret = 'hunter2'
  const fields = {
    password: secret,
    agentKey: secret,
    private_key: secret,
    apiKeys: [secret],
    'session-token': secret,
    SEED: secret,
    passphraseBytes: secret,
    voucher: secret,
    inner: { list: [{ authToken: secret }], map: new Map([['sharedSecret', secret]]) },
    publicKey: 'shown',
    keyId: 'shown',
    tokenCount: 3,
    monkey: 'shown',
  }
  const written = fieldsOf(fields)
  assert.ok(!JSON.stringify(written).includes(secret))
  const { publicKey, keyId, tokenCount, monkey, password } = written
  assert.deepEqual([publicKey, keyId, tokenCount, monkey], ['shown', 'shown', 3, 'shown'])
  assert.equal(password, '[redacted]')
  const pem = '-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----'
  assert.equal(fieldsOf({ note: pem }).note, '[redacted]')
})

test('bytes are hex up to the length of an id, and only their length beyond', () => {
  const { fieldsOf } = capture()
  const view = new Uint8Array(100).subarray(4, 6).fill(0xab)
  const written = fieldsOf({
    view,
    id: new Uint8Array(32),
    long: new Uint8Array(33),
    raw: new ArrayBuffer(64),
  })
  assert.deepEqual(written, {
    view: 'abab',
    id: '00'.repeat(32),
    long: '[33 bytes]',
    raw: '[64 bytes]',
  })
})

test('errors are their code, message and the codes of their causes', () => {
  const { fieldsOf } = capture()
  const inner = Object.assign(new Error('deep'), { code: 'ECONNRESET' })
  const outer = new TypeError('outer', { cause: new Error('mid', { cause: inner }) })
  assert.deepEqual(fieldsOf({ error: outer }), {
    error: { code: 'TypeError', message: 'outer', causes: ['Error', 'ECONNRESET'] },
  })
  const loop = new Error('loop')
  loop.cause = loop
  assert.equal((fieldsOf({ loop }).loop as { causes: string[] }).causes.length, 5)
})

test('values that JSON cannot hold are written in words', () => {
  const { fieldsOf } = capture()
  const cyclic: Record<string, unknown> = { a: 1 }
  cyclic.self = cyclic
  const hostile = {
    get boom(): string {
      throw new Error('no')
    },
    toJSON: () => {
      throw new Error('no')
    },
  }
  const proxy = new Proxy({}, { ownKeys: () => assert.fail('trap') })
  assert.deepEqual(
    fieldsOf({
      cyclic,
      hostile,
      proxy,
      big: 2n ** 70n,
      nan: Number.NaN,
      nothing: undefined,
      none: null,
      symbol: Symbol('s'),
      date: new Date(0),
      bad: new Date(Number.NaN),
      url: new URL('https://user:pass@example.org/a?token=b'),
      set: new Set([1]),
    }),
    {
      cyclic: { a: 1, self: '[circular]' },
      hostile: { boom: '[unreadable]', toJSON: '[function]' },
      proxy: '[unreadable]',
      big: (2n ** 70n).toString(),
      nan: 'NaN',
      none: null,
      symbol: 'Symbol(s)',
      date: '1970-01-01T00:00:00.000Z',
      bad: 'invalid date',
      url: 'https://example.org/a',
      set: [1],
    },
  )
})

test('no text can begin a line of its own or steer the terminal', () => {
  const hostile = 'x\n{"level":"error","event":"forged"}\r\u001b[2J\u009b2J\u2028\u202e\u007f\u0000'
  for (const format of ['json', 'pretty'] as const) {
    const { logger, lines } = capture({ format })
    logger
      .child({ [hostile]: hostile })
      .log('info', hostile, { a: [hostile], e: new Error(hostile) })
    assert.equal(lines.length, 1)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none of these may be there.
    assert.match(lines[0] ?? '', /^[^\u0000-\u001f\u007f-\u009f\u2028\u202e]+\n$/)
  }
})

test('a field cannot take the place of time, level or event', () => {
  const { logger, lines } = capture()
  logger.log('info', 'real', { event: 'forged', level: 'error', time: 0 })
  const line = JSON.parse(lines[0] ?? '') as Record<string, unknown>
  assert.deepEqual([line.event, line.level, line['field.event']], ['real', 'info', 'forged'])
})

test('one event is bounded, however much it is given', () => {
  const { logger, lines } = capture()
  const wide = () => Array.from({ length: 1000 }, (_, i) => i)
  const tree = Array.from({ length: 100 }, () => Array.from({ length: 100 }, wide))
  let deep: unknown = 1
  for (let i = 0; i < 10_000; i += 1) deep = [deep]
  logger.log('info', 'x', {
    tree,
    deep,
    text: 'y'.repeat(1_000_000),
    map: new Map(wide().map((i) => [i, i])),
  })
  assert.equal(lines.length, 1)
  assert.ok((lines[0] ?? '').length < 20_000, `${lines[0]?.length}`)
})

test('a sink that throws does not reach the caller', () => {
  const { logger } = capture({
    sink: {
      hasColour: false,
      write: () => {
        throw new Error('disk')
      },
      close: () => {},
    },
  })
  assert.doesNotThrow(() => logger.log('error', 'x'))
})

test('a stream sink writes whole lines and leaves the stream to its owner', () => {
  const written: string[] = []
  const sink = streamSink({ write: (text: string) => written.push(text), isTTY: true }, {})
  assert.equal(sink.hasColour, true)
  createLogger({ level: 'info', format: 'json', sink }).log('info', 'x')
  sink.close()
  sink.write('late\n')
  assert.equal(written.length, 1)
  assert.match(written[0] ?? '', /^\{"time":"\d{4}-.*"event":"x"\}\n$/)
})

test('any fields at all give exactly one line of JSON', () => {
  const { logger, lines } = capture()
  const fields = fc.dictionary(
    fc.string({ unit: 'binary' }),
    fc.anything({
      withBigInt: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withNullPrototype: true,
      withObjectString: true,
    }),
  )
  fc.assert(
    fc.property(fields, (given) => {
      lines.length = 0
      logger.log('info', 'x', given)
      assert.equal(lines.length, 1)
      assert.match(lines[0] ?? '', /^[^\n\r]+\n$/)
      assert.equal((JSON.parse(lines[0] ?? '') as { event: string }).event, 'x')
    }),
  )
})
