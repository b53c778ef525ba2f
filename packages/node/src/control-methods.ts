// What the methods of the control endpoint do. They run beside the agent: in the daemon behind its socket, or
// in a command that has opened the home itself for one call.

import {
  base64urlDecode,
  base64urlEncode,
  type Clock,
  emptyBytes,
  ok,
  withDeadline,
} from '@myelin/base'
import type { PeerInfo } from '@myelin/fabric'
import { decodeJoinToken, type TrustEntry } from '@myelin/identity'
import { splitPeer } from '@myelin/transport'
import type {
  ControlMessage,
  ControlMethod,
  ControlMethods,
  ControlPeer,
} from './control-protocol.ts'
import {
  parameterFault,
  parsePeer,
  peerFault,
  quoted,
  requireAddress,
  requireName,
  requireRoles,
  targetOf,
} from './control-targets.ts'
import type { NodeAgent } from './create-agent.ts'
import { NodeError } from './errors.ts'
import type { PeerKeeper } from './peer-keeper.ts'

export interface ControlParts {
  readonly agent: NodeAgent
  readonly clock: Clock
  /** Told of peers that are to stay connected. A command for one call has none. */
  readonly keeper?: PeerKeeper
}

interface CallParts extends ControlParts {
  readonly signal: AbortSignal
}

type Call<Method extends ControlMethod> = (
  params: ControlMethods[Method]['params'],
  parts: CallParts,
) => Promise<ControlMethods[Method]['result']> | ControlMethods[Method]['result']

/** Runs one method whose parameters have been checked. Rejects with what the method throws. */
export async function callControlMethod<Method extends ControlMethod>(
  method: Method,
  params: ControlMethods[Method]['params'],
  parts: CallParts,
): Promise<ControlMethods[Method]['result']> {
  const call: Call<Method> = calls[method]
  return await call(params, parts)
}

const calls: { readonly [Method in ControlMethod]: Call<Method> } = {
  status: (_params, { agent }) => ({
    agent: agent.id,
    name: agent.name,
    pid: process.pid,
    addresses: agent.addresses,
    peers: agent.peers().length,
    traffic: agent.traffic(),
    security: agent.securityLog.counts,
  }),
  peers: (_params, { agent }) => ({
    peers: agent.peers().map(describePeer),
    pool: agent.poolStats(),
  }),
  invite,
  join,
  'trust-list': (_params, { agent }) => ({
    entries: agent.trust.list().map((entry) => {
      const ownName = agent.known(entry.agent)?.name
      return ownName === undefined ? entry : { ...entry, ownName }
    }),
  }),
  'trust-add': trustAdd,
  'trust-remove': trustRemove,
  send,
  request,
  ping: async ({ to, timeoutMs }, parts) => {
    const { agent } = parts
    const target = targetOf(agent, to)
    return await within(parts, { timeoutMs, what: `the ping of ${target}` }, async (signal) => {
      await agent.connect(target, { signal })
      return { agent: target, roundTripMs: await agent.ping(target) }
    })
  },
}

async function invite(
  { roles = ['member'], lifetimeMs, addresses }: ControlMethods['invite']['params'],
  { agent }: CallParts,
): Promise<ControlMethods['invite']['result']> {
  requireRoles(agent, roles)
  for (const address of addresses ?? []) requireAddress(address)
  if ((addresses ?? agent.addresses).length === 0) {
    const mend = 'set listen, or name the address that the joiner is to dial'
    throw new NodeError('NODE_JOIN', `a join token needs an address of this agent: ${mend}`, {
      kind: 'usage',
    })
  }
  const token = await agent.issueJoinToken({ roles, lifetimeMs, addresses })
  const decoded = decodeJoinToken(token)
  if (!decoded.ok) throw new NodeError('NODE_JOIN', `the token is unreadable: ${decoded.fault}`)
  const { expiresMs, addresses: contained } = decoded.value
  return { token, roles, addresses: contained, expiresMs }
}

async function join(
  { token, roles = ['member'], timeoutMs }: ControlMethods['join']['params'],
  parts: CallParts,
): Promise<ControlPeer> {
  const { agent, keeper } = parts
  requireRoles(agent, roles)
  const decoded = decodeJoinToken(token)
  if (!decoded.ok)
    throw parameterFault(`the join token cannot be read (${decoded.fault}); copy it whole`)
  return await within(parts, { timeoutMs, what: 'joining' }, async (signal) => {
    const issuer = await agent.join(token, { roles, signal })
    keeper?.keep(issuer)
    return describePeer(await agent.connect(issuer, { signal }))
  })
}

