// What happens to the sessions with peers, for whoever watches, and in the log.

import type { Logger } from '@myelin/base'
import type { PeerEvent, PeerInfo, Traffic } from './agent.ts'
import type { Link } from './links.ts'

type PeerListener = (event: PeerEvent) => void

export class PeerEvents {
  readonly #logger: Logger
  readonly #listeners = new Set<PeerListener>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  watch(listener: PeerListener): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  tell(event: PeerEvent): void {
    this.#log(event)
    for (const listener of this.#listeners) listener(event)
  }

  #log(event: PeerEvent): void {
    const logger = this.#logger
    switch (event.kind) {
      case 'connecting':
        logger.log('debug', 'peer-connecting', { agent: event.agent })
        return
      case 'connected': {
        const { agent, name, direction, transport, security } = event.peer
        const handshakeMs = Math.round(event.handshakeMs * 100) / 100
        const facts = { agent, name, direction, transport, security, handshakeMs }
        logger.log('info', 'peer-connected', facts)
        return
      }
      case 'disconnected': {
        const { agent, code, reason } = event
        logger.log('info', 'peer-disconnected', { agent, code, reason })
        return
      }
      case 'reconnecting': {
        const { agent, attempt, retryMs, code, reason } = event
        if (event.wasConnected) logger.log('info', 'peer-lost', { agent, attempt, retryMs })
        else logger.log('warn', 'peer-unreachable', { agent, attempt, retryMs, code, reason })
        return
      }
      case 'given-up': {
        const { agent, attempt, code, reason } = event
        logger.log('error', 'peer-given-up', { agent, attempt, code, reason })
        return
      }
      case 'unhealthy': {
        const { agent, fault, roundTripMs } = event
        logger.log('warn', 'peer-unhealthy', { agent, fault, roundTripMs })
        return
      }
      case 'circuit-open':
        logger.log('warn', 'circuit-open', { agent: event.agent, forMs: event.forMs })
        return
      case 'circuit-closed':
        logger.log('info', 'circuit-closed', { agent: event.agent })
    }
  }
}

export function infoOf({ session }: Link): PeerInfo {
  const { peer, roles, transport, remoteAddress, agreement, stats } = session
  const pattern = session.isResumed ? `resumed (${session.pattern})` : session.pattern
  return {
    agent: peer.agent,
    name: peer.name,
    roles,
    transport,
    remoteAddress,
    direction: session.isInitiator ? 'out' : 'in',
    security: `${pattern} ${agreement.suite} ${agreement.compression}`,
    stats,
  }
}

export function addTraffic(a: Traffic, b: Traffic): Traffic {
  return {
    messagesSent: a.messagesSent + b.messagesSent,
    messagesReceived: a.messagesReceived + b.messagesReceived,
    bytesSent: a.bytesSent + b.bytesSent,
    bytesReceived: a.bytesReceived + b.bytesReceived,
  }
}
