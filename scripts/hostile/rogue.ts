// A peer that keeps no rule: raw TCP connections, half handshakes, and sessions over genuine keys whose frames
// it writes itself. It never reads more than it must and never waits to be asked.

import { connect, type Socket } from 'node:net'
import { concatBytes } from '@myelin/base'
import { systemClock, systemRandom } from '@myelin/base/system'
import { type AgentId, AgentKeys, createPeerRecord, type PeerRecord } from '@myelin/identity'
import { beginHandshake, type Established, NonceCache } from '@myelin/session'
import { compress, encodeFrame, encodePacket, PacketDecoder, readFrames } from '@myelin/wire'
import { defaultAbilities } from '../../packages/session/src/negotiation.ts'
import { RecordOpener, RecordSealer } from '../../packages/session/src/record-cipher.ts'
import { frameReader } from './frame-reader.ts'

export interface Target {
  readonly host: string
  readonly port: number
  /** For datagrams, and for QUIC, where the daemon listens for them. */
  readonly udpPort?: number | undefined
  readonly quicPort?: number | undefined
  readonly agent: AgentId
  /** The address to attack from; the system's choice where it is absent. */
  readonly from?: string | undefined
}

export interface Rogue {
  readonly keys: AgentKeys
  readonly record: PeerRecord
}

export function rogue(keys: AgentKeys = AgentKeys.generate(systemRandom)): Rogue {
  const { publicKey: staticKey } = keys.staticKey
  const record = createPeerRecord(keys, {
    sequence: 1,
    nowMs: Date.now(),
    staticKey,
    name: 'rogue',
  })
  return { keys, record }
}

/** A connection that is open, or undefined where it was refused. */
export function openSocket({ host, port, from }: Target): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const local = from === undefined ? {} : { localAddress: from }
    const socket = connect({ host, port, noDelay: true, allowHalfOpen: true, ...local })
    socket.once('connect', () => resolve(socket))
    socket.on('error', () => resolve(undefined))
  })
}

const noHandlers = { nonces: new NonceCache(1), timestampWindowMs: 600_000, requireHybrid: true }

function contextOf({ keys, record }: Rogue) {
  return { ...noHandlers, keys, record, abilities: defaultAbilities, random: systemRandom }
}

/** A fresh first handshake message, as a packet. Costs a key generation of ML-KEM. */
export function helloPacket(from: Rogue): Uint8Array {
  return encodePacket(0, beginHandshake(contextOf(from), Date.now()).send)
}

/**
 * First handshake messages as an attacker makes them: one key generation for all, and a new time and nonce,
 * which pattern XX sends in the clear, for each.
 */
export function cheapHellos(from: Rogue): () => Uint8Array {
  const template = helloPacket(from)
  // header(10) · pattern(1) · e(32) · e1(1184) · timestamp(8) · nonce(32)
  const at = 10 + 1 + 32 + 1184
  return () => {
    const packet = template.slice()
    new DataView(packet.buffer).setBigUint64(at, BigInt(Date.now()))
    systemRandom.fill(packet.subarray(at + 8, at + 40))
    return packet
  }
}

/** A session over genuine keys. */
export class RogueSession {
  readonly socket: Socket
  readonly closed: Promise<void>
  /** The code that the other side gave for the end, where it gave one. */
  closeCode: number | undefined
  /** Pongs and other frames that came, where they are read. */
  frames = 0
  readonly #sealer: RecordSealer
  readonly #opener: RecordOpener
  readonly #decoder = new PacketDecoder()

  constructor(socket: Socket, { agreement, secrets }: Established) {
    this.socket = socket
    this.#sealer = new RecordSealer(agreement.suite, secrets.send)
    this.#opener = new RecordOpener(agreement.suite, secrets.receive)
    this.closed = new Promise((resolve) => {
      socket.once('close', () => resolve())
      socket.once('end', () => socket.destroy())
    })
  }

  /** Reads what comes from now on: else nothing is, and the other side's buffers fill. */
  read(): void {
    const sink = frameReader({
      any: () => {
        this.frames += 1
      },
      close: (code) => {
        this.closeCode = code
      },
    })
    const packets = {
      packet: (_flags: number, header: Uint8Array, payload: Uint8Array) => {
        const record = this.#opener.open(header, payload)
        if (record !== undefined) readFrames(record, sink)
      },
    }
    this.socket.on('data', (bytes: Uint8Array) => void this.#decoder.push(bytes, packets))
    this.socket.resume()
  }

  /** Frames as one record. False: the system takes no more for now. */
  send(...frames: readonly Uint8Array[]): boolean {
    if (!this.socket.writable) return false
    return this.socket.write(this.#sealer.seal(concatBytes(...frames), false))
  }

  /** One record, compressed: few bytes on the wire, many in memory. */
  sendPacked(frames: Uint8Array): boolean {
    const packed = compress('zstd', frames, { thresholdBytes: 0 })
    if (packed === undefined || !this.socket.writable) return false
    return this.socket.write(this.#sealer.seal(packed, true))
  }

  /** Resolves when the system takes more, or after a while. */
  drained(): Promise<void> {
    return this.socket.writableNeedDrain ? this.#drained() : Promise.resolve()
  }

  /** Records as long as `more` gives some, as fast as they are taken. */
  async flood(more: () => Uint8Array | undefined): Promise<void> {
    while (this.socket.writable) {
      const frames = more()
      if (frames === undefined) return
      if (this.send(frames)) await new Promise((resolve) => setImmediate(resolve))
      else await this.#drained()
    }
  }

  #drained(): Promise<void> {
    const drained = new Promise<void>((resolve) => this.socket.once('drain', () => resolve()))
    const patience = new Promise<void>((resolve) => setTimeout(resolve, 1000).unref())
    return Promise.race([drained, this.closed, patience])
  }
}

export const rogueSettings: Uint8Array = encodeFrame.settings({
  dataMax: 2 ** 32 - 1,
  streamDataMax: 2 ** 32 - 1,
  streamsMax: 2 ** 32 - 1,
  messageBytesMax: 2 ** 24,
})

/** Runs the whole handshake. Undefined: refused. */
export async function openSession(
  from: Rogue,
  target: Target,
  { isReading = true, hasSettings = true } = {},
): Promise<RogueSession | undefined> {
  const socket = await openSocket(target)
  if (socket === undefined) return undefined
  const { send, next } = beginHandshake({ ...contextOf(from), expected: target.agent }, Date.now())
  socket.write(encodePacket(0, send))
  return await new Promise((resolve) => {
    const decoder = new PacketDecoder()
    const refused = () => resolve(undefined)
    socket.once('close', refused)
    socket.once('end', () => socket.destroy())
    socket.once('data', (chunk: Uint8Array) => {
      socket.pause()
      decoder.push(chunk, {
        packet: (_flags, _header, payload) => {
          const step = next.receive(payload, systemClock.wallMs())
          if (step.kind !== 'established' || step.send === undefined) {
            socket.destroy()
            return
          }
          const session = new RogueSession(socket, step.established)
          socket.write(encodePacket(0, step.send))
          if (hasSettings) session.send(rogueSettings)
          if (isReading) session.read()
          resolve(session)
        },
      })
    })
  })
}
