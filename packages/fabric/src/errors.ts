// The errors of fabric, and the numbers by which a peer is told that its request failed.

import { MyelinError } from '@myelin/base'

export type FabricErrorCode =
  | 'FABRIC_CLOSED'
  | 'FABRIC_PEER_UNKNOWN'
  | 'FABRIC_UNREACHABLE'
  /** Attempts at the peer have failed again and again; none is made for a while. */
  | 'FABRIC_CIRCUIT_OPEN'
  | 'FABRIC_TYPE_UNKNOWN'
  | 'FABRIC_TYPES_FULL'
  | 'FABRIC_PAYLOAD'
  | 'FABRIC_FORBIDDEN'
  | 'FABRIC_RATE_LIMITED'
  | 'FABRIC_HANDLER_EXISTS'
  | 'FABRIC_HANDLER_FAILED'
  | 'FABRIC_HANDLER_REFUSED'
  | 'FABRIC_NO_HANDLER'
  | 'FABRIC_TASK'
  /** All sessions of the pool are in use, and too many attempts wait already. */
  | 'FABRIC_POOL_FULL'
  | 'FABRIC_POOL_TIMEOUT'
  | 'FABRIC_KEPT_FULL'
  /** Too much waits for the acknowledgement of a peer. */
  | 'FABRIC_OUTBOX_FULL'
  | 'FABRIC_DELIVERY_TIMEOUT'
  | 'FABRIC_OPTION'
  /** Datagrams need a UDP address to listen on, here and at the peer. */
  | 'FABRIC_NO_DATAGRAMS'
  | 'FABRIC_DATAGRAM_TOO_LARGE'
  /** Too many channels or groups of datagrams. */
  | 'FABRIC_CHANNELS_FULL'

export class FabricError extends MyelinError<FabricErrorCode> {}

/** Why a request failed at the peer, as it crosses the wire. Total over what a peer may be told. */
export const failureNumbers = {
  FABRIC_HANDLER_FAILED: 1,
  FABRIC_NO_HANDLER: 2,
  FABRIC_FORBIDDEN: 3,
  FABRIC_RATE_LIMITED: 4,
  FABRIC_PAYLOAD: 5,
  FABRIC_TYPE_UNKNOWN: 6,
  FABRIC_HANDLER_REFUSED: 7,
} as const satisfies Partial<Record<FabricErrorCode, number>>

export type FailureCode = keyof typeof failureNumbers

const codesByNumber: ReadonlyMap<number, FailureCode> = new Map(
  Object.entries(failureNumbers).map(([code, number]) => [number, code as FailureCode]),
)

export function failureOfNumber(number: number): FailureCode {
  return codesByNumber.get(number) ?? 'FABRIC_HANDLER_FAILED'
}

/**
 * Thrown by a handler to refuse a request with a reason that its sender may read. Any other error of a
 * handler reaches the sender as "the handler failed", and the log in full.
 */
export class Refusal extends FabricError {
  constructor(reason: string) {
    super('FABRIC_HANDLER_REFUSED', reason)
  }
}
