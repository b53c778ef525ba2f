// Texts and files: configuration in its three syntaxes, addresses, data files, tasks, checkpoints, weights.

import assert from 'node:assert/strict'
import { gzipSync } from 'node:zlib'
import {
  ByteWriter,
  concatBytes,
  equalBytes,
  kib,
  mib,
  type Store,
  utf8Decode,
  utf8Encode,
} from '@myelin/base'
import {
  decodeTask,
  defaultPlan,
  encodeTask,
  loadCheckpoint,
  parseIdxImages,
  parseIdxLabels,
  planRound,
  saveCheckpoint,
  weightsFromBytes,
  weightsToBytes,
} from '@myelin/learning'
import {
  describeFault,
  loadConfiguration,
  parseJson,
  parseToml,
  parseYaml,
  type SyntaxResult,
  settingRows,
} from '@myelin/node'
import type { FuzzTarget } from '@myelin/testkit'
import { parseAddress, splitPeer } from '@myelin/transport'
import { boundsWith, texts } from './bounds.ts'

const peer = '12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB'
const names = [...new Set(settingRows().flatMap(({ path }) => path.split('.')))]

/** Distinct names that mean nothing, each of which asks for the nearest that does. */
const unknownNames = Array.from({ length: 12 }, (_, i) => `sesionHandshakeTimeoutMz${i}`)
/** YAML takes about 3 ms for a KiB, however it is written, so that more would only measure its length. */
const yamlBytesMax = 2 * kib

const tomlSamples = [
  'name = "alice"\nlisten = ["/ip4/127.0.0.1/tcp/0"]\n[log]\nlevel = "debug"\n',
  'a = 1979-05-27T07:32:00Z # date\nb.c = """\nmulti\\u0041"""\n[[d]]\ne = { f = 0x1F, g = 1e3 }\n[[d]]\n',
  unknownNames.map((name) => `${name} = 1`).join('\n'),
]
const yamlSamples = [
  'name: alice\nlisten:\n  - /ip4/127.0.0.1/tcp/0\nlog:\n  level: debug\n',
  'a: &x [1, 2.5, ~, "q\\x41", \'s\']\nb: *x\nc: |\n  block\n  text\nd: >-\n  folded\n# comment\ne: {f: {g: h}}\n',
  unknownNames.map((name) => `${name}: 1`).join('\n'),
]
const jsonSamples = [
  '{"name": "alice", "listen": ["/ip4/127.0.0.1/tcp/0"], "log": {"level": "debug"}}',
  '[1, -2.5e3, true, null, "\\u0041\\n", {"a": {"b": []}}]',
  `{${unknownNames.map((name) => `"${name}":1`).join(',')}}`,
]

function configurationTarget(
  format: string,
  parse: (source: Uint8Array) => SyntaxResult,
  samples: readonly string[],
  tokens: readonly string[],
  inputBytesMax = 8 * kib,
): FuzzTarget {
  return {
    name: `configuration-${format}`,
    bounds: boundsWith({
      inputBytesMax,
      outputBytesMax: 64 * kib,
      allocatedBytesMax: 16 * mib,
    }),
    samples: () => texts(...samples),
    tokens: texts(...tokens, ...names, '\u0000', '\ufeff', '__proto__'),
    cost: format === 'yaml' ? 10 : 4,
    decode: (input) => {
      const parsed = parse(input)
      if (!parsed.ok) {
        assert.doesNotMatch(parsed.detail, /[\n\r\0]/, 'a detail of two lines')
        return undefined
      }
      const loaded = loadConfiguration({ files: [{ name: 'fuzz', content: parsed.value }] })
      if (loaded.ok) return 0
      assert.ok(loaded.faults.length > 0)
      for (const fault of loaded.faults) assert.doesNotMatch(describeFault(fault), /[\n\r\0]/)
      return 0
    },
  }
}

