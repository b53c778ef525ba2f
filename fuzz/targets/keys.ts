// Keys in the containers of others: DER, PEM and JWK. One key has one encoding, so what is read is written again
// and compared.

import assert from 'node:assert/strict'
import { base64urlEncode, equalBytes, utf8Decode, utf8Encode } from '@myelin/base'
import {
  decodeJwk,
  decodePem,
  decodePkcs8,
  decodeSpki,
  encodePkcs8,
  encodeSpki,
} from '@myelin/crypto'
import type { FuzzTarget } from '@myelin/testkit'
import { boundsWith, texts } from './bounds.ts'

const key = Uint8Array.from({ length: 65 }, (_, i) => i + 4)
const curveKinds = ['x25519', 'ed25519'] as const
const publicKinds = [...curveKinds, 'p256'] as const
const labels = ['PUBLIC KEY', 'PRIVATE KEY'] as const

/** RFC 7468 §3: lines of 64 characters, the last one shorter. */
function pemOf(label: (typeof labels)[number], der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

const der: FuzzTarget = {
  name: 'key-der',
  bounds: boundsWith({ inputBytesMax: 256 }),
  samples: () => [
    ...publicKinds.map((kind) => encodeSpki(kind, key.slice(0, kind === 'p256' ? 65 : 32))),
    ...curveKinds.map((kind) => encodePkcs8(kind, key.slice(0, 32))),
  ],
  decode: (input) => {
    const readings = [
      ...publicKinds.map((kind) => [decodeSpki(kind, input), encodeSpki.bind(null, kind)] as const),
      ...curveKinds.map(
        (kind) => [decodePkcs8(kind, input), encodePkcs8.bind(null, kind)] as const,
      ),
    ]
    const [only, ...others] = readings.filter(([raw]) => raw !== undefined)
    if (only === undefined) return undefined
    assert.equal(others.length, 0, 'one container holds two kinds of key')
    const [raw, encode] = only
    assert.ok(equalBytes(encode(raw as Uint8Array), input), 'one key has two encodings')
    return input.length
  },
}

const pem: FuzzTarget = {
  name: 'key-pem',
  bounds: boundsWith(),
  samples: () => texts(...labels.map((label) => pemOf(label, encodeSpki('p256', key)))),
  tokens: texts('\r\n', '\n', '=', '-----BEGIN PUBLIC KEY-----', 'A'.repeat(64), ' '),
  decode: (input) => {
    const text = Buffer.from(input).toString('latin1')
    for (const label of labels) {
      const bytes = decodePem(label, text)
      if (bytes === undefined) continue
      const plain = `${text.replace(/\r\n/g, '\n').replace(/\n$/, '')}\n`
      assert.equal(plain, pemOf(label, bytes), 'one key has two texts')
      return bytes.length
    }
    return undefined
  },
}

const jwk: FuzzTarget = {
  name: 'key-jwk',
  bounds: boundsWith(),
  samples: () =>
    ['X25519', 'Ed25519'].map((crv) => {
      const x = base64urlEncode(key.slice(0, 32))
      return utf8Encode(JSON.stringify({ kty: 'OKP', crv, x, d: x }))
    }),
  tokens: texts('"kty"', '"OKP"', '"crv"', '"__proto__":', '=', 'null', '\\u0000', '{}'),
  decode: (input) => {
    let parsed: unknown
    try {
      parsed = JSON.parse(utf8Decode(input) ?? '')
    } catch {
      return undefined
    }
    if (typeof parsed !== 'object' || parsed === null) return undefined
    const members = parsed as Record<string, unknown>
    for (const kind of curveKinds) {
      for (const member of ['x', 'd'] as const) {
        const raw = decodeJwk(kind, members, member)
        if (raw === undefined) continue
        assert.equal(base64urlEncode(raw), members[member], 'one key has two texts')
        return raw.length
      }
    }
    return undefined
  },
}

export const keyTargets: readonly FuzzTarget[] = [der, pem, jwk]
