// What TLS may agree on here, and the options of whoever uses it. Five cipher suites and two groups, the hybrid
// post-quantum one first: a peer that has none of them is refused, never met halfway.

import { constants, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import { optionError } from './errors.ts'
import type { HandshakeOptions } from './handshake-gate.ts'
import { readPins } from './tls-pins.ts'

/** The suites, in the names of OpenSSL: three of TLS 1.3 (RFC 8446 §B.4), two of TLS 1.2 (RFC 5289, RFC 7905). */
export const tlsSuites = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-RSA-CHACHA20-POLY1305',
] as const

/** Key exchange, the preferred one first. TLS 1.2 has only the second. */
export const tlsGroups = ['X25519MLKEM768', 'X25519'] as const

const certificatePattern = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

export interface TlsOptions extends HandshakeOptions {
  /** Private key and certificate chain, as PEM. To listen both are needed; to dial, where the peer asks. */
  readonly key?: string | Uint8Array
  readonly cert?: string | Uint8Array
  /** The authorities that sign peers' certificates, as PEM, instead of those that Node ships. */
  readonly ca?: string | Uint8Array
  /** Ask those who dial for a certificate too (mutual TLS). */
  readonly requestCert?: boolean
  /**
   * Refuse peers whose certificate no authority vouches for, or that is for another name. True by default;
   * false is for pinned keys, or where the session's own authentication is enough.
   */
  readonly rejectUnauthorized?: boolean
  /**
   * Base64 SHA-256 hashes of SubjectPublicKeyInfo: peers with another key are refused, whoever vouches for
   * them. Checked of whoever is dialled, and of those who dial where `requestCert` is set.
   */
  readonly pins?: readonly string[]
  /** 1.2 by default, for peers that have nothing newer; 1.3 is used wherever both sides have it. */
  readonly versionMin?: '1.2' | '1.3'
  /** Addresses whose last sessions are kept to resume them. 256 by default, 0 resumes none. */
  readonly ticketsMax?: number
}

/** Options, checked. Contexts are made at first use: the built-in authorities take their time to load. */
export interface TlsSettings {
  readonly options: TlsOptions
  readonly pins: ReadonlySet<string> | undefined
  /** For `createServer`, with the key. */
  readonly context: SecureContextOptions
  /** For dialling. */
  secureContext(): SecureContext
}

export function tlsSettings(options: TlsOptions): TlsSettings {
  const { key, cert, ca, versionMin = '1.2' } = options
  if ((key === undefined) !== (cert === undefined))
    throw optionError('key and cert belong together; give both or neither')
  if (versionMin !== '1.2' && versionMin !== '1.3')
    throw optionError(`versionMin is ${JSON.stringify(versionMin)}; give "1.2" or "1.3"`)
  const context: SecureContextOptions = {
    ...(key === undefined ? {} : { key: pem(key) }),
    ...(cert === undefined ? {} : { cert: pem(cert) }),
    ...(ca === undefined ? {} : { ca: pem(ca) }),
    ciphers: tlsSuites.join(':'),
    // "/" ranks them: whoever has the first gets it, even if it has guessed the second and must try again.
    ecdhCurve: tlsGroups.join('/'),
    minVersion: `TLSv${versionMin}`,
    honorCipherOrder: true,
    // A second handshake in the first one's session serves attackers alone (RFC 7457 §2.10); 1.3 has none.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  }
  let made: SecureContext | undefined
  const secureContext = () => {
    made ??= createSecureContext(context)
    return made
  }
  if (key !== undefined || ca !== undefined) {
    try {
      requireCertificates(ca)
      secureContext()
    } catch (cause) {
      const message = 'key, cert or ca cannot be read; give PEM, and the key of that certificate'
      throw optionError(message, cause)
    }
  }
  return { options, pins: readPins(options.pins), context, secureContext }
}

/** Node passes over authorities that it cannot read. */
function requireCertificates(ca: string | Uint8Array | undefined): void {
  if (ca === undefined) return
  const certificates = pem(ca).toString().match(certificatePattern) ?? []
  if (certificates.length === 0) throw new TypeError('ca holds no certificate')
  for (const certificate of certificates) new X509Certificate(certificate)
}

function pem(text: string | Uint8Array): string | Buffer {
  return typeof text === 'string' ? text : Buffer.from(text)
}
