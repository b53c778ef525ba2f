// The rivals: other ways to send messages between Node processes. Their packages are no dependency of Myelin; they
// have a manifest and a lock file of their own in this folder. What is not installed is left out, and that is said.

import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Kind } from '../peers/link.ts'
import type { Certificate } from '../peers/sockets.ts'

interface Rival {
  /** As the rows call it. */
  readonly title: string
  readonly packages: readonly string[]
  readonly program?: string
  readonly needsCertificate?: boolean
  open(certificate: Certificate): Promise<Kind>
}

const noCertificate: Certificate = { key: '', cert: '' }

const rivals = {
  zeromq: {
    title: 'zeromq CURVE',
    packages: ['zeromq'],
    open: async () => (await import('./zeromq.ts')).zeromq(),
  },
  nats: {
    title: 'nats',
    packages: ['@nats-io/transport-node'],
    program: 'nats-server',
    open: async () => (await import('./nats.ts')).nats(),
  },
  libp2p: {
    title: 'libp2p',
    packages: [
      'libp2p',
      '@libp2p/tcp',
      '@chainsafe/libp2p-noise',
      '@chainsafe/libp2p-yamux',
      '@multiformats/multiaddr',
    ],
    open: async () => (await import('./libp2p.ts')).libp2p(),
  },
  ws: { title: 'ws', packages: ['ws'], open: async () => (await import('./ws.ts')).ws() },
  grpc: {
    title: 'grpc TLS',
    packages: ['@grpc/grpc-js'],
    needsCertificate: true,
    open: async (certificate) => (await import('./grpc.ts')).grpc(certificate),
  },
} satisfies Record<string, Rival>

export type RivalName = keyof typeof rivals

export const rivalNames = Object.keys(rivals) as readonly RivalName[]

export function isRivalName(name: string): name is RivalName {
  return Object.hasOwn(rivals, name)
}

export function rivalTitle(name: RivalName): string {
  return rivals[name].title
}

export function rivalKind(name: RivalName, certificate = noCertificate): Promise<Kind> {
  return rivals[name].open(certificate)
}

/** Why a rival cannot take part; undefined when it can. */
export function whyMissing(
  name: RivalName,
  certificate: Certificate | undefined,
): string | undefined {
  const { packages, program, needsCertificate }: Rival = rivals[name]
  const isInstalled = packages.every((one) => existsSync(join(modulesFolder, one, 'package.json')))
  if (!isInstalled) return 'it is not installed: npm run bench:rivals'
  if (program !== undefined && findProgram(program) === undefined)
    return `there is no ${program} on the PATH`
  if (needsCertificate && certificate === undefined)
    return 'there is no openssl here to make a certificate'
  return undefined
}

/** A package of this folder alone: Node would look further up for what is missing here. */
const modulesFolder = join(import.meta.dirname, 'node_modules')

/** Its full path. Debian keeps servers where the PATH of users often does not go. */
export function findProgram(program: string): string | undefined {
  return [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path))
}

/** By a name that the compiler does not follow: the types of a rival may not be there either. */
export async function load<Module>(name: string): Promise<Module> {
  return (await import(name)) as Module
}
