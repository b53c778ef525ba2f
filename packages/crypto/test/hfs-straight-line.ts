// XXhfs and XKhfs over 25519+MLKEM768, ChaChaPoly and SHA256, written down step by step from the
// text of Noise rev 34 and noise_hfs rev 1 with node:crypto alone: no patterns, no tokens, no code
// of the package. It knows the secrets of both sides and returns what each message must be.

import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  decapsulate,
  diffieHellman,
} from 'node:crypto'

export interface Secrets {
  readonly initiatorStatic: Uint8Array
  readonly initiatorEphemeral: Uint8Array
  readonly responderStatic: Uint8Array
  readonly responderEphemeral: Uint8Array
  readonly kemSeed: Uint8Array
  readonly ciphertext: Uint8Array
  readonly prologue: Uint8Array
  readonly payloads: readonly [Uint8Array, Uint8Array, Uint8Array]
}

export interface Transcript {
  readonly messages: readonly [Buffer, Buffer, Buffer]
  readonly h: Buffer
  readonly initiatorKey: Buffer
  readonly responderKey: Buffer
}

const sha256 = (...parts: Uint8Array[]) =>
  createHash('sha256').update(Buffer.concat(parts)).digest()
const hmac = (key: Uint8Array, data: Uint8Array) => createHmac('sha256', key).update(data).digest()

/** §4.3 */
function hkdf2(ck: Uint8Array, material: Uint8Array): [Buffer, Buffer] {
  const temporary = hmac(ck, material)
  const first = hmac(temporary, Uint8Array.of(1))
  return [first, hmac(temporary, Buffer.concat([first, Uint8Array.of(2)]))]
}

function nonce(n: number): Buffer {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt32LE(n, 4)
  return bytes
}

function privateKey(secret: Uint8Array) {
  return createPrivateKey({ key: secret, format: 'raw-private', asymmetricKeyType: 'x25519' })
}

export function publicOf(secret: Uint8Array): Buffer {
  return createPublicKey(privateKey(secret)).export({ format: 'raw-public' })
}

function dh(secret: Uint8Array, peerSecret: Uint8Array): Buffer {
  return diffieHellman({
    privateKey: privateKey(secret),
    publicKey: createPublicKey(privateKey(peerSecret)),
  })
}

function kemKey(seed: Uint8Array) {
  return createPrivateKey({ key: seed, format: 'raw-seed', asymmetricKeyType: 'ml-kem-768' })
}

export function kemPublicOf(seed: Uint8Array): Buffer {
  return createPublicKey(kemKey(seed)).export({ format: 'raw-public' })
}

export function kemSharedOf(seed: Uint8Array, ciphertext: Uint8Array): Buffer {
  return decapsulate(kemKey(seed), ciphertext)
}

/** The running values of §5.2, as plain variables with the three operations on them. */
function symmetric(name: string) {
  let h: Buffer =
    name.length <= 32
      ? Buffer.concat([Buffer.from(name), Buffer.alloc(32 - name.length)])
      : sha256(Buffer.from(name))
  let ck: Buffer = h
  let k: Buffer | undefined
  let n = 0
  return {
    mixHash: (data: Uint8Array) => {
      h = sha256(h, data)
    },
    mixKey: (material: Uint8Array) => {
      ;[ck, k] = hkdf2(ck, material)
      n = 0
    },
    encrypt: (plaintext: Uint8Array) => {
      let out: Buffer = Buffer.from(plaintext)
      if (k !== undefined) {
        const cipher = createCipheriv('chacha20-poly1305', k, nonce(n), { authTagLength: 16 })
        cipher.setAAD(h, { plaintextLength: plaintext.length })
        out = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
        n += 1
      }
      h = sha256(h, out)
      return out
    },
    /** What `encrypt` made of `sealed`, without advancing. */
    peek: (sealed: Uint8Array) => {
      if (k === undefined) return Buffer.from(sealed)
      const decipher = createDecipheriv('chacha20-poly1305', k, nonce(n), { authTagLength: 16 })
      decipher.setAAD(h, { plaintextLength: sealed.length - 16 })
      decipher.setAuthTag(sealed.subarray(-16))
      return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()])
    },
    end: () => ({ h, split: hkdf2(ck, Buffer.alloc(0)) }),
  }
}

