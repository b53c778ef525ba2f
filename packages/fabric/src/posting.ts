// One message or request on one session: the guard's word first, then the session's.

import { type IncomingMessage, RequestFailure, type RequestOptions } from '@myelin/session'
import type { MessageTypes } from '@myelin/wire'
import type { DeliveryOptions, Received } from './agent.ts'
import { FabricError, failureOfNumber } from './errors.ts'
import { batchBytesMax, batchMessagesMax } from './limits.ts'
import type { Link } from './links.ts'

/** Throws `FABRIC_FORBIDDEN`. */
export function requireAllowed(link: Link, type: string): void {
  if (link.gate.outgoing(type) === 'allowed') return
  const { agent } = link.session.peer
  const roles = link.session.roles.join(', ') || 'no role'
  throw new FabricError(
    'FABRIC_FORBIDDEN',
    `${agent} (${roles}) may not receive "${type}"; change its roles or the policy`,
  )
}

/** False: the session has no room for more. Plain parameters: this runs for every message. */
export function post(
  link: Link,
  type: string,
  bytes: Uint8Array,
  options: DeliveryOptions,
): boolean {
  requireAllowed(link, type)
  return link.session.post(type, bytes, options)
}

/** The link where it has no room for more. */
export function postMany(
  link: Link,
  type: string,
  payloads: readonly Uint8Array[],
  options: DeliveryOptions,
): Link | undefined {
  requireAllowed(link, type)
  return link.session.postMany(type, payloads, options) ? undefined : link
}

/** Cut so that a session with an empty queue takes each whole. */
export function* batchesOf(payloads: readonly Uint8Array[]): Generator<readonly Uint8Array[]> {
  let start = 0
  let bytes = 0
  for (const [i, { length }] of payloads.entries()) {
    if (i > start && (bytes + length > batchBytesMax || i - start >= batchMessagesMax)) {
      yield payloads.slice(start, i)
      start = i
      bytes = 0
    }
    bytes += length
  }
  if (start < payloads.length) yield payloads.slice(start)
}

/** A request on its way. */
export interface Question {
  readonly link: Link
  readonly type: string
  readonly answer: Promise<IncomingMessage>
}

export function ask(
  link: Link,
  type: string,
  bytes: Uint8Array,
  options: DeliveryOptions & RequestOptions,
): Question {
  requireAllowed(link, type)
  return { link, type, answer: link.session.request(type, bytes, options) }
}

/** The answer, decoded by its type. */
export async function answerTo(
  { link, type, answer }: Question,
  types: MessageTypes,
): Promise<Received> {
  try {
    const response = await answer
    const decoded = types.get(response.type)?.decode(response.payload)
    if (decoded?.ok !== true) {
      const fault = decoded?.fault ?? 'its type is not registered'
      throw new FabricError(
        'FABRIC_PAYLOAD',
        `the answer of type ${response.type} cannot be read: ${fault}`,
      )
    }
    const { kind, timestampMs, priority } = response
    const from = link.session.peer.agent
    return { type: response.type, payload: decoded.value, from, kind, timestampMs, priority }
  } catch (error) {
    if (!(error instanceof RequestFailure)) throw error
    const code = failureOfNumber(error.remoteCode)
    throw new FabricError(code, `the peer did not answer "${type}": ${error.remoteMessage}`, {
      cause: error,
      kind: 'recoverable',
    })
  }
}
