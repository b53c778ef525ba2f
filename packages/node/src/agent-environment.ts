// From a configuration and a home to what sessions are made of: keys, admission, bounds, and the record that an
// agent shows of itself.

import type { Clock, Logger, Random } from '@myelin/base'
import { fasterAead, hasWasmAead } from '@myelin/crypto'
import type { SecurityLog } from '@myelin/guard'
import { type AgentKeys, createPeerRecord, type PeerRecord } from '@myelin/identity'
import {
  Resumptions,
  type SessionEnvironment,
  type SuiteName,
  sessionEnvironment,
} from '@myelin/session'
import { splitPeer } from '@myelin/transport'
import { admission } from './admission.ts'
import type { Configuration } from './config-settings.ts'
import type { Home } from './home.ts'

export interface EnvironmentParts {
  readonly configuration: Configuration
  readonly home: Home
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly log: SecurityLog
  addresses(): readonly string[]
}

/** The environment of all sessions of an agent. */
export function environmentOf(parts: EnvironmentParts): SessionEnvironment {
  const { configuration, home, clock, random, logger, log } = parts
  const { session, compression, limits, name } = configuration
  const { keys } = home
  return sessionEnvironment({
    clock,
    random,
    logger,
    keys,
    record: recordKeeper({ keys, clock, name, addresses: parts.addresses }),
    authorize: admission({ trust: home.trust, tokens: home.tokens, clock, log }),
    abilities: {
      versionMin: 1,
      versionMax: 1,
      suites: suitesOf(session, clock),
      compressions: compression.algorithms,
    },
    requireHybrid: session.requireHybrid,
    resumptions: session.resumption ? resumptionsOf(home, clock) : undefined,
    timestampWindowMs: session.timestampWindowMs,
    handshakeTimeoutMs: session.handshakeTimeoutMs,
    heartbeatIntervalMs: session.heartbeatIntervalMs,
    compressionThresholdBytes: compression.thresholdBytes,
    messageBytesMax: limits.messageBytesMax,
    dataWindowBytes: limits.windowBytes,
    rekey: {
      messages: session.rekeyMessages,
      bytes: session.rekeyBytes,
      ms: session.rekeyHours * 3_600_000,
    },
  })
}

/** Whether a peer may come in is asked each time: that tickets end with trust keeps secrets no longer than needed. */
function resumptionsOf({ trust }: Home, clock: Clock): Resumptions {
  const resumptions = new Resumptions({ clock })
  trust.watch((agent) => {
    if (trust.get(agent) === undefined) resumptions.forget(agent)
  })
  return resumptions
}

/**
 * The suites that this machine does faster first, unless the list is to be taken as it stands (R025): where AES is the
 * faster one for long records, ChaCha20-Poly1305 still is for short ones.
 */
function suitesOf(
  { ciphers, cipherOrder }: Configuration['session'],
  clock: Clock,
): Configuration['session']['ciphers'] {
  if (cipherOrder === 'listed' || ciphers.length < 2) return ciphers
  const faster = fasterAead({ clock })
  const preferred: readonly SuiteName[] =
    faster === 'aes-256-gcm' && hasWasmAead() ? ['chacha20-poly1305+aes-256-gcm', faster] : [faster]
  const first = preferred.filter((cipher) => ciphers.includes(cipher))
  return [...first, ...ciphers.filter((cipher) => !first.includes(cipher))]
}

interface RecordParts {
  readonly keys: AgentKeys
  readonly clock: Clock
  readonly name: string
  addresses(): readonly string[]
}

/** Signs a record anew when our addresses have changed or half its life is over. */
function recordKeeper({ keys, clock, name, addresses }: RecordParts): () => PeerRecord {
  let current: PeerRecord | undefined
  let listed = ''
  return () => {
    const nowMs = clock.wallMs()
    const own = addresses().map((address) => splitPeer(address).address)
    const isFresh =
      current !== undefined &&
      nowMs < (current.issuedMs + current.expiresMs) / 2 &&
      nowMs >= current.issuedMs
    if (current === undefined || !isFresh || listed !== own.join()) {
      const { publicKey: staticKey } = keys.staticKey
      current = createPeerRecord(keys, {
        sequence: Math.floor(nowMs),
        nowMs,
        staticKey,
        name,
        addresses: own.slice(0, 16),
      })
      listed = own.join()
    }
    return current
  }
}
