// What an agent dials and listens on, from its configuration: memory, TCP, Unix sockets, shared memory, TLS,
// WebSocket and QUIC.

import { readFile } from 'node:fs/promises'
import { describeError, type Logger } from '@myelin/base'
import {
  type DatagramTransport,
  ipc,
  memory,
  quic,
  type StreamTransport,
  shm,
  type TlsOptions,
  tcp,
  tls,
  udp,
  websocket,
} from '@myelin/transport'
import type { Configuration } from './config-settings.ts'
import { NodeError } from './errors.ts'

/** Key and certificates as PEM, for programs that keep them elsewhere than in files. */
export type TlsMaterial = Pick<TlsOptions, 'key' | 'cert' | 'ca'>

export interface TransportParts {
  readonly configuration: Configuration
  /** Wins over the files of the configuration. */
  readonly material: TlsMaterial
  readonly logger: Logger
}

/** The built-in transports. Throws `NODE_CONFIGURATION` where a file of `tls` cannot be read. */
export async function agentTransports(parts: TransportParts): Promise<StreamTransport[]> {
  const { configuration, material, logger } = parts
  const { limits, session, websocket: web } = configuration
  const handshakes = {
    handshakesPendingMax: limits.handshakesPendingMax,
    handshakeTimeoutMs: session.handshakeTimeoutMs,
  }
  const options = await tlsOptions(configuration.tls, material)
  return [
    memory(),
    tcp({ logger }),
    ipc({ logger }),
    shm({ logger }),
    tls({ ...options, ...handshakes, logger }),
    quic({
      idleTimeoutMs: configuration.quic.idleTimeoutMs,
      keepAliveMs: configuration.quic.keepAliveMs,
      lanesMax: configuration.quic.lanesMax,
      ...handshakes,
      logger,
    }),
    websocket({ path: web.path, origins: web.origins, tls: options, ...handshakes, logger }),
  ]
}

/** What carries datagrams. */
export function agentDatagrams(
  { udp: settings }: Configuration,
  logger: Logger,
): DatagramTransport {
  const { datagramBytesMax, multicastInterface, multicastTtl } = settings
  const chosen = multicastInterface === undefined ? {} : { interface: multicastInterface }
  return udp({ datagramBytesMax, multicast: { ...chosen, ttl: multicastTtl }, logger })
}

async function tlsOptions(
  settings: Configuration['tls'],
  material: TlsMaterial,
): Promise<TlsOptions> {
  const { pins, requestCert, rejectUnauthorized, versionMin } = settings
  return {
    ...(await fromFile('key', 'tls.keyFile', settings.keyFile)),
    ...(await fromFile('cert', 'tls.certificateFile', settings.certificateFile)),
    ...(await fromFile('ca', 'tls.caFile', settings.caFile)),
    ...material,
    ...(pins.length === 0 ? {} : { pins }),
    requestCert,
    rejectUnauthorized,
    versionMin,
  }
}

async function fromFile(
  name: keyof TlsMaterial,
  setting: string,
  path: string | undefined,
): Promise<TlsMaterial> {
  if (path === undefined) return {}
  try {
    return { [name]: await readFile(path, 'utf8') }
  } catch (cause) {
    const message = `the file of ${setting} cannot be read (${describeError(cause)}); correct it`
    throw new NodeError('NODE_CONFIGURATION', message, { cause, kind: 'usage' })
  }
}
