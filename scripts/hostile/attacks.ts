// All attacks by name.

import type { Attack } from './attack.ts'
import { datagramAttacks } from './datagram-attacks.ts'
import { doorAttacks } from './door-attacks.ts'
import { peerAttacks } from './peer-attacks.ts'

export const attacks: readonly Attack[] = [...doorAttacks, ...datagramAttacks, ...peerAttacks]

/** Throws for a name that no attack has. */
export function attackOf(name: string): Attack {
  const found = attacks.find((attack) => attack.name === name)
  if (found !== undefined) return found
  throw new Error(`no attack ${name}; there are ${attacks.map((attack) => attack.name).join(', ')}`)
}
