// The errors of sessions. The codes are local; what crosses the wire is the small number beside each.

import { type ErrorDetails, MyelinError } from '@myelin/base'

/** Total: a new code does not compile until it has its number. 0 marks codes that are never sent. */
export const closeCodes = {
  /** The session ended as its owner wished. */
  SESSION_CLOSED: 1,
  /** The peer is shutting down; try again later or elsewhere. */
  SESSION_GOING_AWAY: 2,
  /** The peer sent something that no correct peer sends. */
  SESSION_PROTOCOL: 3,
  /** A record did not open: altered, replayed or reordered on the way. */
  SESSION_RECORD_OPEN: 4,
  /** Nothing was heard from the peer for too long. */
  SESSION_PEER_DEAD: 5,
  SESSION_FLOW_CONTROL: 6,
  SESSION_MESSAGE_TOO_LARGE: 7,
  SESSION_INTERNAL: 8,

  SESSION_HANDSHAKE_MALFORMED: 16,
  /** A handshake message did not open: altered on the way, or meant for another key. */
  SESSION_HANDSHAKE_DECRYPT: 17,
  SESSION_HANDSHAKE_TIMEOUT: 18,
  /** The peer offered a handshake without the post-quantum part. */
  SESSION_HYBRID_REQUIRED: 19,
  SESSION_VERSION: 20,
  SESSION_SUITE: 21,
  SESSION_TIMESTAMP: 22,
  SESSION_NONCE_REPEATED: 23,
  /** We met ourselves: our own handshake came back. */
  SESSION_REFLECTED: 24,
  SESSION_WRONG_AGENT: 25,
  SESSION_PEER_RECORD: 26,
  SESSION_PEER_RECORD_EXPIRED: 27,
  /** The peer record names another static key than the handshake proved. */
  SESSION_STATIC_KEY: 28,
  SESSION_CHALLENGE: 29,
  SESSION_NOT_TRUSTED: 30,
  SESSION_TOKEN_UNKNOWN: 31,
  SESSION_TOKEN_EXPIRED: 32,
  SESSION_BUSY: 33,

  /** The connection under the session is gone. */
  SESSION_LOST: 0,
  SESSION_REQUEST_TIMEOUT: 0,
  SESSION_REQUEST_FAILED: 0,
  SESSION_REQUESTS_FULL: 0,
  SESSION_QUEUE_FULL: 0,
  SESSION_STREAM_RESET: 0,
  SESSION_STREAM_STATE: 0,
  SESSION_STREAMS_FULL: 0,
  SESSION_TYPES_FULL: 0,
  SESSION_OPTION: 0,
} as const satisfies Record<string, number>

export type SessionErrorCode = keyof typeof closeCodes

export class SessionError extends MyelinError<SessionErrorCode> {
  /** True where the peer said so in the clear, so that anyone between could have said it. */
  readonly isUnauthenticated: boolean

  constructor(
    code: SessionErrorCode,
    message: string,
    details: ErrorDetails & { readonly isUnauthenticated?: boolean } = {},
  ) {
    super(code, message, details)
    this.isUnauthenticated = details.isUnauthenticated ?? false
  }
}

const codesByNumber: ReadonlyMap<number, SessionErrorCode> = new Map(
  Object.entries(closeCodes)
    .filter(([, number]) => number !== 0)
    .map(([code, number]) => [number, code as SessionErrorCode]),
)

/** The code behind a number from the wire; unknown numbers are protocol errors of some later version. */
export function codeOfNumber(number: number): SessionErrorCode {
  return codesByNumber.get(number) ?? 'SESSION_PROTOCOL'
}

/** What each refusal means, for whoever reads the log: the fault, and the mend where there is one. */
export const explanations: Readonly<Partial<Record<SessionErrorCode, string>>> = {
  SESSION_CLOSED: 'the session was closed',
  SESSION_GOING_AWAY: 'the peer is shutting down; connect again later',
  SESSION_PROTOCOL: 'the peer broke the protocol',
  SESSION_RECORD_OPEN: 'a record was altered, replayed or reordered on the way',
  SESSION_PEER_DEAD: 'the peer has not answered for too long',
  SESSION_FLOW_CONTROL: 'the peer sent more than it was granted',
  SESSION_MESSAGE_TOO_LARGE:
    'a message exceeds the receiver’s limit; raise limits.messageBytesMax there or send a stream',
  SESSION_INTERNAL: 'the peer failed inside',
  SESSION_HANDSHAKE_MALFORMED:
    'a handshake message is malformed; the peer may speak another protocol',
  SESSION_HANDSHAKE_DECRYPT:
    'a handshake message was altered on the way or meant for another key; fetch the peer’s current record',
  SESSION_HANDSHAKE_TIMEOUT: 'the handshake was not completed in time',
  SESSION_HYBRID_REQUIRED: 'the handshake lacks its post-quantum part and this agent requires it',
  SESSION_VERSION: 'no protocol version in common; update the older side',
  SESSION_SUITE: 'no cipher suite in common; compare session.ciphers of both sides',
  SESSION_TIMESTAMP:
    'the clocks differ too much; set them by NTP or raise session.timestampWindowMs',
  SESSION_NONCE_REPEATED: 'this handshake has been seen before: a replay',
  SESSION_REFLECTED: 'our own handshake came back to us; the address leads to this agent itself',
  SESSION_WRONG_AGENT: 'another agent answered than the one that was called',
  SESSION_PEER_RECORD: 'the peer record is malformed or its signature is wrong',
  SESSION_PEER_RECORD_EXPIRED: 'the peer record has expired; its owner must issue a new one',
  SESSION_STATIC_KEY: 'the peer record belongs to another static key: somebody stands in between',
  SESSION_CHALLENGE: 'the peer did not answer the challenge',
  SESSION_NOT_TRUSTED:
    'the peer does not trust this agent; add it to the trust store or use a join token',
  SESSION_TOKEN_UNKNOWN: 'the join token is unknown or has been used',
  SESSION_TOKEN_EXPIRED: 'the join token has expired; ask for a new one',
  SESSION_BUSY: 'the peer has no room for another session; try again later',
  SESSION_LOST: 'the connection was lost',
}

/** An error for a code that came from the peer or concerns it. */
export function refusal(
  code: SessionErrorCode,
  details: ErrorDetails & { readonly isUnauthenticated?: boolean; readonly detail?: string } = {},
): SessionError {
  const explanation = explanations[code] ?? 'the session ended'
  const message =
    details.detail === undefined || details.detail === ''
      ? explanation
      : `${explanation} (${details.detail})`
  return new SessionError(code, message, details)
}
