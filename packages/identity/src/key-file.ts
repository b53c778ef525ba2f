// The key file: an agent's two secrets as one JSON document, plain or sealed under a passphrase
// (argon2id, RFC 9106, then XChaCha20-Poly1305 with the agent id as associated data). The Store writes it
// atomically with mode 0600.

import {
  base64urlDecode,
  base64urlEncode,
  concatBytes,
  type Random,
  type Store,
  utf8Decode,
  utf8Encode,
} from '@myelin/base'
import {
  derivePassphraseKey,
  Ed25519KeyPair,
  wipe,
  X25519KeyPair,
  xchacha20Poly1305,
} from '@myelin/crypto'
import { AgentKeys } from './agent-key.ts'
import { IdentityError } from './errors.ts'
import {
  passphraseCost,
  passphraseMemoryKibMax,
  passphraseParallelismMax,
  passphrasePassesMax,
} from './limits.ts'

const formatName = 'myelin-agent-key'
const formatVersion = 1
const seedBytes = 32
const saltBytes = 16
const nonceBytes = 24
const tagBytes = 16

interface PassphraseParameters {
  readonly salt: string
  readonly memoryKib: number
  readonly passes: number
  readonly parallelism: number
}

interface KeyFile {
  readonly format: typeof formatName
  readonly version: typeof formatVersion
  readonly agent: string
  /** base64url: seed ‖ static secret, or nonce ‖ sealed bytes where `argon2id` is present. */
  readonly secrets: string
  readonly argon2id?: PassphraseParameters
}

export interface KeyFileOptions {
  readonly store: Store
  /** The key within the store. */
  readonly path?: string
  readonly passphrase?: string | undefined
  readonly random: Random
}

const defaultPath = 'agent.key'

/** Writes the keys. An existing file is replaced atomically. */
export async function saveAgentKeys(keys: AgentKeys, options: KeyFileOptions): Promise<void> {
  const { seed, staticSecret } = keys.exportSecrets()
  const secrets = concatBytes(seed, staticSecret)
  try {
    const file =
      options.passphrase === undefined
        ? plainFile(keys, secrets)
        : sealedFile(keys, secrets, options)
    await options.store.put(
      options.path ?? defaultPath,
      utf8Encode(`${JSON.stringify(file, null, 2)}\n`),
    )
  } finally {
    wipe(seed)
    wipe(staticSecret)
    wipe(secrets)
  }
}

/** Reads the keys; undefined where there is no file. Throws `IDENTITY_KEY_FILE` or `IDENTITY_PASSPHRASE`. */
export async function loadAgentKeys(options: KeyFileOptions): Promise<AgentKeys | undefined> {
  const path = options.path ?? defaultPath
  const bytes = await options.store.get(path)
  if (bytes === undefined) return undefined
  const file = parseKeyFile(bytes, path)
  const secrets = openSecrets(file, options, path)
  try {
    const signing = Ed25519KeyPair.fromSeed(secrets.slice(0, seedBytes))
    const keys = new AgentKeys(signing, X25519KeyPair.fromSecret(secrets.slice(seedBytes)))
    if (keys.agent !== file.agent) throw fileError(path, 'its agent id does not belong to its key')
    return keys
  } finally {
    wipe(secrets)
  }
}

function plainFile(keys: AgentKeys, secrets: Uint8Array): KeyFile {
  return {
    format: formatName,
    version: formatVersion,
    agent: keys.agent,
    secrets: base64urlEncode(secrets),
  }
}

function sealedFile(keys: AgentKeys, secrets: Uint8Array, options: KeyFileOptions): KeyFile {
  const salt = options.random.fill(new Uint8Array(saltBytes))
  const nonce = options.random.fill(new Uint8Array(nonceBytes))
  const key = derivePassphraseKey(utf8Encode(options.passphrase ?? ''), salt, passphraseCost)
  const sealed = xchacha20Poly1305.seal(key, nonce, secrets, utf8Encode(keys.agent))
  wipe(key)
  return {
    format: formatName,
    version: formatVersion,
    agent: keys.agent,
    secrets: base64urlEncode(concatBytes(nonce, sealed)),
    argon2id: { salt: base64urlEncode(salt), ...passphraseCost },
  }
}

function openSecrets(file: KeyFile, options: KeyFileOptions, path: string): Uint8Array {
  const bytes = base64urlDecode(file.secrets)
  if (bytes === undefined) throw fileError(path, '"secrets" is not base64url')
  if (file.argon2id === undefined) {
    if (bytes.length !== 2 * seedBytes) throw fileError(path, '"secrets" has the wrong length')
    return bytes
  }
  if (options.passphrase === undefined) {
    throw new IdentityError(
      'IDENTITY_PASSPHRASE',
      `${path} is sealed: give its passphrase (MYELIN_PASSPHRASE)`,
      { kind: 'usage' },
    )
  }
  if (bytes.length !== nonceBytes + 2 * seedBytes + tagBytes)
    throw fileError(path, '"secrets" has the wrong length')
  const salt = base64urlDecode(file.argon2id.salt)
  if (salt === undefined || salt.length < 8) throw fileError(path, '"salt" is not a salt')
  const key = derivePassphraseKey(utf8Encode(options.passphrase), salt, file.argon2id)
  const opened = xchacha20Poly1305.open(
    key,
    bytes.subarray(0, nonceBytes),
    bytes.subarray(nonceBytes),
    utf8Encode(file.agent),
  )
  wipe(key)
  if (opened === undefined) {
    throw new IdentityError('IDENTITY_PASSPHRASE', `the passphrase does not open ${path}`, {
      kind: 'usage',
    })
  }
  return opened
}

function parseKeyFile(bytes: Uint8Array, path: string): KeyFile {
  let value: unknown
  try {
    value = JSON.parse(utf8Decode(bytes) ?? '')
  } catch (cause) {
    throw fileError(path, 'it is not JSON', cause)
  }
  if (!isKeyFile(value))
    throw fileError(path, `it is not a ${formatName} of version ${formatVersion}`)
  return value
}

function isKeyFile(value: unknown): value is KeyFile {
  if (typeof value !== 'object' || value === null) return false
  const file = value as Record<string, unknown>
  return (
    file.format === formatName &&
    file.version === formatVersion &&
    typeof file.agent === 'string' &&
    typeof file.secrets === 'string' &&
    (file.argon2id === undefined || isPassphraseParameters(file.argon2id))
  )
}

function isPassphraseParameters(value: unknown): value is PassphraseParameters {
  if (typeof value !== 'object' || value === null) return false
  const { salt, memoryKib, passes, parallelism } = value as Record<string, unknown>
  return (
    typeof salt === 'string' &&
    isWithin(passes, 1, passphrasePassesMax) &&
    isWithin(parallelism, 1, passphraseParallelismMax) &&
    // RFC 9106 §3.1: at least 8 KiB for each lane.
    isWithin(memoryKib, 8 * (parallelism as number), passphraseMemoryKibMax)
  )
}

function isWithin(value: unknown, low: number, high: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= low && (value as number) <= high
}

function fileError(path: string, fault: string, cause?: unknown): IdentityError {
  return new IdentityError(
    'IDENTITY_KEY_FILE',
    `${path} cannot be used: ${fault}; restore it from a backup or make a new key`,
    { cause, kind: 'usage' },
  )
}
