import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Configuration,
  describeFault,
  environmentName,
  type LoadedConfiguration,
  loadConfiguration,
  nearestName,
  parseJson,
  parseToml,
  parseYaml,
  settingRows,
  settingsTable,
} from '@myelin/node'
import { verifies } from '@myelin/testkit'

verifies('R154')

const peer = '/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA'

function configurationOf(loaded: LoadedConfiguration): Configuration {
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.faults.map(describeFault).join('\n'))
  return loaded.value
}

function linesOf(loaded: LoadedConfiguration): string[] {
  assert.equal(loaded.ok, false)
  return loaded.ok ? [] : loaded.faults.map(describeFault)
}

const file = (content: unknown, name = 'a.toml') => ({ name, content })

test('without any source the configuration is the defaults of the documents', () => {
  const { session, compression, request, limits, shutdown, log } = configurationOf(
    loadConfiguration(),
  )
  assert.equal(session.timestampWindowMs, 5000)
  assert.equal(session.rekeyMessages, 1_000_000)
  assert.equal(session.rekeyHours, 24)
  assert.equal(session.requireHybrid, true)
  assert.equal(session.heartbeatIntervalMs, 30_000)
  assert.deepEqual(compression, { algorithms: ['zstd', 'lz4', 'none'], thresholdBytes: 512 })
  assert.equal(request.timeoutMs, 60_000)
  assert.equal(limits.sessionsMax, 1000)
  assert.equal(limits.messageBytesMax, 16 * 1024 * 1024)
  assert.equal(shutdown.drainMs, 10_000)
  assert.equal(log.file, undefined)
})

test('each source overrides the one before: defaults, files, environment, flags, code', () => {
  const sources = {
    files: [
      file({ request: { timeoutMs: 1 }, name: 'one' }),
      file({ request: { timeoutMs: 2 } }, 'b.json'),
    ],
    environment: { MYELIN_REQUEST__TIMEOUT_MS: '3' },
    flags: { 'request.timeoutMs': '4' },
    code: { request: { timeoutMs: 5 } },
  }
  const { files, environment, flags, code } = sources
  const timeoutOf = (given: Parameters<typeof loadConfiguration>[0]) => {
    const loaded = loadConfiguration(given)
    assert.ok(loaded.ok)
    const origin = loaded.origins.get('request.timeoutMs')
    return [loaded.value.request.timeoutMs, origin?.kind, origin?.name]
  }
  assert.deepEqual(timeoutOf({}), [60_000, 'default', ''])
  assert.deepEqual(timeoutOf({ files }), [2, 'file', 'b.json'])
  const variable = 'MYELIN_REQUEST__TIMEOUT_MS'
  assert.deepEqual(timeoutOf({ files, environment }), [3, 'environment', variable])
  assert.deepEqual(timeoutOf({ files, environment, flags }), [4, 'flag', 'request.timeoutMs'])
  assert.deepEqual(timeoutOf({ files, environment, flags, code }), [5, 'code', ''])
  assert.equal(configurationOf(loadConfiguration(sources)).name, 'one')
})

test('TOML, YAML and JSON of the same settings give the same configuration', () => {
  const toml = `name = "a"\nlisten = ["/ip4/127.0.0.1/tcp/0"]\n[log]\nlevel = "debug"\n[limits]
sessionsMax = 0x40\nhandshakesPendingMax = 8\n[shutdown]\ndrainMs = 5\n`
  const yaml = `# with a comment
name: a
listen:
  - /ip4/127.0.0.1/tcp/0
log: { level: debug }
limits:
  sessionsMax: 0x40
  handshakesPendingMax: 8
shutdown:
  drainMs: 5
`
  const json = `{"name":"a","listen":["/ip4/127.0.0.1/tcp/0"],"log":{"level":"debug"},
"limits":{"sessionsMax":64,"handshakesPendingMax":8},"shutdown":{"drainMs":5}}`
  const parsed = [parseToml(toml), parseYaml(yaml), parseJson(json)]
  const [fromToml, fromYaml, fromJson] = parsed.map((result) => {
    assert.ok(result.ok)
    return configurationOf(loadConfiguration({ files: [file(result.value)] }))
  })
  assert.equal(fromToml?.limits.sessionsMax, 64)
  assert.equal(fromToml?.log.level, 'debug')
  assert.deepEqual(fromToml?.listen, ['/ip4/127.0.0.1/tcp/0'])
  assert.deepEqual(fromYaml, fromToml)
  assert.deepEqual(fromJson, fromToml)
})

