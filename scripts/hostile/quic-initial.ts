// QUIC Initial packets (RFC 9000 §17.2.2, RFC 9001 §5.2): a genuine first packet of a client is opened, which anybody
// may who sees it, and sealed again under other connection ids, so that each copy begins a handshake of its own.

import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { concatBytes, utf8Encode } from '@myelin/base'
import { systemRandom } from '@myelin/base/system'
import { loadQuic, quicIdentity } from '../../packages/transport/src/quic-native.ts'

const salt = Buffer.from('38762cf7f55934b34d179ae6a4c80cadccbb7f0a', 'hex')
const tagBytes = 16
const datagramBytes = 1_200

interface Keys {
  readonly key: Uint8Array
  readonly iv: Uint8Array
  readonly hp: Uint8Array
}

/** Of a client, by the first id that it gave its server (RFC 9001 §5.2). */
function clientKeys(destination: Uint8Array): Keys {
  const initial = hmac(salt, destination)
  const client = expandLabel(initial, 'client in', 32)
  return {
    key: expandLabel(client, 'quic key', 16),
    iv: expandLabel(client, 'quic iv', 12),
    hp: expandLabel(client, 'quic hp', 16),
  }
}

function hmac(key: Uint8Array, data: Uint8Array): Uint8Array {
  return createHmac('sha256', key).update(data).digest()
}

/** RFC 8446 §7.1, for up to one hash. */
function expandLabel(secret: Uint8Array, label: string, bytes: number): Uint8Array {
  const name = utf8Encode(`tls13 ${label}`)
  const info = concatBytes(Uint8Array.of(0, bytes, name.length), name, Uint8Array.of(0, 1))
  return hmac(secret, info).subarray(0, bytes)
}

function mask({ hp }: Keys, sample: Uint8Array): Uint8Array {
  return createCipheriv('aes-128-ecb', hp, null).update(sample)
}

function nonceOf({ iv }: Keys, number: number): Uint8Array {
  const nonce = Buffer.from(iv)
  nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ number) >>> 0, 8)
  return nonce
}

/** Makes first packets of clients, each as good as the one that it is given. */
export function initialsLike(packet: Uint8Array): () => Uint8Array {
  const bytes = Buffer.from(packet)
  const idAt = 6
  const idBytes = bytes.readUInt8(idAt - 1)
  const sourceAt = idAt + idBytes + 1
  const tokenAt = sourceAt + bytes.readUInt8(sourceAt - 1)
  // Neither a token nor a length beyond two bytes: that is how the first packet of a client looks here.
  const lengthAt = tokenAt + 1
  const length = bytes.readUInt16BE(lengthAt) & 0x3fff
  const numberAt = lengthAt + 2
  const own = clientKeys(bytes.subarray(idAt, idAt + idBytes))
  const cover = mask(own, bytes.subarray(numberAt + 4, numberAt + 4 + 16))
  const first = bytes.readUInt8(0) ^ ((cover[0] ?? 0) & 0x0f)
  const numberBytes = (first & 3) + 1
  const header = Buffer.from(bytes.subarray(0, numberAt + numberBytes))
  header[0] = first
  let number = 0
  for (let i = 0; i < numberBytes; i += 1) {
    const value = (header[numberAt + i] ?? 0) ^ (cover[1 + i] ?? 0)
    header[numberAt + i] = value
    number = number * 256 + value
  }
  const end = numberAt + length
  const opener = createDecipheriv('aes-128-gcm', own.key, nonceOf(own, number))
  opener.setAAD(header)
  opener.setAuthTag(bytes.subarray(end - tagBytes, end))
  const sealed = bytes.subarray(header.length, end - tagBytes)
  const plain = Buffer.concat([opener.update(sealed), opener.final()])
  return () => {
    const id = systemRandom.fill(new Uint8Array(idBytes))
    const keys = clientKeys(id)
    const copy = Buffer.from(header)
    copy.set(id, idAt)
    const sealer = createCipheriv('aes-128-gcm', keys.key, nonceOf(keys, number))
    sealer.setAAD(copy)
    const body = Buffer.concat([sealer.update(plain), sealer.final(), sealer.getAuthTag()])
    const at = numberAt + 4 - header.length
    const covering = mask(keys, body.subarray(at, at + 16))
    copy[0] = first ^ ((covering[0] ?? 0) & 0x0f)
    for (let i = 0; i < numberBytes; i += 1)
      copy[numberAt + i] = (header[numberAt + i] ?? 0) ^ (covering[1 + i] ?? 0)
    return concatBytes(copy, body)
  }
}

/** The first packet of a genuine client, which gets no answer. */
export async function captureInitial(): Promise<Uint8Array> {
  const native = await loadQuic()
  const settings = {
    handshakeTimeout: 1_000,
    maxIdleTimeout: 1_000,
    keepAliveInterval: 500,
    maxConcurrentStreamLimit: 16,
    maxStreamData: 2 ** 16,
    maxConnectionData: 2 ** 17,
    receiveBufferSize: 2 ** 17,
    sendBufferSize: 2 ** 17,
  }
  const { config } = quicIdentity(native, settings)
  const trap = createSocket('udp4')
  await new Promise<void>((resolve) => trap.bind(0, '127.0.0.1', resolve))
  const packet = new Promise<Uint8Array>((resolve) => trap.once('message', resolve))
  const client = new native.Client(config, 0)
  client.outboundConnection('127.0.0.1', trap.address().port).catch(() => {})
  try {
    return await packet
  } finally {
    client.abort()
    trap.close()
  }
}

/** Looks like an Initial, and opens under no key; one in eight is of a version that nobody has. */
export function junkInitial(): Uint8Array {
  const packet = systemRandom.fill(new Uint8Array(datagramBytes))
  const view = new DataView(packet.buffer)
  packet[0] = 0xc0 | ((packet[0] ?? 0) & 0x0f)
  const isKnownVersion = (packet[1] ?? 0) % 8 !== 0
  view.setUint32(1, isKnownVersion ? 1 : 0x1a2a3a4a)
  // Ids of 8 and no bytes, no token, and as long as the datagram.
  packet[5] = 8
  packet[14] = 0
  packet[15] = 0
  view.setUint16(16, 0x4000 | (datagramBytes - 18))
  return packet
}
