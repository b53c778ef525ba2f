// The suites that `myelin conformance` knows, by name. Each is loaded when it runs.

import type { Suite } from './suite.ts'

export const suites: ReadonlyMap<string, () => Promise<Suite>> = new Map<
  string,
  () => Promise<Suite>
>([
  ['wycheproof', async () => (await import('./wycheproof.ts')).wycheproof],
  ['noise', async () => (await import('./noise.ts')).noise],
  ['blake3', async () => (await import('./blake3.ts')).blake3],
  ['cctv', async () => (await import('./cctv.ts')).cctv],
  ['msgpack', async () => (await import('./msgpack.ts')).msgpackSuite],
  ['toml-test', async () => (await import('./toml-test.ts')).tomlTest],
])
