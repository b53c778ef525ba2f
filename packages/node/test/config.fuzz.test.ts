import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  describeFault,
  loadConfiguration,
  parseJson,
  parseToml,
  parseYaml,
  settingRows,
} from '@myelin/node'
import fc from 'fast-check'

const paths = settingRows().map((row) => row.path)
const names = [...new Set(paths.flatMap((path) => path.split('.')))]

const anything = fc.anything({
  key: fc.oneof(fc.constantFrom(...names), fc.string()),
  withBigInt: true,
  withNullPrototype: true,
  withDate: true,
  maxDepth: 3,
})

test('whatever the sources hold, a load ends in a configuration or in one-line faults', () => {
  fc.assert(
    fc.property(
      anything,
      fc.dictionary(fc.constantFrom(...paths), fc.string()),
      (content, flags) => {
        const loaded = loadConfiguration({ files: [{ name: 'f', content }], flags })
        if (loaded.ok) return
        assert.ok(loaded.faults.length > 0)
        // biome-ignore lint/suspicious/noControlCharactersInRegex: none of these may be there.
        for (const fault of loaded.faults) assert.doesNotMatch(describeFault(fault), /[\n\r\u0000]/)
      },
    ),
  )
})

const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  // Mostly syntax, so that the readers get past the first character.
  fc
    .array(
      fc.constantFrom(
        'a',
        'b',
        '=',
        ':',
        ' ',
        '\n',
        '"',
        "'",
        '{',
        '}',
        '[',
        ']',
        ',',
        '#',
        '\\',
        'x',
        '1',
        '-',
        '.',
        '&',
        '*',
        '!',
      ),
      { maxLength: 60 },
    )
    .map((parts) => parts.join('')),
)

test('no text makes a reader throw', () => {
  fc.assert(
    fc.property(texts, (text) => {
      for (const parse of [parseToml, parseYaml, parseJson]) {
        const result = parse(text)
        if (!result.ok) assert.ok(result.detail.length > 0)
      }
    }),
    { numRuns: 2000 },
  )
})

test('JSON without repeated keys reads as JSON.parse does', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const result = parseJson(JSON.stringify(value))
      assert.ok(result.ok)
      assert.deepEqual(result.value, JSON.parse(JSON.stringify(value)))
    }),
  )
})