const address: FuzzTarget = {
  name: 'address',
  bounds: boundsWith({ inputBytesMax: 2 * kib }),
  samples: () =>
    texts(
      '/ip4/127.0.0.1/tcp/4001',
      '/ip6/2001:db8::1/tcp/65535',
      `/dns4/example.org/tcp/1/p2p/${peer}`,
      '/unix/%2Frun%2Fagent.sock',
      '/memory/alice',
    ),
  tokens: texts(
    ...[
      '/ip4/',
      '/ip6/',
      '/tcp/',
      '/dns/',
      '/dns6/',
      '/unix/',
      '/memory/',
      '/p2p/',
      '/ipfs/',
      peer,
    ],
    ...['/ip6zone/', '/onion3/', '/certhash/', '/garlic64/', '/http-path/', '/ipcidr/', '/quic-v1'],
    ...['::', '%2F', '%', '%00', '127.0.0.1', '0x7f.1', '65536', '//'],
    // Peer ids as CIDs, in other bases, and of RSA keys.
    ...['/p2p/b', '/p2p/z', '/ipfs/f', 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N'],
  ),
  decode: (input) => {
    const text = Buffer.from(input).toString()
    splitPeer(text)
    const parsed = parseAddress(text)
    if (!parsed.ok) return undefined
    const again = parseAddress(parsed.value.address)
    assert.ok(again.ok, 'the canonical form is refused')
    assert.equal(again.value.address, parsed.value.address, 'one address has two canonical forms')
    assert.equal(again.value.kind, parsed.value.kind)
    return parsed.value.address.length
  },
}

const idxImages = concatBytes(
  new ByteWriter().u32(0x0803).u32(2).u32(28).u32(28).finish(),
  new Uint8Array(2 * 784).fill(9),
)
const idxLabels = concatBytes(
  new ByteWriter().u32(0x0801).u32(5).finish(),
  Uint8Array.of(0, 9, 3, 4, 5),
)

function idxTarget(name: string, parse: typeof parseIdxLabels, plain: Uint8Array): FuzzTarget {
  return {
    name,
    // 4 KiB of gzip unpack to 4 MiB at most, and those are read as they are.
    bounds: boundsWith({ outputBytesMax: 5 * mib, allocatedBytesMax: 16 * mib }),
    samples: () => [plain, gzipSync(plain), gzipSync(new Uint8Array(mib / 4))],
    tokens: [Uint8Array.of(0x1f, 0x8b, 8), Uint8Array.of(0, 0, 8, 3), Uint8Array.of(0, 0, 8, 1)],
    cost: 10,
    decode: (input) => {
      const parsed = parse(input)
      return parsed.ok ? parsed.value.length : undefined
    },
  }
}

const task: FuzzTarget = {
  name: 'task',
  bounds: boundsWith(),
  samples: () =>
    planRound(defaultPlan, 0)
      .slice(0, 2)
      .map((sample) => utf8Encode(JSON.stringify(encodeTask(sample)))),
  tokens: texts(
    '"shape"',
    '784-',
    '-10',
    '"idx"',
    '"digits"',
    'null',
    '1e308',
    '-0',
    '"__proto__":',
  ),
  decode: (input) => {
    let parameters: unknown
    try {
      parameters = JSON.parse(utf8Decode(input) ?? '')
    } catch {
      return undefined
    }
    if (typeof parameters !== 'object' || parameters === null) return undefined
    const decoded = decodeTask(parameters as Record<string, unknown>)
    if (!decoded.ok) return undefined
    const again = decodeTask(encodeTask(decoded.value))
    assert.ok(again.ok)
    assert.deepEqual(again.value, decoded.value)
    return input.length
  },
}

const parameters = 12
const rounds = [
  { round: 1, accuracy: 0.5, bytes: 100, messages: 4 },
  { round: 2, accuracy: 0.75, bytes: 200, messages: 8 },
]

function memory(content: Uint8Array): Store & { content: Uint8Array } {
  return {
    content,
    async get() {
      return this.content
    },
    async put(_key, value) {
      this.content = value.slice()
    },
    delete: async () => {},
    list: async () => [],
  }
}

const checkpoint: FuzzTarget = {
  name: 'checkpoint',
  bounds: boundsWith(),
  samples: async () => {
    const weights = Float32Array.from({ length: parameters }, (_, i) => i / 7)
    const stores = [memory(new Uint8Array(0)), memory(new Uint8Array(0))] as const
    await saveCheckpoint(stores[0], defaultPlan, { weights, rounds })
    await saveCheckpoint(stores[1], defaultPlan, { weights, rounds: [] })
    return stores.map(({ content }) => content)
  },
  decode: async (input) => {
    const loaded = await loadCheckpoint(memory(input), defaultPlan, parameters)
    if (loaded === undefined) return undefined
    for (const { accuracy } of loaded.rounds)
      assert.ok(accuracy >= 0 && accuracy <= 1, `an accuracy of ${accuracy}`)
    const store = memory(new Uint8Array(0))
    await saveCheckpoint(store, defaultPlan, loaded)
    assert.ok(equalBytes(store.content, input), 'one checkpoint has two encodings')
    return input.length
  },
}

const weights: FuzzTarget = {
  name: 'weights',
  bounds: boundsWith(),
  samples: () => [weightsToBytes(Float32Array.of(0, -0, 1.5, 3e38, 1e-45)), new Uint8Array(0)],
  tokens: [Uint8Array.of(0, 0, 0x80, 0x7f), Uint8Array.of(0, 0, 0xc0, 0xff)],
  decode: (input) => {
    const read = weightsFromBytes(input, input.length >> 2)
    if (!read.ok) return undefined
    assert.ok(read.value.every(Number.isFinite), 'a weight that is no number')
    assert.ok(equalBytes(weightsToBytes(read.value), input))
    return input.length
  },
}

export const fileTargets: readonly FuzzTarget[] = [
  configurationTarget('toml', parseToml, tomlSamples, [
    '[',
    ']',
    '[[',
    '"""',
    "'''",
    '=',
    '.',
    '{',
    '}',
  ]),
  configurationTarget(
    'yaml',
    parseYaml,
    yamlSamples,
    [': ', '- ', '&x', '*x', '!!', '<<', '%YAML', '---', '? '],
    yamlBytesMax,
  ),
  configurationTarget('json', parseJson, jsonSamples, ['[', ']', '{', '}', '"', ':', ',', '\\u']),
  address,
  idxTarget('idx-images', parseIdxImages, idxImages),
  idxTarget('idx-labels', parseIdxLabels, idxLabels),
  task,
  checkpoint,
  weights,
]
