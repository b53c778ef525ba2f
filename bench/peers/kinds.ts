// The contenders by name, and the certificate of those that use TLS.

import { execFileSync } from 'node:child_process'
import { isRivalName, type RivalName, rivalKind } from '../rivals/rivals.ts'
import type { Kind } from './link.ts'
import { myelin } from './myelin.ts'
import { type Certificate, certificateName, net, tls } from './sockets.ts'

const own = {
  XKhfs: () => myelin('XKhfs'),
  XXhfs: () => myelin('XXhfs'),
  'XKhfs-resumed': () => myelin('XKhfs', { isResuming: true }),
  'XKhfs-ipc': () => myelin('XKhfs', { over: 'ipc' }),
  'XKhfs-shm': () => myelin('XKhfs', { over: 'shm' }),
  'XKhfs-quic': () => myelin('XKhfs', { over: 'quic' }),
  'XKhfs-quic-stream': () => myelin('XKhfs', { over: 'quic', isStream: true }),
  'XKhfs-stream': () => myelin('XKhfs', { isStream: true }),
  net: () => net(),
  'net-ipc': () => net({ isLocal: true }),
  'net-stream': () => net({ isRaw: true }),
} as const
const certified = {
  tls: (certificate: Certificate) => tls(certificate),
  'tls-stream': (certificate: Certificate) => tls(certificate, { isRaw: true }),
} as const

type OwnName = keyof typeof own
type CertifiedName = keyof typeof certified
export type KindName = OwnName | CertifiedName | RivalName

/** Of the contenders that come with Node and this repository. */
export function kindOf(name: string, certificate: Certificate | undefined): Kind {
  if (Object.hasOwn(own, name)) return own[name as OwnName]()
  if (Object.hasOwn(certified, name) && certificate !== undefined)
    return certified[name as CertifiedName](certificate)
  throw new Error(`there is no contender ${name}`)
}

/** Of all contenders: a rival is loaded when it is asked for. */
export async function openKind(name: string, certificate: Certificate | undefined): Promise<Kind> {
  return isRivalName(name) ? await rivalKind(name, certificate) : kindOf(name, certificate)
}

/** Whether this contender shows a certificate. */
export function isCertified(name: KindName): boolean {
  return Object.hasOwn(certified, name) || name === 'grpc'
}

/** Self-signed, P-256, for one day. Undefined where there is no openssl: Node makes no certificates. */
export function makeCertificate(): Certificate | undefined {
  const words = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout - -out - -days 1 -subj /CN=${certificateName} -addext subjectAltName=IP:127.0.0.1,DNS:${certificateName}`
  try {
    const text = execFileSync('openssl', words.split(' '), {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const blocks = text.match(/-----BEGIN [\s\S]+?-----END [^\n]+-----/g) ?? []
    const [key, cert] = ['PRIVATE KEY', 'CERTIFICATE'].map((label) =>
      blocks.find((block) => block.includes(`BEGIN ${label}`)),
    )
    return key === undefined || cert === undefined ? undefined : { key, cert }
  } catch {
    return undefined
  }
}

export function certificateFrom(text: string | undefined): Certificate | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as Certificate)
}
