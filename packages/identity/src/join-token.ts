// Join tokens: how an agent that nobody trusts yet enters. The issuer hands the text over by a way of its
// own; it names the issuer, its static key and addresses, and holds a secret that is good for one use. The
// issuer keeps only the secret's hash. Text: `myelin-join-` and base64url of
//
//   version(1) · agent(32) · staticKey(32) · expiresMs(u64) · secret(32) · addressCount(u8)
//   · {length(u16) · address} · checksum(4, of SHA-256 over all before)

import {
  ByteReader,
  ByteWriter,
  base64urlDecode,
  base64urlEncode,
  equalBytes,
  err,
  hexEncode,
  ok,
  type Random,
  type Result,
  type Store,
  utf8Decode,
  utf8Encode,
} from '@myelin/base'
import { concealFields, sha256 } from '@myelin/crypto'
import { type AgentId, agentIdOf, publicKeyOf } from './agent-id.ts'
import { IdentityError } from './errors.ts'
import {
  addressBytesMax,
  recordAddressesMax,
  rolesPerAgentMax,
  tokenLifetimeMs,
  tokenSecretBytes,
  tokensOpenMax,
  tokenTextMax,
} from './limits.ts'
import { StoredDocument } from './stored-document.ts'

export interface JoinToken {
  readonly issuer: AgentId
  readonly staticKey: Uint8Array
  readonly expiresMs: number
  readonly secret: Uint8Array
  readonly addresses: readonly string[]
}

export type JoinTokenFault = 'token_text' | 'token_checksum' | 'token_version' | 'token_malformed'
export type RedeemFault = 'token_unknown' | 'token_expired'

const textPrefix = 'myelin-join-'
const tokenVersion = 1
const checksumBytes = 4

export function encodeJoinToken(token: JoinToken): string {
  const writer = new ByteWriter(256)
  writer
    .u8(tokenVersion)
    .put(publicKeyOf(token.issuer))
    .put(token.staticKey)
    .u53(token.expiresMs)
    .put(token.secret)
  writer.u8(token.addresses.length)
  for (const address of token.addresses) writer.bytes16(utf8Encode(address))
  writer.put(sha256(writer.view()).subarray(0, checksumBytes))
  return textPrefix + base64urlEncode(writer.view())
}

export function decodeJoinToken(text: string): Result<JoinToken, JoinTokenFault> {
  if (!text.startsWith(textPrefix) || text.length > tokenTextMax) return err('token_text')
  const bytes = base64urlDecode(text.slice(textPrefix.length))
  if (bytes === undefined || bytes.length < checksumBytes) return err('token_text')
  const body = bytes.subarray(0, bytes.length - checksumBytes)
  if (!equalBytes(sha256(body).subarray(0, checksumBytes), bytes.subarray(body.length)))
    return err('token_checksum')
  return decodeBody(new ByteReader(body))
}

function decodeBody(reader: ByteReader): Result<JoinToken, JoinTokenFault> {
  if (reader.u8() !== tokenVersion) return err('token_version')
  const issuer = reader.take(32)
  const staticKey = reader.take(32).slice()
  const expiresMs = reader.u53()
  const secret = reader.take(tokenSecretBytes).slice()
  const count = reader.u8()
  if (count > recordAddressesMax) return err('token_malformed')
  const addresses: string[] = []
  for (let i = 0; i < count; i += 1) {
    const address = utf8Decode(reader.bytes16(addressBytesMax))
    if (address === undefined) return err('token_malformed')
    addresses.push(address)
  }
  if (!reader.isComplete) return err('token_malformed')
  const token = { issuer: agentIdOf(issuer), staticKey, expiresMs, secret, addresses }
  return ok(concealFields(token, 'secret'))
}

interface OpenToken {
  readonly roles: readonly string[]
  readonly expiresMs: number
}

export interface IssueOptions {
  readonly issuer: AgentId
  readonly staticKey: Uint8Array
  readonly addresses: readonly string[]
  readonly roles: readonly string[]
  readonly nowMs: number
  readonly lifetimeMs?: number
  readonly random: Random
}