/** `-> e, e1 / <- e, ee, ekem1, s, es / -> s, se` */
export function straightXx(secrets: Secrets): Transcript {
  const [ie, re] = [publicOf(secrets.initiatorEphemeral), publicOf(secrets.responderEphemeral)]
  const state = symmetric('Noise_XXhfs_25519+MLKEM768_ChaChaPoly_SHA256')
  state.mixHash(secrets.prologue)

  state.mixHash(ie)
  const e1 = state.encrypt(kemPublicOf(secrets.kemSeed))
  const a = Buffer.concat([ie, e1, state.encrypt(secrets.payloads[0])])

  state.mixHash(re)
  state.mixKey(dh(secrets.responderEphemeral, secrets.initiatorEphemeral))
  const ekem1 = state.encrypt(secrets.ciphertext)
  state.mixKey(kemSharedOf(secrets.kemSeed, secrets.ciphertext))
  const rs = state.encrypt(publicOf(secrets.responderStatic))
  state.mixKey(dh(secrets.responderStatic, secrets.initiatorEphemeral))
  const b = Buffer.concat([re, ekem1, rs, state.encrypt(secrets.payloads[1])])

  const is = state.encrypt(publicOf(secrets.initiatorStatic))
  state.mixKey(dh(secrets.initiatorStatic, secrets.responderEphemeral))
  const c = Buffer.concat([is, state.encrypt(secrets.payloads[2])])
  return finish([a, b, c], state)
}

/** `<- s … -> e, es, e1 / <- e, ee, ekem1 / -> s, se` */
export function straightXk(secrets: Secrets): Transcript {
  const [ie, re] = [publicOf(secrets.initiatorEphemeral), publicOf(secrets.responderEphemeral)]
  const state = symmetric('Noise_XKhfs_25519+MLKEM768_ChaChaPoly_SHA256')
  state.mixHash(secrets.prologue)
  state.mixHash(publicOf(secrets.responderStatic))

  state.mixHash(ie)
  state.mixKey(dh(secrets.initiatorEphemeral, secrets.responderStatic))
  const e1 = state.encrypt(kemPublicOf(secrets.kemSeed))
  const a = Buffer.concat([ie, e1, state.encrypt(secrets.payloads[0])])

  state.mixHash(re)
  state.mixKey(dh(secrets.responderEphemeral, secrets.initiatorEphemeral))
  const ekem1 = state.encrypt(secrets.ciphertext)
  state.mixKey(kemSharedOf(secrets.kemSeed, secrets.ciphertext))
  const b = Buffer.concat([re, ekem1, state.encrypt(secrets.payloads[1])])

  const is = state.encrypt(publicOf(secrets.initiatorStatic))
  state.mixKey(dh(secrets.initiatorStatic, secrets.responderEphemeral))
  const c = Buffer.concat([is, state.encrypt(secrets.payloads[2])])
  return finish([a, b, c], state)
}

/** The KEM ciphertext inside the second message of an XXhfs handshake with empty payloads. */
export function ciphertextOfXx(
  secrets: Omit<Secrets, 'ciphertext' | 'payloads'>,
  messageB: Uint8Array,
): Buffer {
  const state = symmetric('Noise_XXhfs_25519+MLKEM768_ChaChaPoly_SHA256')
  state.mixHash(secrets.prologue)
  state.mixHash(publicOf(secrets.initiatorEphemeral))
  state.encrypt(kemPublicOf(secrets.kemSeed))
  state.encrypt(Buffer.alloc(0))
  state.mixHash(messageB.subarray(0, 32))
  state.mixKey(dh(secrets.initiatorEphemeral, secrets.responderEphemeral))
  return state.peek(messageB.subarray(32, 32 + 1088 + 16))
}

function finish(
  messages: [Buffer, Buffer, Buffer],
  state: ReturnType<typeof symmetric>,
): Transcript {
  const { h, split } = state.end()
  return { messages, h, initiatorKey: split[0], responderKey: split[1] }
}
