// What comes in over sessions, to whom it belongs: messages for handlers to the dispatcher, what agents say to each
// other below them to whatever keeps their sessions, acknowledgements and datagrams.

import { emptyBytes } from '@myelin/base'
import type { SecurityLog } from '@myelin/guard'
import type { IncomingMessage, SessionHandlers } from '@myelin/session'
import {
  datagramControlTypeName,
  deliveryAckTypeName,
  deliveryTypeName,
  handoverTypeName,
  internalTypes,
} from '@myelin/wire'
import type { Connections } from './connections.ts'
import type { Datagrams } from './datagrams/datagrams.ts'
import { decodeDeliveryAck } from './delivery-codec.ts'
import { type DeliveryReceiver, endBadSession } from './delivery-receiver.ts'
import type { DeliverySender } from './delivery-sender.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { Link } from './links.ts'

export interface IntakeParts {
  readonly log: SecurityLog
  readonly dispatcher: Dispatcher
  readonly sender: DeliverySender
  readonly receiver: DeliveryReceiver
  readonly datagrams: Datagrams
  /** They are made with these handlers. */
  connections(): Connections
}

/** Handlers of all sessions of an agent. Their beginning and end are for `Connections`. */
export function intake(parts: IntakeParts): SessionHandlers {
  const { dispatcher, sender, receiver, connections } = parts
  return {
    message: (message, session) => {
      const link = connections().links.of(session)
      if (link === undefined) message.release()
      else if (internalTypes.has(message.type)) takeInternal(message, link, parts)
      else dispatcher.dispatch(message, session.peer.agent, link.gate)
    },
    stream: (stream, session) => {
      const link = connections().links.of(session)
      if (link === undefined) stream.reset()
      else dispatcher.dispatchStream(stream, session.peer.agent, link.gate)
    },
    drain: (session) => {
      const link = connections().links.of(session)
      if (link === undefined) return
      link.release()
      receiver.drained(session.peer.agent)
      sender.pump(session.peer.agent, link)
    },
    closed: () => {},
  }
}

function takeInternal(message: IncomingMessage, link: Link, parts: IntakeParts): void {
  const { log, sender, receiver, datagrams, connections } = parts
  const { agent } = link.session.peer
  if (message.type === deliveryTypeName && message.kind === 'message') {
    receiver.receive(message, agent, link)
    return
  }
  const isMetered = link.gate.metered(message.type, message.payload.length)
  if (isMetered && message.type === deliveryAckTypeName) {
    const ack = decodeDeliveryAck(message.payload)
    const isKnown = ack.ok && sender.acknowledged(agent, ack.value)
    if (!isKnown) endBadSession(link, log, ack.ok ? 'ack of what was not sent' : ack.fault)
  } else if (isMetered && message.type === datagramControlTypeName) {
    datagrams.message(message, link)
  } else if (isMetered && isHandover(message) && !link.isLeftByPeer) {
    // Where even the answer finds no room, the peer reads nothing, and its session is given up.
    if (answered(message)) connections().leftByPeer(link)
    else endBadSession(link, log, 'a handover whose answer is not read')
  } else endBadSession(link, log, `${message.type} as a ${message.kind}, or too often`)
  message.release()
}

function isHandover({ type, kind }: IncomingMessage): boolean {
  return type === handoverTypeName && kind === 'request'
}

/** A session throws where its peer takes no answer; that must not end what reads the session. */
function answered(message: IncomingMessage): boolean {
  try {
    message.reply(emptyBytes)
    return true
  } catch {
    return false
  }
}
