// Datagrams from many addresses of the loopback network: all of 127/8 is ours on Linux, without privileges. What comes
// back is counted for each address, because an answer to a false address is an attack on whoever has it (RFC 9000 §8.1).

import { createSocket, type Socket } from 'node:dgram'
import { systemRandom } from '@myelin/base/system'
import type { AttackOutcome } from './attack.ts'

const kept = 512
/** So many datagrams may wait in one socket before its sender lets the system catch up. */
const queueMax = 64

export interface Source {
  readonly socket: Socket
  sentBytes: number
  receivedBytes: number
}

/** Sockets that take turns; with each turn of all of them the oldest gives way to one at another address. */
export class Sources {
  readonly #port: number
  readonly #outcome: AttackOutcome
  readonly #sources: Source[] = []
  #turn = 0

  private constructor(port: number, outcome: AttackOutcome) {
    this.#port = port
    this.#outcome = outcome
  }

  static async open(port: number, outcome: AttackOutcome, count = kept): Promise<Sources> {
    const sources = new Sources(port, outcome)
    for (let i = 0; i < count; i += 1) sources.#sources.push(await sources.#open())
    return sources
  }

  /** From the next address. */
  send(bytes: Uint8Array): void {
    const source = this.#sources[this.#turn % this.#sources.length]
    this.#turn += 1
    if (source === undefined || source.socket.getSendQueueCount() > queueMax) return
    source.socket.send(bytes)
    source.sentBytes += bytes.length
    this.#outcome.sent += 1
    this.#outcome.bytesSent += bytes.length
  }

  /** One at a new address in place of the oldest. */
  async renew(): Promise<void> {
    const fresh = await this.#open()
    this.#sources.push(fresh)
    this.#sources.shift()?.socket.close()
  }

  close(): void {
    for (const { socket } of this.#sources.splice(0)) socket.close()
  }

  async #open(): Promise<Source> {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 64 * 1024 })
    const source: Source = { socket, sentBytes: 0, receivedBytes: 0 }
    // Whoever is gone, or takes no more, is told so by the system; a flood does not care.
    socket.on('error', () => {})
    socket.on('message', ({ length }) => this.#received(source, length))
    const address = process.platform === 'linux' ? loopbackAddress() : '127.0.0.1'
    await new Promise<void>((resolve) => socket.bind(0, address, resolve))
    await new Promise<void>((resolve) => socket.connect(this.#port, '127.0.0.1', () => resolve()))
    this.#outcome.opened += 1
    return source
  }

  #received(source: Source, bytes: number): void {
    source.receivedBytes += bytes
    const outcome = this.#outcome
    outcome.bytesBack += bytes
    const ratio = source.receivedBytes / source.sentBytes
    outcome.amplificationMax = Math.max(outcome.amplificationMax, ratio)
  }
}

/** Not of 127.0/16, where honest programs are. */
function loopbackAddress(): string {
  const [a = 0, b = 0, c = 0] = systemRandom.fill(new Uint8Array(3))
  return `127.${1 + (a % 254)}.${b}.${1 + (c % 254)}`
}
