import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ipcAddress,
  ipcPath,
  parseAddress,
  splitPeer,
  tcpAddress,
  tcpEndpoint,
  tlsEndpoint,
  websocketEndpoint,
} from '@myelin/transport'
import fc from 'fast-check'

const piece = fc.oneof(
  fc.constantFrom('/', 'ip4', 'ip6', 'tcp', 'dns4', 'unix', 'memory', 'p2p', '127.0.0.1', '::1'),
  fc.constantFrom('80', '%2F', '%', '', '65536', 'onion3', 'certhash', 'ip6zone', '\u0000'),
  fc.constantFrom('tls', 'ws', 'wss', 'sni', 'agent.example', 'http-path'),
  fc.string({ unit: 'binary' }),
)

test('no text makes the reader throw, and what it accepts reads the same again', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.boolean(), (pieces, withSlashes) => {
      const text = withSlashes ? `/${pieces.join('/')}` : pieces.join('')
      splitPeer(text)
      const parsed = parseAddress(text)
      if (!parsed.ok) return
      const again = parseAddress(parsed.value.address)
      assert.ok(again.ok)
      assert.equal(again.value.address, parsed.value.address)
      assert.equal(again.value.kind, parsed.value.kind)
    }),
    { numRuns: 3_000 },
  )
})

test('whatever follows a port is read into itself, with the same endpoint, or refused', () => {
  const suffix = fc.array(fc.constantFrom('tls', 'ws', 'wss', 'sni', 'a.example'), { maxLength: 5 })
  let accepted = 0
  fc.assert(
    fc.property(suffix, (parts) => {
      const parsed = parseAddress(['/ip4/192.0.2.1/tcp/1', ...parts].join('/'))
      if (!parsed.ok) return
      accepted += 1
      const again = parseAddress(parsed.value.address)
      assert.deepEqual(again, parsed)
      // What follows "sni" is a name, even where it reads like a protocol.
      const protocols = ` ${parts.join(' ')}`.replaceAll(/ sni \S+/g, '').split(' ')
      const isSecure = protocols.includes('tls') || protocols.includes('wss')
      const isWeb = protocols.includes('ws') || protocols.includes('wss')
      assert.equal(tcpEndpoint(parsed.value.address).ok, parts.length === 0)
      assert.equal(tlsEndpoint(parsed.value.address).ok, isSecure && !isWeb)
      const web = websocketEndpoint(parsed.value.address)
      assert.equal(web.ok && web.value.isTls, isWeb && isSecure)
    }),
    { numRuns: 2_000 },
  )
  assert.ok(accepted > 50, `${accepted} were accepted`)
})

test('every absolute path survives its address', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }), (name) => {
      const path = `/run/${name}x`
      fc.pre(!path.includes('\0') && path.isWellFormed() && ipcAddress(path).length <= 1_024)
      assert.deepEqual(ipcPath(ipcAddress(path)), { ok: true, value: path })
    }),
  )
})

test('every ip address and port survives its address', () => {
  const port = fc.integer({ min: 0, max: 65_535 })
  fc.assert(
    fc.property(fc.ipV4(), port, (host, number) => {
      const expected = { ok: true, value: { host, port: number, family: 4 } }
      assert.deepEqual(tcpEndpoint(tcpAddress(host, number)), expected)
    }),
  )
  fc.assert(
    fc.property(fc.ipV6(), port, (host, number) => {
      const endpoint = tcpEndpoint(tcpAddress(host, number))
      assert.ok(endpoint.ok)
      assert.deepEqual([endpoint.value.port, endpoint.value.family], [number, 6])
    }),
  )
})
