// The settings of an agent, as data (R154). Units stand at the end of the names; every number has bounds.
// A setting exists only when something reads it.

import { kib, mib, packetPayloadBytesMax } from '@myelin/base'
import {
  choice,
  flag,
  group,
  integer,
  type PartialValueOf,
  selection,
  type TextForm,
  text,
  texts,
  type ValueOf,
} from './config-schema.ts'

const second = 1000
const hour = 3600 * second

const nameForm: TextForm = {
  pattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
  says: '1 to 64 letters, digits, ".", "_" or "-", the first a letter or digit',
}

const pathForm: TextForm = {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a path with control characters is refused here.
  pattern: /^[^\u0000-\u001f]+$/,
  says: 'a path',
}

const pinForm: TextForm = {
  pattern: /^[A-Za-z0-9+/]{43}=$/,
  says: 'the base64 SHA-256 of a public key (SPKI)',
}

const hostForm: TextForm = {
  pattern: /^[0-9A-Fa-f.:]+(?:%[\w.-]+)?$/,
  says: 'an IP address',
}

const urlPathForm: TextForm = {
  pattern: /^\/[\w.~!$&'()*+,;=:@%/-]{0,200}$/,
  says: 'the path of a URL, such as /agents',
}

const originForm: TextForm = {
  pattern: /^https?:\/\/[a-z0-9.[\]:-]+$/,
  says: 'an origin such as https://example.org',
}

/** The shape only: the transport that handles an address checks its parts. */
const addressForm: TextForm = {
  pattern: /^\/[a-z][a-z0-9-]*(?:\/[^\s/]+)+$/,
  says: 'a multiaddr such as /ip4/127.0.0.1/tcp/4001',
}

/** Ed25519 peer ids are 52 base58 characters that begin with 12D3KooW (DESIGN §3.4). */
const peerAddressForm: TextForm = {
  pattern: /^\/[a-z][a-z0-9-]*(?:\/[^\s/]+)+\/p2p\/12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/,
  says: 'a multiaddr that ends with the peer, such as /ip4/192.0.2.1/tcp/4001/p2p/12D3KooW…',
}

const milliseconds = (value: number, min: number, max: number) => ({
  default: value,
  min,
  max,
  unit: 'ms',
})

export const settings = group('The configuration of one agent.', {
  name: text('What people call this agent.', { default: 'agent', form: nameForm }),
  home: text(
    'Folder of the agent key, the trust store and other state; without it all is in memory.',
    {
      default: undefined,
      form: pathForm,
    },
  ),
  listen: texts('Addresses on which others may reach this agent.', {
    default: [],
    form: addressForm,
    itemsMax: 64,
  }),
  peers: texts('Peers to connect to from the start.', { default: [], form: peerAddressForm }),
  limits: group('What others may make this agent hold at once.', {
    sessionsMax: integer('Open sessions.', {
      default: 1000,
      min: 1,
      max: 1_000_000,
      unit: 'sessions',
    }),
    handshakesPendingMax: integer('Handshakes that have begun and not finished.', {
      default: 256,
      min: 1,
      max: 100_000,
      unit: 'handshakes',
    }),
    messageBytesMax: integer('Largest message that is sent or accepted.', {
      default: packetPayloadBytesMax,
      min: kib,
      max: packetPayloadBytesMax,
      unit: 'bytes',
    }),
    windowBytes: integer(
      'Most bytes per session that a peer may send before they are handled; the window grows to it on long fast paths.',
      {
        default: 4 * mib,
        min: 256 * kib,
        max: 1024 * mib,
        unit: 'bytes',
      },
    ),
  }),
  session: group('The secure session between two agents.', {
    handshakeTimeoutMs: integer(
      'Time for a whole handshake.',
      milliseconds(10 * second, 100, 10 * 60 * second),
    ),
    timestampWindowMs: integer(
      'How far the clocks of two agents may be apart, either way.',
      milliseconds(5 * second, 100, 10 * 60 * second),
    ),
    heartbeatIntervalMs: integer(
      'Silence after which a peer is asked whether it is there.',
      milliseconds(30 * second, 100, hour),
    ),
    rekeyMessages: integer('Messages sealed with one key.', {
      default: 1_000_000,
      min: 1,
      max: 2 ** 32,
      unit: 'messages',
    }),
    rekeyHours: integer('Age of a key.', { default: 24, min: 1, max: 24 * 30, unit: 'hours' }),
    rekeyBytes: integer('Bytes sealed with one key.', {
      default: 2 ** 36,
      min: kib,
      max: 2 ** 40,
      unit: 'bytes',
    }),
    ciphers: selection('Ciphers offered and accepted, the preferred one first.', {
      default: ['chacha20-poly1305+aes-256-gcm', 'aes-256-gcm', 'chacha20-poly1305'],
      choices: ['chacha20-poly1305+aes-256-gcm', 'aes-256-gcm', 'chacha20-poly1305'],
    }),
    cipherOrder: choice('Prefer the cipher that this machine does faster, or the first listed.', {
      choices: ['measured', 'listed'],
      default: 'measured',
    }),
    requireHybrid: flag('Refuse sessions without the post-quantum key exchange.', {
      default: true,
    }),
    resumption: flag(
      'Begin sessions with an agent that was connected in the last hour without keys and signatures.',
      { default: true },
    ),
  }),
  pool: group('The sessions that this agent opens.', {
    sessionsMin: integer('Idle sessions that are kept, the most recently used ones.', {
      default: 5,
      min: 0,
      max: 100_000,
      unit: 'sessions',
    }),
    sessionsMax: integer('Sessions that this agent holds open at once.', {
      default: 50,
      min: 1,
      max: 100_000,
      unit: 'sessions',
    }),
    idleMs: integer(
      'Time without any traffic after which a session is ended.',
      milliseconds(300 * second, 100, 24 * hour),
    ),
    lifetimeMs: integer(
      'Age at which a session is replaced by a new one.',
      milliseconds(hour, second, 30 * 24 * hour),
    ),
    waitersMax: integer('Attempts that wait while all sessions are in use.', {
      default: 1000,
      min: 0,
      max: 1_000_000,
      unit: 'attempts',
    }),
    waitMs: integer('How long each of them waits.', milliseconds(10 * second, 1, hour)),
    checkMs: integer(
      'How often sessions are looked at: use, age and health.',
      milliseconds(15 * second, 100, hour),
    ),
    missesMax: integer('Looks in a row without an answer that make a session unhealthy.', {
      default: 3,
      min: 1,
      max: 1000,
      unit: 'looks',
    }),
    roundTripMsMax: integer(
      'Average round trip above which a session is unhealthy.',
      milliseconds(5 * second, 1, hour),
    ),
    circuitFailuresMax: integer('Failed attempts in a row at a peer before it is left alone.', {
      default: 5,
      min: 1,
      max: 1000,
      unit: 'attempts',
    }),
    circuitOpenMs: integer('How long it is left alone.', milliseconds(10 * second, 1, hour)),
  }),
  delivery: group('Messages that are acknowledged.', {
    ttlMs: integer('How long such a message is tried.', milliseconds(300 * second, 1, hour)),
    outboxMessagesMax: integer('Messages for one peer that are not acknowledged yet.', {
      default: 16_384,
      min: 1,
      max: 1_000_000,
      unit: 'messages',
    }),
    outboxBytesMax: integer('Their bytes.', {
      default: 32 * mib,
      min: kib,
      max: 256 * mib,
      unit: 'bytes',
    }),
  }),
  tls: group('TLS around sessions, on addresses with /tls.', {
    certificateFile: text('Certificate chain (PEM); to listen on /tls, keyFile is needed too.', {
      default: undefined,
      form: pathForm,
    }),
    keyFile: text('Private key of the certificate (PEM).', { default: undefined, form: pathForm }),
    caFile: text('Authorities that sign the certificates of peers (PEM), instead of public ones.', {
      default: undefined,
      form: pathForm,
    }),
    pins: texts('The only keys that peers may have; empty for any.', {
      default: [],
      form: pinForm,
    }),
    requestCert: flag('Ask those who dial for a certificate.', { default: false }),
    rejectUnauthorized: flag('Refuse certificates that no authority vouches for.', {
      default: true,
    }),
    versionMin: choice('The oldest version that is accepted.', {
      choices: ['1.2', '1.3'],
      default: '1.2',
    }),
  }),
  websocket: group('WebSocket, on addresses with /ws.', {
    path: text('Path of the URL, for listening and dialling.', { default: '/', form: urlPathForm }),
    origins: texts('Origins of web pages that may connect.', { default: [], form: originForm }),
  }),
  quic: group('QUIC, on addresses with /quic-v1. Needs the package @chainsafe/libp2p-quic.', {
    idleTimeoutMs: integer(
      'A connection on which nothing came for so long is over.',
      milliseconds(30 * second, 100, hour),
    ),
    keepAliveMs: integer(
      'How often an idle connection sends a packet; less than the idle timeout.',
      milliseconds(5 * second, 1, hour),
    ),
    lanesMax: integer('Streams that each side may have open on a connection.', {
      default: 1_024,
      min: 1,
      max: 65_536,
      unit: 'streams',
    }),
  }),
  udp: group('Datagrams over UDP, on addresses with /udp: channels and multicast groups.', {
    datagramBytesMax: integer('Largest datagram that is sent and accepted, sealed.', {
      default: 1200,
      min: 256,
      max: 65_507,
      unit: 'bytes',
    }),
    multicastInterface: text(
      'Interface of multicast groups by one of its addresses, for IPv6 as in ::%eth0; else the system chooses.',
      { default: undefined, form: hostForm },
    ),
    multicastTtl: integer('Hops that multicast may take; 1 stays in the local network.', {
      default: 1,
      min: 0,
      max: 255,
      unit: 'hops',
    }),
  }),
  compression: group('Compression of records before they are sealed.', {
    algorithms: selection('Algorithms offered and accepted, the preferred one first.', {
      default: ['zstd', 'lz4', 'none'],
      choices: ['zstd', 'lz4', 'none'],
    }),
    thresholdBytes: integer('Records shorter than this stay as they are.', {
      default: 512,
      min: 0,
      max: packetPayloadBytesMax,
      unit: 'bytes',
    }),
  }),
  request: group('Requests that expect a reply.', {
    timeoutMs: integer('Time for a reply.', milliseconds(60 * second, 1, 24 * hour)),
  }),
  // Well above the goal of 100,000 messages/s per connection (R006): a flood meets them, a busy peer does not.
  rates: group('What one peer may send.', {
    messagesPerSecond: integer('Messages per second, over time.', {
      default: 200_000,
      min: 1,
      max: 100_000_000,
      unit: 'messages',
    }),
    burst: integer('Messages that may come at once.', {
      default: 400_000,
      min: 1,
      max: 100_000_000,
      unit: 'messages',
    }),
    bytesPerSecond: integer('Payload bytes per second, over time.', {
      default: 1024 * mib,
      min: kib,
      max: 2 ** 40,
      unit: 'bytes',
    }),
  }),
  log: group('What is written down and where.', {
    level: choice('The least important events that are written.', {
      choices: ['trace', 'debug', 'info', 'warn', 'error'],
      default: 'info',
    }),
    format: choice('One JSON object per line, or lines for people.', {
      choices: ['json', 'pretty'],
      default: 'json',
    }),
    file: text('File to write to instead of the standard output.', {
      default: undefined,
      form: pathForm,
    }),
    maxBytes: integer('Size at which the file is rotated.', {
      default: 10 * mib,
      min: 4 * kib,
      max: 1024 * mib,
      unit: 'bytes',
    }),
    maxFiles: integer('Files kept, the current one included.', {
      default: 5,
      min: 1,
      max: 1000,
      unit: 'files',
    }),
  }),
  shutdown: group('The end of the process.', {
    drainMs: integer('Time to finish what has begun.', milliseconds(10 * second, 0, hour)),
  }),
})

/** Every setting with its value, checked. */
export type Configuration = ValueOf<typeof settings>

/** What code passes: any part of a configuration. */
export type PartialConfiguration = PartialValueOf<typeof settings>

/** Something that must hold between settings, checked when each of them is right by itself. */
export interface Relation {
  /** The setting that a fault names first, then the others. */
  readonly paths: readonly [string, ...string[]]
  readonly holds: (configuration: Configuration) => boolean
  readonly problem: string
  readonly expected: string
}

export const relations: readonly Relation[] = [
  {
    paths: ['tls.keyFile', 'tls.certificateFile'],
    holds: ({ tls }) => (tls.keyFile === undefined) === (tls.certificateFile === undefined),
    problem: 'and tls.certificateFile belong together, and one is missing',
    expected: 'both files or neither',
  },
  {
    paths: ['limits.handshakesPendingMax', 'limits.sessionsMax'],
    holds: ({ limits }) => limits.handshakesPendingMax <= limits.sessionsMax,
    problem: 'is more than limits.sessionsMax, so some handshakes could never become sessions',
    expected: 'at most limits.sessionsMax',
  },
  {
    paths: ['quic.keepAliveMs', 'quic.idleTimeoutMs'],
    holds: ({ quic }) => quic.keepAliveMs < quic.idleTimeoutMs,
    problem: 'is not less than quic.idleTimeoutMs, so idle connections would end',
    expected: 'less than quic.idleTimeoutMs',
  },
  {
    paths: ['pool.sessionsMin', 'pool.sessionsMax'],
    holds: ({ pool }) => pool.sessionsMin <= pool.sessionsMax,
    problem: 'is more than pool.sessionsMax, so it could never be reached',
    expected: 'at most pool.sessionsMax',
  },
  {
    paths: ['rates.bytesPerSecond', 'limits.messageBytesMax'],
    holds: ({ limits, rates }) => rates.bytesPerSecond >= limits.messageBytesMax,
    problem: 'is less than limits.messageBytesMax, so the largest messages could never pass',
    expected: 'at least limits.messageBytesMax',
  },
]
