// RFC 4648 §10 (base64 and hex of "foobar") and the UTF-8 of RFC 3629 §3 and §10.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  base64urlDecode,
  base64urlEncode,
  hexDecode,
  hexEncode,
  utf8Decode,
  utf8Encode,
} from '@myelin/base'
import fc from 'fast-check'

/** §10, without padding as §5 allows. */
const base64Vectors: Readonly<Record<string, string>> = {
  '': '',
  f: 'Zg',
  fo: 'Zm8',
  foo: 'Zm9v',
  foob: 'Zm9vYg',
  fooba: 'Zm9vYmE',
  foobar: 'Zm9vYmFy',
}
const hexVectors: Readonly<Record<string, string>> = {
  '': '',
  f: '66',
  fo: '666f',
  foo: '666f6f',
  foob: '666f6f62',
  fooba: '666f6f6261',
  foobar: '666f6f626172',
}

test('base64url and hex are those of RFC 4648', () => {
  for (const [text, expected] of Object.entries(base64Vectors)) {
    assert.equal(base64urlEncode(utf8Encode(text)), expected)
    assert.deepEqual(base64urlDecode(expected), utf8Encode(text))
  }
  for (const [text, expected] of Object.entries(hexVectors)) {
    assert.equal(hexEncode(utf8Encode(text)), expected)
    assert.deepEqual(hexDecode(expected.toUpperCase()), utf8Encode(text))
  }
  // §5: 62 and 63 are minus and underline.
  assert.equal(base64urlEncode(Uint8Array.of(0xfb, 0xff)), '-_8')
})

test('no two texts mean the same bytes', () => {
  // Padding, the other alphabet, spare bits that are not zero (§3.5), lengths that no bytes have, white space.
  for (const text of [
    'Zg==',
    '+_8',
    '-/8',
    'Zh',
    'Zm9',
    'Z',
    'Zm9v\n',
    ' Zm9v',
    'Zm 9v',
    'Zm9v=',
  ]) {
    assert.equal(base64urlDecode(text), undefined, text)
  }
  for (const text of ['6', '6g', '0x66', '66 ', '66\n', 'ｆｆ'])
    assert.equal(hexDecode(text), undefined, text)
})

test('any bytes survive their text', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      assert.deepEqual(base64urlDecode(base64urlEncode(bytes)), bytes)
      assert.deepEqual(hexDecode(hexEncode(bytes)), bytes)
    }),
  )
})

test('a view of a larger buffer is encoded as the view alone', () => {
  const large = Uint8Array.of(1, 2, 3, 4)
  assert.equal(hexEncode(large.subarray(1, 3)), '0203')
  assert.equal(base64urlEncode(large.subarray(1, 3)), 'AgM')
})

test('UTF-8 is strict, and text survives it unchanged', () => {
  // RFC 3629 §7: "A≢Α." and a byte order mark, which is text here and not dropped.
  assert.deepEqual([...utf8Encode('A≢Α.')], [0x41, 0xe2, 0x89, 0xa2, 0xce, 0x91, 0x2e])
  assert.equal(utf8Decode(Uint8Array.of(0xef, 0xbb, 0xbf, 0x41)), '\ufeffA')
  // §10 and §3: overlong forms, surrogates, beyond U+10FFFF, cut and stray bytes.
  const malformed = [
    [0xc0, 0x80],
    [0xe0, 0x80, 0x80],
    [0xed, 0xa0, 0x80],
    [0xf4, 0x90, 0x80, 0x80],
    [0xe2, 0x89],
    [0x80],
    [0xff],
    [0xf8, 0x88, 0x80, 0x80, 0x80],
  ]
  for (const bytes of malformed)
    assert.equal(utf8Decode(Uint8Array.from(bytes)), undefined, `${bytes}`)
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => utf8Decode(utf8Encode(text)) === text),
  )
})
