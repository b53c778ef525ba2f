// Which of the two record ciphers this machine does faster (R025). AES-256-GCM wins wherever the
// processor has AES instructions, ChaCha20-Poly1305 elsewhere; Node has no call that tells, so a
// short race does. The time comes from a clock port; keys and data are constants, nothing secret is
// touched.

import type { Clock } from '@myelin/base'
import { aes256Gcm, chacha20Poly1305 } from './aead.ts'

export interface AeadRaceOptions {
  readonly clock: Clock
  /**
   * How often each cipher seals 16 KiB; the fastest run counts. The default takes about a
   * millisecond.
   */
  readonly rounds?: number
}

const raceBytes = 16 * 1024

/** The faster of the two, for the first place in a list of offered ciphers. */
export function fasterAead({
  clock,
  rounds = 16,
}: AeadRaceOptions): 'aes-256-gcm' | 'chacha20-poly1305' {
  const key = new Uint8Array(32)
  const nonce = new Uint8Array(12)
  const target = new Uint8Array(raceBytes + 16)
  const plaintext = target.subarray(0, raceBytes)
  const ad = new Uint8Array(10)
  let aesMs = Number.POSITIVE_INFINITY
  let chachaMs = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round += 1) {
    const startMs = clock.monotonicMs()
    aes256Gcm.sealInto(key, nonce, plaintext, ad, target, 0)
    const middleMs = clock.monotonicMs()
    chacha20Poly1305.sealInto(key, nonce, plaintext, ad, target, 0)
    aesMs = Math.min(aesMs, middleMs - startMs)
    chachaMs = Math.min(chachaMs, clock.monotonicMs() - middleMs)
  }
  return aesMs < chachaMs ? 'aes-256-gcm' : 'chacha20-poly1305'
}
