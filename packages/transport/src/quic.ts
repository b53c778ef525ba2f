// QUIC (RFC 9000) over UDP: one connection carries the main stream and any number of lanes, and a packet that is lost
// holds up its own stream alone (R017). The package beneath is loaded when it is first needed (quic-native.ts).
//
// Its TLS is an outer layer and authenticates nobody: each transport has a fresh key that no agent vouches for. The
// session inside authenticates end to end, is post-quantum where QUIC is not, and takes both keys into its prologue
// (`channelBinding`), so whoever ends QUIC on the way is found out. 0-RTT is not offered: it would be replayable.

import { silentLogger } from '@myelin/base'
import { quicEndpoint, type UdpEndpoint } from './address.ts'
import { abortedError, integerOption, optionError, TransportError } from './errors.ts'
import { type HandshakeOptions, handshakeBounds } from './handshake-gate.ts'
import {
  lanesDefault,
  lanesMax as lanesMaxMax,
  quicIdleTimeoutMsDefault,
  quicIdleTimeoutMsMax,
  quicIdleTimeoutMsMin,
  quicKeepAliveMsDefault,
  quicSocketBufferBytes,
  quicWindowBytesDefault,
  quicWindowBytesMax,
  quicWindowBytesMin,
} from './limits.ts'
import { type ListenerOptions, listenerBounds } from './net-listener.ts'
import type { ByteStream, DialOptions, Listener, StreamTransport } from './ports.ts'
import { QuicConnection } from './quic-connection.ts'
import { bindingOf, encodeGreeting, quicAddress, readGreeting } from './quic-greeting.ts'
import { listenQuic, type QuicBounds } from './quic-listener.ts'
import {
  loadQuic,
  type NativeClient,
  type NativeConnection,
  type NativeQuic,
  type QuicIdentity,
  type QuicSettings,
  quicError,
  quicIdentity,
  remoteOf,
} from './quic-native.ts'
import { endpointOf, refuseAddress } from './tcp-socket.ts'

export interface QuicOptions extends Omit<ListenerOptions, 'backlog'>, HandshakeOptions {
  /** A connection on which nothing came for so long is over. 30 s by default. */
  readonly idleTimeoutMs?: number
  /** An idle connection is kept alive with a packet this often. 5 s by default; below `idleTimeoutMs`. */
  readonly keepAliveMs?: number
  /** Lanes that each side may have open on a connection. 1,024 by default. */
  readonly lanesMax?: number
  /** Bytes of one stream that may be under way and unread; twice as many for a connection. 4 MiB by default. */
  readonly windowBytes?: number
}

interface Loaded {
  readonly native: NativeQuic
  readonly identity: QuicIdentity
}

/** Streams over QUIC: /ip4|ip6/…/udp/…/quic-v1. Needs the package @chainsafe/libp2p-quic. */
export function quic(options: QuicOptions = {}): StreamTransport {
  const { connectionsMax } = listenerBounds(options)
  const { pendingMax: handshakesPendingMax, timeoutMs: handshakeTimeoutMs } =
    handshakeBounds(options)
  const lanesMax = integerOption('lanesMax', options.lanesMax ?? lanesDefault, 1, lanesMaxMax)
  const bounds = { connectionsMax, handshakesPendingMax, handshakeTimeoutMs, lanesMax }
  const settings = quicSettings(options, bounds)
  const { logger = silentLogger } = options
  let loading: Promise<Loaded> | undefined
  const load = () => {
    loading ??= loadQuic().then((native) => ({ native, identity: quicIdentity(native, settings) }))
    // A package that is missing may be there the next time.
    loading.catch(() => {
      loading = undefined
    })
    return loading
  }
  const dialler = new QuicDialler(bounds)
  return {
    kind: 'stream',
    name: 'quic',
    handles: (address) => quicEndpoint(address).ok,
    dial: async (address, { signal }: DialOptions = {}) => {
      const endpoint = endpointOf(address, quicEndpoint)
      if (endpoint.port === 0)
        throw refuseAddress(address, 'names port 0, which only a listener can use')
      if (signal?.aborted) throw abortedError(`cannot dial ${address}`, signal.reason)
      return dialler.dial(await load(), { address, endpoint, signal })
    },
    listen: async (address, onStream): Promise<Listener> => {
      const endpoint = endpointOf(address, quicEndpoint)
      return listenQuic({ ...(await load()), address, endpoint, bounds, logger, onStream })
    },
  }
}

