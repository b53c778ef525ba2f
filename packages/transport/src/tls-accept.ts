// The listener's side of TLS. Connections are accepted by the TCP server and handed to a TLS server that listens
// nowhere, so bounds and addresses are those of TCP, and the socket beneath stays at hand: only that can be reset.

import type { Socket } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'
import { systemCode } from './errors.ts'
import type { Guest } from './handshake-gate.ts'
import type { TlsSettings } from './tls-options.ts'
import { pinFault, pinOf } from './tls-pins.ts'

/** Starts the handshake of a connection that is in the gate; it is still there when `onSecure` hears of it. */
export function tlsAcceptor(
  settings: TlsSettings,
  onSecure: (socket: TLSSocket, guest: Guest) => void,
): (guest: Guest) => void {
  const { requestCert = false, rejectUnauthorized = true } = settings.options
  const server = createServer({ ...settings.context, requestCert, rejectUnauthorized })
  const guests = new Map<string, Guest>()
  // Node ends the connection, after the alert that says why: a reset could overtake that.
  server.on('tlsClientError', (error, socket) => {
    const connection = connectionOf(socket)
    guests.get(connection)?.noteFailure(systemCode(error) ?? error.message)
    guests.delete(connection)
  })
  server.on('secureConnection', (socket) => {
    const guest = guests.get(connectionOf(socket))
    guests.delete(connectionOf(socket))
    if (guest === undefined) {
      socket.destroy()
      return
    }
    const certificate = socket.getPeerX509Certificate()
    const pin = certificate === undefined ? undefined : pinOf(certificate)
    const fault = requestCert ? pinFault(settings.pins, pin) : undefined
    if (fault === undefined) onSecure(socket, guest)
    else guest.fail(fault)
  })
  return (guest) => {
    const { socket } = guest
    const connection = connectionOf(socket)
    guests.set(connection, guest)
    socket.once('close', () => {
      if (guests.get(connection) !== guest) return
      guests.delete(connection)
      guest.noteFailure('the peer broke it off, or showed a certificate that nobody vouches for')
    })
    server.emit('connection', socket)
  }
}

/** What tells one living TCP connection from all others (RFC 9293 §3.3.1): the TLS socket reports it too. */
function connectionOf(socket: Socket): string {
  const { localAddress, localPort, remoteAddress, remotePort } = socket
  return [localAddress, localPort, remoteAddress, remotePort].join()
}
