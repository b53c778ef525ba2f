// The Transport port: what a session needs from whatever carries its bytes, in two kinds. A byte stream is
// reliable and ordered (TCP, IPC, memory, TLS, a QUIC stream); a datagram socket is neither (UDP).
// Every implementation passes the compliance suite of @myelin/testkit.

/** Callbacks of one byte stream. Each runs to completion before the next; none may throw. */
export interface ByteStreamHandlers {
  /** Bytes from the peer. The memory belongs to the receiver: the transport never touches it again. */
  data(chunk: Uint8Array): void
  /** The write buffer has room again, after a `write` that returned false. */
  drain(): void
  /** The peer will send nothing more. Writing may still be possible. */
  end(): void
  /** The stream is gone, once, after everything else. `error` where it did not end in order. */
  closed(error?: Error): void
}

export interface ByteStream {
  readonly kind: 'stream'
  /** The name of the transport: `tcp`, `ipc`, `memory`. */
  readonly transport: string
  /** Multiaddr of this end. */
  readonly localAddress: string
  /** Multiaddr of the other end, as far as it is known. */
  readonly remoteAddress: string
  /** Bytes that only the two ends of an outer secure channel share (TLS exporter), for the prologue. */
  readonly channelBinding?: Uint8Array
  /** Absent where the connection is this one stream. */
  readonly lanes?: StreamLanes
  /** Bytes accepted by `write` and not yet handed to the operating system. */
  readonly bufferedBytes: number
  /**
   * The system has copied all that was written, so a writer that alone holds its bytes may reuse or release
   * them. Absent where the bytes themselves travel to the peer.
   */
  readonly isHandedOver?: boolean
  /** Sets the callbacks, once, and lets bytes flow. Nothing is lost before. */
  attach(handlers: ByteStreamHandlers): void
  /**
   * Queues bytes, which belong to the stream from now on. False when the buffer is above its high-water
   * mark: the bytes are accepted all the same, the caller should wait for `drain`. After the end: ignored.
   */
  write(bytes: Uint8Array): boolean
  /** Holds back writes until `uncork`, to hand several to the system at once. Calls nest. */
  cork(): void
  uncork(): void
  /** Stops reading: the peer's writes pile up on its side. */
  pause(): void
  resume(): void
  /** Sends what is buffered, then says that nothing more comes. */
  end(): void
  /** Drops everything now. `closed` follows. */
  destroy(error?: Error): void
}

/** Further byte streams of the same connection: a packet lost on one holds up no other (QUIC). */
export interface StreamLanes {
  /** A new byte stream to the same peer; what is written before it is open waits in it. */
  open(): ByteStream
  /** Sets who gets the streams that the peer opens; each must be attached to in the same turn. */
  accept(onStream: (stream: ByteStream) => void): void
}

export interface DatagramHandlers {
  /** One datagram, whole. The memory belongs to the receiver. */
  message(bytes: Uint8Array, from: string): void
  closed(error?: Error): void
}

export interface DatagramSocket {
  readonly kind: 'datagram'
  readonly transport: string
  readonly localAddress: string
  /** Largest datagram that `send` accepts, in bytes. */
  readonly datagramBytesMax: number
  attach(handlers: DatagramHandlers): void
  /** Sends one datagram or loses it. False when it was dropped here: too large, buffer full, closed. */
  send(bytes: Uint8Array, to: string): boolean
  close(): Promise<void>
}

export interface DialOptions {
  /** Gives up with `TRANSPORT_ABORTED` when it aborts. */
  readonly signal?: AbortSignal
}

/** An open door. Closing it ends no stream that came through it. */
export interface Listener extends AsyncDisposable {
  /** Multiaddrs that can be dialled, with real ports. */
  readonly addresses: readonly string[]
  close(): Promise<void>
}

export interface StreamTransport {
  readonly kind: 'stream'
  readonly name: string
  /** Whether this transport dials and listens on such an address. */
  handles(address: string): boolean
  dial(address: string, options?: DialOptions): Promise<ByteStream>
  /** Calls `onStream` for each stream that arrives; it must attach to it in the same turn. */
  listen(address: string, onStream: (stream: ByteStream) => void): Promise<Listener>
}

export interface DatagramTransport {
  readonly kind: 'datagram'
  readonly name: string
  handles(address: string): boolean
  /** Opens a socket on `address`; it sends to and receives from any peer of the same transport. */
  bind(address: string): Promise<DatagramSocket>
}

export type Transport = StreamTransport | DatagramTransport