function quicSettings(options: QuicOptions, bounds: QuicBounds): QuicSettings {
  const { idleTimeoutMs = quicIdleTimeoutMsDefault, windowBytes = quicWindowBytesDefault } = options
  const { keepAliveMs = Math.min(quicKeepAliveMsDefault, Math.floor(idleTimeoutMs / 3)) } = options
  integerOption('idleTimeoutMs', idleTimeoutMs, quicIdleTimeoutMsMin, quicIdleTimeoutMsMax)
  integerOption('keepAliveMs', keepAliveMs, 1, quicIdleTimeoutMsMax)
  integerOption('windowBytes', windowBytes, quicWindowBytesMin, quicWindowBytesMax)
  if (keepAliveMs >= idleTimeoutMs)
    throw optionError(
      `keepAliveMs is ${keepAliveMs}; give less than idleTimeoutMs, ${idleTimeoutMs}`,
    )
  return {
    handshakeTimeout: bounds.handshakeTimeoutMs,
    maxIdleTimeout: idleTimeoutMs,
    keepAliveInterval: keepAliveMs,
    // Beside the lanes: the main stream, and the one that says that all was read.
    maxConcurrentStreamLimit: bounds.lanesMax + 2,
    maxStreamData: windowBytes,
    maxConnectionData: 2 * windowBytes,
    receiveBufferSize: quicSocketBufferBytes,
    sendBufferSize: quicSocketBufferBytes,
  }
}

interface QuicDial {
  readonly address: string
  readonly endpoint: UdpEndpoint
  readonly signal: AbortSignal | undefined
}

/** A socket of one address family that dials, for as long as dials or connections use it. */
interface SharedClient {
  readonly client: NativeClient
  users: number
}

class QuicDialler {
  readonly #bounds: QuicBounds
  readonly #clients = new Map<4 | 6, SharedClient>()

  constructor(bounds: QuicBounds) {
    this.#bounds = bounds
  }

  async dial(loaded: Loaded, dial: QuicDial): Promise<ByteStream> {
    const { address, endpoint, signal } = dial
    const what = `cannot dial ${address}`
    if (signal?.aborted) throw abortedError(what, signal.reason)
    const release = Promise.withResolvers<never>()
    const shared = this.#clientOf(loaded, endpoint.family, what)
    let connection: NativeConnection | undefined
    let hasLeft = false
    const leave = () => {
      if (!hasLeft) this.#leave(endpoint.family, shared)
      hasLeft = true
    }
    const stop = (error: TransportError) => {
      release.reject(error)
      connection?.abort()
    }
    const onAbort = () => stop(abortedError(what, signal?.reason))
    const timer = setTimeout(() => stop(timeoutError(what)), this.#bounds.handshakeTimeoutMs)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      const connecting = shared.client.outboundConnection(endpoint.host, endpoint.port)
      // One that comes too late has no owner.
      let isOver = false
      release.promise.catch(() => {
        isOver = true
      })
      connecting.then((late) => isOver && late.abort()).catch(() => {})
      connection = await Promise.race([connecting, release.promise])
      const greeted = this.#greet(loaded, connection, leave)
      greeted.catch(() => {})
      return await Promise.race([greeted, release.promise])
    } catch (cause) {
      connection?.abort()
      leave()
      throw cause instanceof TransportError ? cause : dialError(cause, what)
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
  }

  async #greet(
    { identity }: Loaded,
    native: NativeConnection,
    gone: () => void,
  ): Promise<ByteStream> {
    const remote = remoteOf(native)
    if (remote === undefined) throw new Error('cryptographic handshake: no Ed25519 key')
    const main = await native.outboundStream()
    await main.write(encodeGreeting(remote.host, remote.port))
    const greeting = await readGreeting(main)
    if (!greeting.ok) throw new Error(`cryptographic handshake: ${greeting.fault}`)
    const names = {
      localAddress: greeting.value,
      remoteAddress: quicAddress(remote.host, remote.port),
      channelBinding: bindingOf(identity.publicKey, remote.publicKey),
    }
    return new QuicConnection({ native, names, lanesMax: this.#bounds.lanesMax, gone }, main).main
  }

  #clientOf({ native, identity }: Loaded, family: 4 | 6, what: string): SharedClient {
    const known = this.#clients.get(family)
    if (known !== undefined) {
      known.users += 1
      return known
    }
    try {
      const client = new native.Client(identity.config, family === 4 ? 0 : 1)
      const shared = { client, users: 1 }
      this.#clients.set(family, shared)
      return shared
    } catch (cause) {
      throw quicError(cause, what)
    }
  }

  /** The last one closes the socket, and ends what a dial that was given up has left there. */
  #leave(family: 4 | 6, shared: SharedClient): void {
    shared.users -= 1
    if (shared.users > 0) return
    shared.client.abort()
    if (this.#clients.get(family) === shared) this.#clients.delete(family)
  }
}

function timeoutError(what: string): TransportError {
  return quicError(new Error('timed out'), what)
}

/** Whoever listens and takes no more closes the connection at once. */
function dialError(cause: unknown, what: string): TransportError {
  const error = quicError(cause, what)
  if (error.code !== 'TRANSPORT_RESET') return error
  const message = `${what}: the listener takes no more connections; try again in a moment`
  return new TransportError('TRANSPORT_REFUSED', message, { cause, kind: 'recoverable' })
}