async function trustAdd(
  { agent: written, name, roles }: ControlMethods['trust-add']['params'],
  { agent, clock }: CallParts,
): Promise<TrustEntry> {
  const { id, address } = parsePeer(written)
  if (id === agent.id) throw peerFault(`${id} is this agent itself; name another`)
  const old = agent.trust.get(id)
  requireRoles(agent, roles ?? [])
  if (name !== undefined) requireName(agent, name, id)
  const kept = name ?? old?.name
  const entry: TrustEntry = {
    agent: id,
    ...(kept === undefined ? {} : { name: kept }),
    roles: roles ?? old?.roles ?? ['member'],
    source: 'manual',
    addedMs: clock.wallMs(),
  }
  await agent.trust.add(entry)
  if (address !== undefined) {
    agent.learn({ agent: id, addresses: [address] })
    const known = agent.known(id)
    if (known !== undefined) await agent.memory.remember(known)
  }
  return entry
}

async function trustRemove(
  { agent: written }: ControlMethods['trust-remove']['params'],
  { agent, keeper }: CallParts,
): Promise<ControlMethods['trust-remove']['result']> {
  const entry = agent.trust.list().find(({ agent: id, name }) => [id, name].includes(written))
  if (entry === undefined) {
    throw peerFault(`no trusted agent is ${quoted(written)}; see them with: myelin trust list`)
  }
  const target = entry.agent
  keeper?.drop(target)
  await agent.trust.remove(target)
  await agent.memory.forget(target)
  await agent.disconnect(target)
  const { peers } = agent.configuration
  const isConfigured = peers.some((address) => splitPeer(address).peer === target)
  return { entry, isConfigured }
}

async function send(
  { delivery, ...message }: ControlMethods['send']['params'],
  parts: CallParts,
): Promise<ControlMethods['send']['result']> {
  const { agent } = parts
  const { type, timeoutMs } = message
  const target = targetOf(agent, message.to)
  const payload = payloadOf(agent, message)
  return await within(parts, { timeoutMs, what: `the way to ${target}` }, async (signal) => {
    const { name } = await agent.connect(target, { signal })
    await agent.send(target, type, payload.value, { signal, delivery })
    // Records arrive in their order: with the pong, the message is with the peer.
    if (delivery !== 'at-least-once') await agent.ping(target)
    return { agent: target, name, bytes: payload.bytes.length }
  })
}

async function request(
  message: ControlMethods['request']['params'],
  parts: CallParts,
): Promise<ControlMethods['request']['result']> {
  const { agent, clock } = parts
  const { type, timeoutMs = agent.configuration.request.timeoutMs } = message
  const target = targetOf(agent, message.to)
  const { value } = payloadOf(agent, message)
  const startMs = clock.monotonicMs()
  await within(parts, { timeoutMs, what: `the way to ${target}` }, (signal) =>
    agent.connect(target, { signal }),
  )
  const leftMs = Math.max(1, Math.ceil(timeoutMs - (clock.monotonicMs() - startMs)))
  const { signal } = parts
  const answer = await agent.request(target, type, value, { timeoutMs: leftMs, signal })
  const bytes = agent.types.get(answer.type)?.encode(answer.payload) ?? emptyBytes
  return { from: answer.from, type: answer.type, payload: base64urlEncode(bytes) }
}

interface Payload {
  readonly bytes: Uint8Array
  readonly value: unknown
}

function payloadOf(agent: NodeAgent, { type, payload, isCustom = false }: ControlMessage): Payload {
  const bytes = base64urlDecode(payload)
  if (bytes === undefined) throw parameterFault('payload is not base64url')
  if (isCustom) registerBytes(agent, type)
  // An unregistered type is refused by the agent, which says how to add one.
  const decoded = agent.types.get(type)?.decode(bytes) ?? ok(bytes)
  if (decoded.ok) return { bytes, value: decoded.value }
  throw parameterFault(`the payload does not fit type "${type}": ${decoded.fault}`)
}

/** Makes a type known whose payload is bytes that nobody looks at. One that is known stays as it is. */
export function registerBytes(agent: Pick<NodeAgent, 'types'>, type: string): void {
  if (agent.types.get(type) !== undefined) return
  agent.types.register<Uint8Array>({ name: type, encode: (bytes) => bytes, decode: ok })
}

function describePeer(info: PeerInfo): ControlPeer {
  const { agent, name, roles, direction, transport, remoteAddress, security, stats } = info
  const { messagesSent, messagesReceived, bytesSent, bytesReceived } = stats
  const counters = { messagesSent, messagesReceived, bytesSent, bytesReceived }
  return { agent, name, roles, direction, transport, remoteAddress, security, ...counters }
}

interface Limit {
  readonly timeoutMs: number | undefined
  readonly what: string
}

/** Work that ends at its deadline or at the caller's signal, and is told so. */
async function within<Value>(
  { agent, clock, signal }: CallParts,
  { timeoutMs = agent.configuration.request.timeoutMs, what }: Limit,
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const stop = new AbortController()
  try {
    const running = work(AbortSignal.any([signal, stop.signal]))
    return await withDeadline(running, { clock, timeoutMs, signal, what })
  } finally {
    stop.abort()
  }
}
