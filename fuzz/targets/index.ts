// Every decoder of what others send or keep for us, as fuzz targets: one name each.

import type { FuzzTarget } from '@myelin/testkit'
import { datagramTargets } from './datagrams.ts'
import { fileTargets } from './files.ts'
import { handshakeTargets } from './handshakes.ts'
import { identityTargets } from './identities.ts'
import { keyTargets } from './keys.ts'
import { packetTargets } from './packets.ts'
import { payloadTargets } from './payloads.ts'
import { sessionTargets } from './sessions.ts'

export const fuzzTargets: readonly FuzzTarget[] = [
  ...packetTargets,
  ...payloadTargets,
  ...identityTargets,
  ...keyTargets,
  ...fileTargets,
  ...handshakeTargets,
  ...sessionTargets,
  ...datagramTargets,
]
