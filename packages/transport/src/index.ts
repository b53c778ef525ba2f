/**
 * Carries bytes between agents: the `StreamTransport` and `DatagramTransport` ports and their implementations.
 *
 * ```ts
 * import { memory, tcp, transports } from '@myelin/transport'
 *
 * const transport = transports([tcp(), memory()])
 * const stranger = { drain: () => {}, end: () => {}, closed: () => {} }
 * await using listener = await transport.listen('/ip4/127.0.0.1/tcp/0', (stream) => {
 *   stream.attach({ ...stranger, data: (chunk) => stream.write(chunk), end: () => stream.end() })
 * })
 * const stream = await transport.dial(listener.addresses[0] ?? '')
 * const closed = new Promise<void>((resolve) => {
 *   stream.attach({ ...stranger, data: (chunk) => console.log(chunk.length), closed: () => resolve() })
 * })
 * stream.write(new TextEncoder().encode('hello'))
 * stream.end()
 * await closed
 * ```
 */
export {
  type Address,
  type AddressFault,
  addressFaults,
  ipcAddress,
  ipcPath,
  memoryName,
  parseAddress,
  pipePath,
  quicEndpoint,
  shmAddress,
  shmPath,
  splitPeer,
  type TcpEndpoint,
  type TlsEndpoint,
  tcpAddress,
  tcpEndpoint,
  tlsEndpoint,
  type UdpEndpoint,
  udpAddress,
  udpEndpoint,
  unnamedAddress,
  type WebSocketEndpoint,
  websocketEndpoint,
} from './address.ts'
export { type DialDeadlineOptions, dialWithDeadline } from './dial-deadline.ts'
export { TransportError, type TransportErrorCode } from './errors.ts'
export { type IpcOptions, ipc } from './ipc.ts'
export {
  type MemoryDoor,
  MemoryNetwork,
  type MemoryNetworkOptions,
  type MemoryOptions,
  memory,
  memoryDatagram,
} from './memory.ts'
export { MemoryStream, type MemoryStreamPair } from './memory-stream.ts'
export type {
  ByteStream,
  ByteStreamHandlers,
  DatagramHandlers,
  DatagramSocket,
  DatagramTransport,
  DialOptions,
  Listener,
  StreamLanes,
  StreamTransport,
  Transport,
} from './ports.ts'
export { type QuicOptions, quic } from './quic.ts'
export { type ShmOptions, shm } from './shm.ts'
export { type TcpOptions, tcp } from './tcp.ts'
export { type TlsTransportOptions, tls } from './tls.ts'
export { type TlsOptions, tlsGroups, tlsSuites } from './tls-options.ts'
export { pinOf } from './tls-pins.ts'
export { transports } from './transports.ts'
export { type MulticastOptions, type UdpOptions, type UdpTransport, udp } from './udp.ts'
export type { UdpCounts, UdpSocket } from './udp-socket.ts'
export { type WebSocketOptions, websocket } from './websocket.ts'