test('one load reports the faults of all sources, each with place, problem and mend', () => {
  const lines = linesOf(
    loadConfiguration({
      files: [
        file({
          nmae: 'alice',
          log: { level: 'loud', maxFiles: 0, formt: 'json' },
          request: { timeoutMs: '60s' },
          limits: 7,
          session: { ciphers: ['rc4'], requireHybrid: 'yes' },
        }),
      ],
      environment: { MYELIN_LOG__LEVLE: 'debug', MYELIN_SHUTDOWN__DRAIN_MS: '-1' },
      flags: { 'compression.treshold': '1' },
      code: { peers: ['/ip4/192.0.2.1/tcp/4001'] },
    }),
  )
  assert.deepEqual(lines, [
    'nmae: is no setting; expected name (file a.toml)',
    'log.level: "loud" is not allowed; expected one of trace, debug, info, warn, error (file a.toml)',
    'log.maxFiles: 0 is out of range; expected a whole number of files from 1 to 1000 (file a.toml)',
    'log.formt: is no setting; expected log.format (file a.toml)',
    'request.timeoutMs: "60s" is not allowed; expected a whole number of ms from 1 to 86400000 (file a.toml)',
    'limits: 7 stands where settings are grouped; expected a table (file a.toml)',
    'session.ciphers: item 1, "rc4", is not allowed; expected a list of chacha20-poly1305+aes-256-gcm, aes-256-gcm, chacha20-poly1305, not empty, each once (file a.toml)',
    'session.requireHybrid: "yes" is not allowed; expected true or false (file a.toml)',
    'MYELIN_LOG__LEVLE: is no setting; expected MYELIN_LOG__LEVEL (environment MYELIN_LOG__LEVLE)',
    'shutdown.drainMs: -1 is out of range; expected a whole number of ms from 0 to 3600000 (environment MYELIN_SHUTDOWN__DRAIN_MS)',
    'compression.treshold: is no setting; expected compression.thresholdBytes (flag compression.treshold)',
    'peers: item 1, "/ip4/192.0.2.1/tcp/4001", is not allowed; expected a list of which each is a multiaddr that ends with the peer, such as /ip4/192.0.2.1/tcp/4001/p2p/12D3KooW…, each once (code)',
  ])
})

test('a faulty value is reported even where a later source overrides it', () => {
  const lines = linesOf(
    loadConfiguration({
      files: [file({ log: { level: 'loud' } })],
      environment: { MYELIN_LOG__LEVEL: 'debug' },
    }),
  )
  assert.equal(lines.length, 1)
})

test('an unknown name is met with the nearest setting, also in another group', () => {
  const expectedFor = (content: unknown) => {
    const loaded = loadConfiguration({ files: [file(content)] })
    return loaded.ok ? undefined : loaded.faults[0]?.expected
  }
  assert.equal(expectedFor({ session: { rekey_messages: 1 } }), 'session.rekeyMessages')
  assert.equal(expectedFor({ thresholdBytes: 1 }), 'compression.thresholdBytes')
  assert.equal(expectedFor({ zzzzzzzz: 1 }), 'a setting of the reference')
})

test('the environment reads numbers, booleans and lists as they are written there', () => {
  const environment = {
    MYELIN_LISTEN: '/ip4/127.0.0.1/tcp/1, /ip4/127.0.0.1/tcp/2',
    MYELIN_PEERS: JSON.stringify([peer]),
    MYELIN_SESSION__REQUIRE_HYBRID: 'false',
    MYELIN_SESSION__REKEY_MESSAGES: '100',
    // Not settings, not ours, or empty:
    MYELIN_DEBUG: '1',
    MYELIN_LOG__FILE: '',
    PATH: '/bin',
  }
  const { listen, peers, session, log } = configurationOf(loadConfiguration({ environment }))
  assert.deepEqual(listen, ['/ip4/127.0.0.1/tcp/1', '/ip4/127.0.0.1/tcp/2'])
  assert.deepEqual(peers, [peer])
  assert.equal(session.requireHybrid, false)
  assert.equal(session.rekeyMessages, 100)
  assert.equal(log.file, undefined)
})

test('an optional setting is taken back by null, and a null group sets nothing', () => {
  const files = [
    file({ home: '/a', log: { file: 'x.log' } }),
    file({ home: null, session: null, log: { file: null } }, 'b.yaml'),
    file(null, 'empty.yaml'),
  ]
  const { home, log } = configurationOf(loadConfiguration({ files }))
  assert.deepEqual([home, log.file], [undefined, undefined])
})

