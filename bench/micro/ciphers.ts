// AEAD and records. The peer is node:crypto as one calls it: a cipher object for each message.

import { createCipheriv, createDecipheriv } from 'node:crypto'
import { type AeadName, aead, aeadTagBytes } from '@myelin/crypto'
import { packetHeaderBytes } from '@myelin/wire'
// Records are the session's own affair and no part of what it exports.
import { RecordOpener, RecordSealer } from '../../packages/session/src/record-cipher.ts'
import type { Goal } from '../harness.ts'
import { noiseOf } from './inputs.ts'
import type { Measured } from './timing.ts'

const peerName = 'node:crypto'
const sizes = [64, 1024, 16 * 1024, 64 * 1024 - 16] as const
const notSlower: readonly Goal[] = [{ peer: peerName, atMost: 1 }]
const tagOptions = { authTagLength: aeadTagBytes } as const

export function cipherOperations(): readonly Measured[] {
  return [
    ...sizes.flatMap((bytes) => aeadOperations('aes-256-gcm', bytes)),
    ...aeadOperations('chacha20-poly1305', 1024),
    ...sizes.map(recordOperation),
  ]
}

function aeadOperations(name: AeadName, bytes: number): readonly Measured[] {
  const cipher = aead(name)
  const [key, nonce, ad] = [noiseOf(32), noiseOf(cipher.nonceBytes), noiseOf(packetHeaderBytes)]
  const plaintext = noiseOf(bytes)
  const sealed = cipher.seal(key, nonce, plaintext, ad)
  if (cipher.open(key, nonce, sealed, ad) === undefined) throw new Error(`${name} does not open`)
  // Node's types know this shape for GCM; both ciphers go the same way through it.
  const nodeName = name as 'aes-256-gcm'
  const seal = () => {
    const peer = createCipheriv(nodeName, key, nonce, tagOptions)
    peer.setAAD(ad)
    const ciphertext = peer.update(plaintext)
    peer.final()
    return [ciphertext, peer.getAuthTag()]
  }
  const open = () => {
    const peer = createDecipheriv(nodeName, key, nonce, tagOptions)
    peer.setAAD(ad)
    peer.setAuthTag(sealed.subarray(bytes))
    const opened = peer.update(sealed.subarray(0, bytes))
    peer.final()
    return opened
  }
  const what = `${name}, ${sizeOf(bytes)}`
  return [
    {
      title: `${what} sealed`,
      ours: () => cipher.seal(key, nonce, plaintext, ad),
      peers: { [peerName]: seal },
      goals: notSlower,
    },
    {
      title: `${what} opened`,
      ours: () => cipher.open(key, nonce, sealed, ad),
      peers: { [peerName]: open },
      goals: notSlower,
    },
  ]
}

/** Both directions of one session: the counter of one follows the other's. */
function recordOperation(bytes: number): Measured {
  const secret = noiseOf(32)
  const sealer = new RecordSealer('aes-256-gcm', secret.slice())
  const opener = new RecordOpener('aes-256-gcm', secret)
  const plaintext = noiseOf(bytes)
  return {
    title: `record of ${sizeOf(bytes)}, sealed and opened`,
    ours: () => {
      const packet = sealer.seal(plaintext, false)
      const header = packet.subarray(0, packetHeaderBytes)
      const opened = opener.open(header, packet.subarray(packetHeaderBytes))
      if (opened === undefined) throw new Error('a record does not open')
      return opened
    },
  }
}

function sizeOf(bytes: number): string {
  return bytes < 1024 ? `${bytes} B` : `${Math.round(bytes / 1024)} KiB`
}