const storePath = 'join-tokens.json'

/** The issuer's side: tokens that are open, by the hash of their secret. */
export class JoinTokenBook {
  readonly #open: Map<string, OpenToken>
  readonly #document: StoredDocument

  private constructor(document: StoredDocument, open: Map<string, OpenToken>) {
    this.#document = document
    this.#open = open
  }

  static async open(store: Store): Promise<JoinTokenBook> {
    const document = new StoredDocument(store, storePath)
    const found = await document.read()
    return new JoinTokenBook(
      document,
      found === undefined ? new Map() : parseOpenTokens(found.value),
    )
  }

  get openCount(): number {
    return this.#open.size
  }

  /** Makes a token; resolves to its text when the book is durable. */
  async issue(options: IssueOptions): Promise<string> {
    this.#dropExpired(options.nowMs)
    if (this.#open.size >= tokensOpenMax) {
      throw new IdentityError(
        'IDENTITY_TOKEN',
        `${tokensOpenMax} join tokens are open; wait until some expire`,
        { kind: 'usage' },
      )
    }
    if (options.roles.length > rolesPerAgentMax) {
      throw new IdentityError('IDENTITY_TOKEN', `a token gives at most ${rolesPerAgentMax} roles`, {
        kind: 'usage',
      })
    }
    const tooLong = options.addresses.find(
      (address) => utf8Encode(address).length > addressBytesMax,
    )
    if (tooLong !== undefined) {
      throw new IdentityError(
        'IDENTITY_TOKEN',
        `an address has at most ${addressBytesMax} bytes: ${tooLong.slice(0, 64)}…`,
        { kind: 'usage' },
      )
    }
    const secret = options.random.fill(new Uint8Array(tokenSecretBytes))
    const expiresMs = Math.floor(options.nowMs) + (options.lifetimeMs ?? tokenLifetimeMs)
    this.#open.set(hexEncode(sha256(secret)), { roles: options.roles, expiresMs })
    await this.#save()
    const { issuer, staticKey, addresses } = options
    return encodeJoinToken({
      issuer,
      staticKey,
      expiresMs,
      secret,
      addresses: addresses.slice(0, recordAddressesMax),
    })
  }

  /**
   * Uses a token up. The lookup is by hash, so its timing tells nothing of the secret. The use is certain at
   * once in memory; the returned `durable` resolves when it is on disk too.
   */
  redeem(
    secret: Uint8Array,
    nowMs: number,
  ): Result<{ roles: readonly string[]; durable: Promise<void> }, RedeemFault> {
    const hash = hexEncode(sha256(secret))
    const token = this.#open.get(hash)
    if (token === undefined) return err('token_unknown')
    this.#open.delete(hash)
    const durable = this.#save()
    if (nowMs >= token.expiresMs) {
      durable.catch(() => {})
      return err('token_expired')
    }
    return ok({ roles: token.roles, durable })
  }

  #dropExpired(nowMs: number): void {
    for (const [hash, token] of this.#open) if (nowMs >= token.expiresMs) this.#open.delete(hash)
  }

  #save(): Promise<void> {
    return this.#document.write(Object.fromEntries(this.#open))
  }
}

/** A book that cannot be read must not open any door again, so damage is an error. */
function parseOpenTokens(value: unknown): Map<string, OpenToken> {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : undefined
  if (entries === undefined || entries.length > tokensOpenMax || !entries.every(isOpenEntry)) {
    const message = `${storePath} is damaged; delete it to close all open join tokens`
    throw new IdentityError('IDENTITY_TOKEN', message, { kind: 'usage' })
  }
  return new Map(entries)
}

function isOpenEntry([hash, token]: [string, unknown]): boolean {
  if (!/^[0-9a-f]{64}$/.test(hash) || typeof token !== 'object' || token === null) return false
  const { roles, expiresMs } = token as Record<string, unknown>
  return (
    Array.isArray(roles) &&
    roles.every((role) => typeof role === 'string') &&
    typeof expiresMs === 'number'
  )
}
