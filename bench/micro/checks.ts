// What is asked of each message and of each peer: signatures, sequence, capability, records.

import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { silentLogger } from '@myelin/base'
import { systemClock, systemRandom } from '@myelin/base/system'
import { Guard, SecurityLog } from '@myelin/guard'
import {
  AgentKeys,
  checkPeerRecordTime,
  createPeerRecord,
  decodePeerRecord,
  openEnvelope,
  sealEnvelope,
} from '@myelin/identity'
import { envelopeVersion } from '@myelin/wire'
// Part of the session's datagrams and no part of what it exports.
import { ReplayWindow } from '../../packages/session/src/replay-window.ts'
import type { Goal } from '../harness.ts'
import { noiseOf } from './inputs.ts'
import type { Measured } from './timing.ts'

/** R196: capability and sequence check. */
const belowMicrosecond: readonly Goal[] = [{ atMost: 1 }]
/** R196: what takes the place of validating a certificate. */
const recordGoals: readonly Goal[] = [{ atMost: 2_000 }]
/** More than identity remembers, so that each one is verified anew. */
const recordsUnknown = 4_200
/** Rates that no turn reaches: what is measured is the check, not the refusal. */
const unlimited = 1e15
const skewMs = 60_000

export function checkOperations(): readonly Measured[] {
  return [...envelopes(), ...sequences(), ...capabilities(), ...records()]
}

function envelopes(): readonly Measured[] {
  const keys = AgentKeys.generate(systemRandom)
  const message = {
    version: envelopeVersion,
    id: noiseOf(16),
    from: keys.publicKey,
    to: noiseOf(32),
    type: 'status-update',
    timestampMs: systemClock.wallMs(),
    payload: noiseOf(64),
  }
  const sealed = sealEnvelope(message, keys)
  if (!openEnvelope(sealed).ok) throw new Error('an envelope does not open')
  const peer = generateKeyPairSync('ed25519')
  const signature = sign(null, sealed, peer.privateKey)
  return [
    {
      title: 'envelope of 64 B, encoded and signed',
      ours: () => sealEnvelope(message, keys),
      peers: { 'node:crypto Ed25519': () => sign(null, sealed, peer.privateKey) },
    },
    {
      title: 'envelope of 64 B, decoded and verified',
      ours: () => openEnvelope(sealed),
      peers: { 'node:crypto Ed25519': () => verify(null, sealed, peer.publicKey, signature) },
    },
  ]
}

function sequences(): readonly Measured[] {
  const [inOrder, shuffled] = [new ReplayWindow(), new ReplayWindow()]
  const pass = (window: ReplayWindow, counter: number) => {
    const verdict = window.check(counter)
    if (verdict === 'fresh') window.mark(counter)
    return verdict
  }
  return [
    {
      title: 'sequence check, counters in order',
      ours: (i) => pass(inOrder, i),
      goals: belowMicrosecond,
    },
    {
      title: 'sequence check, eight counters out of order',
      // Backwards within each eight.
      ours: (i) => pass(shuffled, i - (i % 8) + 7 - (i % 8)),
      goals: belowMicrosecond,
    },
    {
      title: 'sequence check, a replay refused',
      ours: () => {
        if (inOrder.check(0) === 'fresh') throw new Error('a replay passes')
      },
      goals: belowMicrosecond,
    },
  ]
}

function capabilities(): readonly Measured[] {
  const log = new SecurityLog(systemClock, silentLogger)
  const rates = {
    messagesPerSecond: unlimited,
    messagesBurst: unlimited,
    bytesPerSecond: unlimited,
    bytesBurst: unlimited,
  }
  const guard = new Guard({ clock: systemClock, log, rates })
  const gate = guard.gate(AgentKeys.generate(systemRandom).agent, ['worker'])
  return [
    {
      title: 'capability and rate check, incoming',
      ours: () => {
        if (gate.incoming('neural-update', 64) !== 'allowed') throw new Error('a worker is refused')
      },
      goals: belowMicrosecond,
    },
    {
      title: 'capability check, outgoing',
      ours: () => {
        if (gate.outgoing('task-assignment') !== 'allowed') throw new Error('a worker gets no task')
      },
      goals: belowMicrosecond,
    },
  ]
}

function records(): readonly Measured[] {
  const keys = AgentKeys.generate(systemRandom)
  const nowMs = systemClock.wallMs()
  const staticKey = keys.staticKey.publicKey
  const recordOf = (sequence: number) =>
    createPeerRecord(keys, { sequence, nowMs, staticKey }).encoded
  // Made when they are first needed: signing them all takes longer than a short turn.
  let unknown: readonly Uint8Array[] | undefined
  const known = recordOf(0)
  const validate = (bytes: Uint8Array) => {
    const record = decodePeerRecord(bytes)
    if (!record.ok || checkPeerRecordTime(record.value, nowMs, skewMs) !== undefined)
      throw new Error('a record is refused')
  }
  return [
    {
      title: 'peer record, validated for the first time',
      ours: (i) => {
        unknown ??= Array.from({ length: recordsUnknown }, (_, sequence) => recordOf(sequence + 1))
        validate(unknown[i % recordsUnknown] as Uint8Array)
      },
      goals: recordGoals,
    },
    {
      title: 'peer record, validated again',
      ours: () => validate(known),
      goals: recordGoals,
    },
  ]
}