test('settings that contradict each other are a fault that names the one that was set', () => {
  const lines = linesOf(loadConfiguration({ flags: { 'limits.sessionsMax': '10' } }))
  assert.deepEqual(lines, [
    'limits.handshakesPendingMax: is more than limits.sessionsMax, so some handshakes could never become sessions; expected at most limits.sessionsMax (flag limits.sessionsMax)',
  ])
})

test('names of prototypes are unknown settings and change nothing', () => {
  const content: unknown = JSON.parse('{"__proto__":{"name":"x"},"constructor":{},"toString":1}')
  assert.equal(linesOf(loadConfiguration({ files: [file(content)] })).length, 3)
  assert.equal(({} as { name?: string }).name, undefined)
})

test('the configuration is frozen to its leaves', () => {
  const value = configurationOf(loadConfiguration({ code: { listen: ['/memory/a'] } }))
  assert.ok(Object.isFrozen(value) && Object.isFrozen(value.log) && Object.isFrozen(value.listen))
})

test('numbers are whole, in range and not written with units', () => {
  for (const timeoutMs of [0, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '1000', 10n ** 20n, [1]]) {
    const lines = linesOf(loadConfiguration({ files: [file({ request: { timeoutMs } })] }))
    assert.match(lines[0] ?? '', /^request\.timeoutMs: .*expected a whole number of ms from 1/)
  }
  for (const written of ['1e3', '10s', ' 5', '0x10', '9'.repeat(30)]) {
    const lines = linesOf(loadConfiguration({ flags: { 'request.timeoutMs': written } }))
    assert.match(lines[0] ?? '', /^request\.timeoutMs: /)
  }
})

test('both ends of a range are inside it, and the next number is not', () => {
  const isAllowed = (timeoutMs: number) =>
    loadConfiguration({ code: { request: { timeoutMs } } }).ok
  assert.deepEqual([0, 1, 86_400_000, 86_400_001].map(isAllowed), [false, true, true, false])
})

test('a list refuses repeated and too many items', () => {
  const twice = linesOf(loadConfiguration({ flags: { listen: '/memory/a,/memory/a' } }))
  assert.match(twice[0] ?? '', /item 2, "\/memory\/a", is there twice/)
  const listen = Array.from({ length: 65 }, (_, i) => `/memory/${i}`)
  assert.match(linesOf(loadConfiguration({ code: { listen } }))[0] ?? '', /65 items are too many/)
})

test('a flood of faults is cut and counted', () => {
  const content = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`zz${i}`, i]))
  const lines = linesOf(loadConfiguration({ files: [file(content)] }))
  assert.equal(lines.length, 101)
  assert.match(lines.at(-1) ?? '', /^400 more faults are not shown/)
})

test('a fault stays on one line whatever the value or the key holds', () => {
  const content = { 'a\nerror: forged': 1, name: 'x\ny\u001b[2J' }
  for (const line of linesOf(loadConfiguration({ files: [file(content)] }))) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none of these may be there.
    assert.doesNotMatch(line, /[\u0000-\u001f]/)
  }
})

test('each setting has one variable, and the reference lists them all', () => {
  assert.equal(
    environmentName('session.handshakeTimeoutMs'),
    'MYELIN_SESSION__HANDSHAKE_TIMEOUT_MS',
  )
  const rows = settingRows()
  assert.equal(new Set(rows.map((row) => row.environment)).size, rows.length)
  const table = settingsTable()
  for (const row of rows) assert.ok(table.includes(`| \`${row.path}\` | \`${row.environment}\` |`))
})

test('a name far from all others has no nearest one', () => {
  assert.equal(nearestName('verison', ['version', 'help']), 'version')
  assert.equal(nearestName('conf', ['help', 'version']), undefined)
  assert.equal(nearestName('', ['a']), undefined)
})

test('the type of the configuration follows from the settings', () => {
  const value = configurationOf(loadConfiguration())
  // Each line compiles only while the declared type is exactly this one.
  const level: 'trace' | 'debug' | 'info' | 'warn' | 'error' = value.log.level
  const ciphers: readonly (
    | 'aes-256-gcm'
    | 'chacha20-poly1305'
    | 'chacha20-poly1305+aes-256-gcm'
  )[] = value.session.ciphers
  const home: string | undefined = value.home
  const name: string = value.name
  // @ts-expect-error an optional text may be undefined
  const certain: string = value.home
  // @ts-expect-error a choice is a closed list
  loadConfiguration({ code: { log: { level: 'loud' } } })
  assert.deepEqual(
    [level, ciphers.length, home, name, certain],
    ['info', 3, undefined, 'agent', undefined],
  )
})
