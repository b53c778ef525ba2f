// Listening for QUIC: takes handshakes, greets, and hands streams over. Closing takes no new connections and ends no
// stream, so the port is free when the last stream that came through it is gone.

import type { Logger } from '@myelin/base'
import type { UdpEndpoint } from './address.ts'
import type { ByteStream, Listener } from './ports.ts'
import { QuicConnection } from './quic-connection.ts'
import { bindingOf, encodeGreeting, quicAddress, readGreeting } from './quic-greeting.ts'
import {
  type NativeConnection,
  type NativeQuic,
  type NativeServer,
  type QuicIdentity,
  quicError,
  remoteOf,
} from './quic-native.ts'
import { SparseLog } from './sparse-log.ts'
import { reachableAddresses } from './tcp-socket.ts'

export interface QuicBounds {
  readonly connectionsMax: number
  readonly handshakesPendingMax: number
  readonly handshakeTimeoutMs: number
  readonly lanesMax: number
}

export interface QuicListen {
  readonly native: NativeQuic
  readonly identity: QuicIdentity
  readonly address: string
  readonly endpoint: UdpEndpoint
  readonly bounds: QuicBounds
  readonly logger: Logger
  onStream(stream: ByteStream): void
}

/** Opens the door, or throws why it cannot. */
export function listenQuic(options: QuicListen): Listener {
  const { native, identity, address, endpoint } = options
  try {
    const server = new native.Server(identity.config, endpoint.host, endpoint.port)
    return new QuicListener(server, options)
  } catch (cause) {
    throw quicError(cause, `cannot listen on ${address}`)
  }
}

class QuicListener implements Listener {
  readonly addresses: readonly string[]
  readonly #server: NativeServer
  readonly #options: QuicListen
  readonly #failures: SparseLog
  readonly #drops: SparseLog
  /** Connections from their handshake to their very end. */
  #connections = 0
  #isClosed = false
  #freed: Promise<void> | undefined

  constructor(server: NativeServer, options: QuicListen) {
    const { address: what, endpoint, bounds, logger } = options
    const { connectionsMax, handshakesPendingMax } = bounds
    this.#server = server
    this.#options = options
    this.addresses = reachableAddresses(endpoint.host, server.port()).map((reached) =>
      reached.replace('/tcp/', '/udp/').concat('/quic-v1'),
    )
    this.#failures = new SparseLog(logger, 'transport_handshake_failed', { what })
    this.#drops = new SparseLog(logger, 'transport_connection_dropped', { what, connectionsMax })
    // Each call takes one handshake and waits for its end: a peer that stalls must not keep others out.
    for (let i = 0; i < handshakesPendingMax; i += 1) this.#takeHandshake()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#freeIfIdle()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #takeHandshake(): void {
    this.#server.inboundConnection().then(
      (connection) => {
        this.#takeHandshake()
        void this.#enter(connection)
      },
      (cause) => {
        // After `abort` every call fails, again and again.
        if (this.#freed !== undefined || /server closed/.test(String(cause))) return
        this.#failures.note({ reason: String(cause) })
        setImmediate(() => this.#takeHandshake())
      },
    )
  }

  async #enter(connection: NativeConnection): Promise<void> {
    const { bounds } = this.#options
    if (this.#isClosed || this.#connections >= bounds.connectionsMax) {
      if (!this.#isClosed) this.#drops.note()
      connection.abort()
      return
    }
    this.#connections += 1
    const timer = setTimeout(() => connection.abort(), bounds.handshakeTimeoutMs)
    try {
      await this.#greet(connection)
    } catch (cause) {
      connection.abort()
      this.#failures.note({ reason: String(cause) })
      this.#leave()
    } finally {
      clearTimeout(timer)
    }
  }

  async #greet(connection: NativeConnection): Promise<void> {
    const { identity, endpoint, bounds } = this.#options
    const remote = remoteOf(connection)
    if (remote === undefined) throw new Error('its certificate has no Ed25519 key')
    const stream = await connection.inboundStream()
    const greeting = await readGreeting(stream)
    if (!greeting.ok) throw new Error(greeting.fault)
    await stream.write(encodeGreeting(remote.host, remote.port))
    if (this.#isClosed) throw new Error('the listener has closed')
    const isWildcard = endpoint.host === '0.0.0.0' || endpoint.host === '::'
    const names = {
      localAddress: isWildcard ? greeting.value : quicAddress(endpoint.host, this.#server.port()),
      remoteAddress: quicAddress(remote.host, remote.port),
      channelBinding: bindingOf(remote.publicKey, identity.publicKey),
    }
    const { lanesMax } = bounds
    const parts = { native: connection, names, lanesMax, gone: () => this.#leave() }
    this.#options.onStream(new QuicConnection(parts, stream).main)
  }

  #leave(): void {
    this.#connections -= 1
    if (this.#isClosed) void this.#freeIfIdle()
  }

  async #freeIfIdle(): Promise<void> {
    if (this.#connections === 0) this.#freed ??= this.#server.abort()
    await this.#freed
  }
}
