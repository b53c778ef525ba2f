// Certificates for tests, made by openssl in a folder of their own.

import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Credentials {
  readonly key: string
  readonly cert: string
  /** Base64 SHA-256 of the SubjectPublicKeyInfo, as openssl computes it. */
  readonly pin: string
}

/** Runs openssl; throws with what it says. */
export function openssl(args: readonly string[], input: string | Buffer = ''): Buffer {
  return execFileSync('openssl', args, { input, stdio: 'pipe' })
}

/** What openssl prints, whether it succeeds or not; this process goes on meanwhile. */
export function opensslOutput(args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const child = execFile('openssl', args, (_error, stdout, stderr) => resolve(stdout + stderr))
    child.stdin?.end()
  })
}

/** Why tests that need openssl are skipped, or false. */
export const skipWithoutOpenssl = (() => {
  try {
    openssl(['version'])
    return false
  } catch {
    return 'openssl is not installed'
  }
})()

export class Authority {
  readonly cert: string
  readonly #folder = mkdtempSync(join(tmpdir(), 'myelin-tls-'))

  constructor() {
    this.cert = this.#selfSigned('authority', ['-subj', '/CN=Test Authority'])
  }

  /** A certificate of this authority for these names, `DNS:…` or `IP:…`. */
  issue(names: string, algorithm: readonly string[] = ['rsa:2048']): Credentials {
    const path = (name: string) => join(this.#folder, name)
    const [kind = '', ...options] = algorithm
    openssl(
      ['req', '-newkey', kind, ...options, '-nodes', '-keyout', path('leaf.key')].concat([
        '-subj',
        '/CN=leaf',
        '-out',
        path('leaf.csr'),
      ]),
    )
    writeFileSync(path('leaf.ext'), `subjectAltName=${names}\n`)
    openssl(
      ['x509', '-req', '-in', path('leaf.csr'), '-CA', path('authority.pem')].concat(
        ['-CAkey', path('authority.key'), '-CAcreateserial', '-days', '2'],
        ['-extfile', path('leaf.ext'), '-out', path('leaf.pem')],
      ),
    )
    return this.#read('leaf')
  }

  dispose(): void {
    rmSync(this.#folder, { recursive: true })
  }

  #selfSigned(name: string, options: readonly string[]): string {
    const [key, cert] = [join(this.#folder, `${name}.key`), join(this.#folder, `${name}.pem`)]
    openssl(
      ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2'].concat(
        ['-keyout', key, '-out', cert],
        options,
      ),
    )
    return readFileSync(cert, 'utf8')
  }

  #read(name: string): Credentials {
    const key = readFileSync(join(this.#folder, `${name}.key`), 'utf8')
    const cert = readFileSync(join(this.#folder, `${name}.pem`), 'utf8')
    const info = openssl(['pkey', '-pubout', '-outform', 'DER'], key)
    const pin = openssl(['dgst', '-sha256', '-binary'], info).toString('base64')
    return { key, cert, pin }
  }
}
