// The contenders by name, and the certificate of node:tls.

import { execFileSync } from 'node:child_process'
import type { Kind } from './link.ts'
import { myelin } from './myelin.ts'
import { type Certificate, net, tls } from './sockets.ts'

export type KindName = 'net' | 'tls' | 'XKhfs' | 'XXhfs'

export function kindOf(name: string, certificate: Certificate | undefined): Kind {
  if (name === 'net') return net()
  if (name === 'XKhfs' || name === 'XXhfs') return myelin(name)
  if (name === 'tls' && certificate !== undefined) return tls(certificate)
  throw new Error(`there is no contender ${name}`)
}

/** Self-signed, P-256, for one day. Undefined where there is no openssl: Node makes no certificates. */
export function makeCertificate(): Certificate | undefined {
  const words =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout - -out - -days 1 -subj /CN=bench -addext subjectAltName=IP:127.0.0.1'
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
