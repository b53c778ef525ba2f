// A resumed session shows no certificate: what then counts is the key that the ticket remembers.

import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, test } from 'node:test'
import { silentLogger } from '@myelin/base'
import { verifies } from '@myelin/testkit'
import { tls } from '@myelin/transport'
import { secure } from '../src/tls-dial.ts'
import { tlsSettings } from '../src/tls-options.ts'
import { TicketCache } from '../src/tls-tickets.ts'
import { Authority, skipWithoutOpenssl } from './certificates.ts'

verifies('R174')

const skip = skipWithoutOpenssl
const authority = skip ? undefined : new Authority()
after(() => authority?.dispose())
const bob = authority?.issue('IP:127.0.0.1') ?? { key: '', cert: '', pin: '' }
const other = Buffer.alloc(32, 7).toString('base64')
const key = (port: number) => `127.0.0.1/${port}/4/`

for (const versionMin of ['1.2', '1.3'] as const)
  test(`pins hold for resumed sessions too, with TLS from ${versionMin}`, { skip }, async () => {
    const { cert, key: privateKey } = bob
    const ca = authority?.cert ?? ''
    const listening = tls({ cert, key: privateKey, versionMin })
    await using listener = await listening.listen('/ip4/127.0.0.1/tcp/0/tls', (stream) => {
      stream.attach({ data: () => {}, drain: () => {}, end: () => {}, closed: () => {} })
      stream.write(Uint8Array.of(1))
      stream.end()
    })
    const address = listener.addresses[0] ?? ''
    const port = Number(address.split('/')[4])
    const tickets = new TicketCache()

    /** Whether the session was resumed. */
    const dial = (pins?: readonly string[]): Promise<boolean> => {
      const settings = tlsSettings({ ca, ...(pins === undefined ? {} : { pins }) })
      const dialler = { settings, tickets, logger: silentLogger }
      return new Promise((resolve, reject) => {
        const raw = connect({ host: '127.0.0.1', port, allowHalfOpen: true }, () => {
          const endpoint = { host: '127.0.0.1', port, family: 4 } as const
          const wrap = (socket: import('node:tls').TLSSocket) => {
            // The byte comes after the tickets.
            socket.once('data', () => {
              resolve(socket.isSessionReused())
              socket.destroy()
            })
          }
          secure(raw, dialler, { address, endpoint, signal: undefined, wrap }).catch(reject)
        })
      })
    }

    const drop = () => {
      while (tickets.take(key(port)) !== undefined);
    }
    assert.equal(await dial(), false)
    assert.equal(await dial(), true)
    drop()
    assert.equal(await dial([bob.pin]), false)
    assert.equal(await dial([bob.pin]), true, 'the pin of the full handshake is remembered')
    drop()
    await dial()
    await assert.rejects(dial([other]), { code: 'TRANSPORT_UNTRUSTED', message: /not among/ })
    drop()
    await dial()
    const { session } = tickets.take(key(port)) ?? assert.fail('no ticket')
    tickets.put(key(port), { session, pin: undefined })
    await assert.rejects(dial([bob.pin]), { code: 'TRANSPORT_UNTRUSTED', message: /cannot be/ })
  })
