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
    windowBytes: integer('Bytes per session that a peer may send before they are handled.', {
      default: 4 * mib,
      min: 256 * kib,
      max: 1024 * mib,
      unit: 'bytes',
    }),
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
      default: ['aes-256-gcm', 'chacha20-poly1305'],
      choices: ['aes-256-gcm', 'chacha20-poly1305'],
    }),
    cipherOrder: choice('Prefer the cipher that this machine does faster, or the first listed.', {
      choices: ['measured', 'listed'],
      default: 'measured',
    }),
    requireHybrid: flag('Refuse sessions without the post-quantum key exchange.', {
      default: true,
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
    paths: ['rates.bytesPerSecond', 'limits.messageBytesMax'],
    holds: ({ limits, rates }) => rates.bytesPerSecond >= limits.messageBytesMax,
    problem: 'is less than limits.messageBytesMax, so the largest messages could never pass',
    expected: 'at least limits.messageBytesMax',
  },
]
