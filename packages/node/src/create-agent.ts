// The composition root of one agent: wires identity, session, guard, transport and fabric by a configuration.

import {
  type Clock,
  describeError,
  type Logger,
  type Random,
  type Store,
  silentLogger,
} from '@myelin/base'
import { systemClock, systemRandom } from '@myelin/base/system'
import {
  type Agent,
  type DeliveryStats,
  type DispatchCounts,
  Fabric,
  type KnownPeer,
  type PeerTarget,
} from '@myelin/fabric'
import { defaultPolicy, Guard, type Policy, SecurityLog } from '@myelin/guard'
import {
  type AgentId,
  decodeJoinToken,
  type JoinTokenBook,
  type PeerRecord,
  parseAgentId,
  type TrustStore,
} from '@myelin/identity'
import type { Resumptions } from '@myelin/session'
import {
  type DatagramTransport,
  type StreamTransport,
  splitPeer,
  transports,
} from '@myelin/transport'
import { builtInMessageTypes } from '@myelin/wire'
import { environmentOf } from './agent-environment.ts'
import { agentDatagrams, agentTransports, type TlsMaterial } from './agent-transports.ts'
import { loadConfiguration } from './config.ts'
import { describeFault } from './config-faults.ts'
import type { Configuration, PartialConfiguration } from './config-settings.ts'
import { NodeError } from './errors.ts'
import { type Home, openHome } from './home.ts'
import { PeerMemory } from './peer-memory.ts'

/** An agent to trust from the start. */
export interface TrustedPeer {
  readonly agent: AgentId
  readonly name?: string
  /** `member` by default: may send and receive everything. */
  readonly roles?: readonly string[]
}

export interface CreateAgentOptions extends PartialConfiguration {
  readonly passphrase?: string | undefined
  /** Written to the trust store, beside what it holds. */
  readonly trust?: readonly TrustedPeer[]
  /** Roles and what they allow, instead of the default ones. */
  readonly policy?: Policy | undefined
  readonly logger?: Logger
  readonly clock?: Clock
  readonly random?: Random
  /** Where the agent keeps its keys and its trust, instead of the folder `home`. */
  readonly store?: Store
  /** The settings of TLS, with key and certificates as PEM or as files. */
  readonly tls?: PartialConfiguration['tls'] & TlsMaterial
  /** Further transports, asked before the built-in ones (memory, tcp, ipc, shm, tls, quic, websocket). */
  readonly transports?: readonly StreamTransport[]
  /** Carries datagrams instead of UDP. */
  readonly datagramTransport?: DatagramTransport
  /** Called before the first door opens: handlers that are added here miss no message. */
  readonly prepare?: (agent: NodeAgent) => void
}

export interface JoinTokenOptions {
  /** What the joiner may do; `member` by default. */
  readonly roles?: readonly string[]
  /** One day by default. */
  readonly lifetimeMs?: number | undefined
  /** Where the joiner finds us, instead of the addresses on which we listen. */
  readonly addresses?: readonly string[] | undefined
}

export interface JoinOptions {
  /** What the issuer may do here; `member` by default. */
  readonly roles?: readonly string[]
  readonly signal?: AbortSignal | undefined
}

/** An agent with what this process keeps for it. */
export interface NodeAgent extends Agent {
  readonly configuration: Configuration
  readonly trust: TrustStore
  readonly securityLog: SecurityLog
  /** Where peers were when we last talked to them. */
  readonly memory: PeerMemory
  /** Roles that the policy knows. */
  readonly roleNames: readonly string[]
  /** Messages by what became of them. */
  readonly counts: Readonly<DispatchCounts>
  /** Acknowledged messages that wait for their peer, and those that have come in. */
  readonly deliveryCounts: DeliveryStats
  /** What we say of ourselves, signed, with our addresses. */
  record(): PeerRecord
  /** Makes a join token that is good for one agent. */
  issueJoinToken(options?: JoinTokenOptions): Promise<string>
  /**
   * Enters the swarm of a token's issuer: trusts it in `roles` (`member` by default), connects, and stays
   * trusted there. Throws `NODE_JOIN` for a malformed token. Where joining fails, nobody is trusted.
   */
  join(token: string, options?: JoinOptions): Promise<AgentId>
  /** Tells where a peer is, without connecting. */
  learn(peer: KnownPeer): void
  /** What is known of where a peer is. */
  known(agent: AgentId): KnownPeer | undefined
  /** The agent that a target means. Throws `FABRIC_PEER_UNKNOWN`. */
  resolve(to: PeerTarget): AgentId
}

/**
 * Creates an agent and opens its doors. Without `home` its keys live as long as the process. Throws
 * `NODE_CONFIGURATION` with all faults at once.
 */
export async function createAgent(options: CreateAgentOptions = {}): Promise<NodeAgent> {
  const {
    passphrase,
    trust = [],
    policy,
    logger = silentLogger,
    clock = systemClock,
    random = systemRandom,
  } = options
  const { configuration, material } = configurationOf(options)
  const builtIn = await agentTransports({ configuration, material, logger })
  const home = await openHome({
    path: configuration.home,
    passphrase,
    random,
    store: options.store,
  })
  const peerMemory = await PeerMemory.open(home.store)
  await addTrust(home, trust, configuration.peers, clock)
  const log = new SecurityLog(clock, logger)
  const environment = environmentOf({
    configuration,
    home,
    clock,
    random,
    logger,
    log,
    addresses: () => agent.addresses,
  })
  const { sessionsMax, handshakesPendingMax } = configuration.limits
  const { circuitFailuresMax, circuitOpenMs, ...pool } = configuration.pool
  const { messagesPerSecond, burst, bytesPerSecond } = configuration.rates
  const rates = {
    messagesPerSecond,
    messagesBurst: burst,
    bytesPerSecond,
    bytesBurst: bytesPerSecond,
  }
  const agent: ConfiguredAgent = new ConfiguredAgent(
    {
      name: configuration.name,
      environment,
      guard: new Guard({ clock, log, policy, rates }),
      log,
      types: builtInMessageTypes(),
      transport: transports([...(options.transports ?? []), ...builtIn]),
      sessionsMax,
      handshakesPendingMax,
      datagramTransport: options.datagramTransport ?? agentDatagrams(configuration, logger),
      datagramBytesMax: configuration.udp.datagramBytesMax,
      pool,
      circuits: { failuresMax: circuitFailuresMax, openMs: circuitOpenMs },
      delivery: configuration.delivery,
    },
    {
      configuration,
      home,
      memory: peerMemory,
      roleNames: Object.keys(policy ?? defaultPolicy),
      log,
      clock,
      random,
      record: environment.record,
      resumptions: environment.resumptions,
    },
  )
  endSessionsOfUntrusted(agent)
  try {
    for (const peer of peerMemory.list()) agent.learn(peer)
    rememberPeers(agent, logger)
    options.prepare?.(agent)
    for (const address of configuration.listen) await agent.listen(address)
    for (const peer of configuration.peers) learnAddress(agent, peer)
  } catch (error) {
    await agent.close({ drainMs: 0 })
    throw error
  }
  return agent
}

/** Trust and roles are read while a session begins: one that has outlived them ends. */
function endSessionsOfUntrusted(agent: NodeAgent): void {
  const check = (id: AgentId, had: readonly string[]) => {
    const roles = agent.trust.get(id)?.roles
    if (roles === undefined || !isSameSet(roles, had)) void agent.disconnect(id)
  }
  agent.trust.watch((id, before) => {
    if (before !== undefined) check(id, before.roles)
  })
  // They may have changed between the decision and the session.
  agent.watchPeers((event) => {
    if (event.kind === 'connected') check(event.peer.agent, event.peer.roles)
  })
}

function isSameSet(one: readonly string[], other: readonly string[]): boolean {
  return one.every((item) => other.includes(item)) && other.every((item) => one.includes(item))
}

interface AgentState {
  readonly configuration: Configuration
  readonly home: Home
  readonly memory: PeerMemory
  readonly roleNames: readonly string[]
  readonly log: SecurityLog
  readonly clock: Clock
  readonly random: Random
  readonly resumptions: Resumptions | undefined
  record(): PeerRecord
}

class ConfiguredAgent extends Fabric implements NodeAgent {
  readonly #state: AgentState

  constructor(parts: ConstructorParameters<typeof Fabric>[0], state: AgentState) {
    super(parts)
    this.#state = state
  }

  get configuration(): Configuration {
    return this.#state.configuration
  }

  get trust(): TrustStore {
    return this.#state.home.trust
  }

  get securityLog(): SecurityLog {
    return this.#state.log
  }

  get memory(): PeerMemory {
    return this.#state.memory
  }

  get roleNames(): readonly string[] {
    return this.#state.roleNames
  }

  record(): PeerRecord {
    return this.#state.record()
  }

  override async close(options?: { readonly drainMs?: number }): Promise<void> {
    await super.close(options)
    this.#state.resumptions?.clear()
    await this.#state.memory.settled()
  }

  issueJoinToken(options: JoinTokenOptions = {}): Promise<string> {
    const { roles = ['member'], lifetimeMs, addresses: given = this.addresses } = options
    const { home, clock, random } = this.#state
    const tokens: JoinTokenBook = home.tokens
    const addresses = given.map((address) => splitPeer(address).address)
    const staticKey = home.keys.staticKey.publicKey
    const lifetime = lifetimeMs === undefined ? {} : { lifetimeMs }
    return tokens.issue({
      issuer: this.id,
      staticKey,
      addresses,
      roles,
      nowMs: clock.wallMs(),
      random,
      ...lifetime,
    })
  }

  async join(text: string, { roles = ['member'], signal }: JoinOptions = {}): Promise<AgentId> {
    const { home, clock } = this.#state
    const decoded = decodeJoinToken(text.trim())
    if (!decoded.ok) {
      throw new NodeError(
        'NODE_JOIN',
        `the join token cannot be read (${decoded.fault}); copy it whole`,
        { kind: 'usage' },
      )
    }
    const { issuer, staticKey, expiresMs, secret, addresses } = decoded.value
    if (clock.wallMs() >= expiresMs) {
      throw new NodeError('NODE_JOIN', 'the join token has expired; ask for a new one', {
        kind: 'usage',
      })
    }
    const before = home.trust.get(issuer)
    const named = before?.name === undefined ? {} : { name: before.name }
    const addedMs = clock.wallMs()
    await home.trust.add({ agent: issuer, ...named, roles, source: 'token', addedMs })
    this.learn({ agent: issuer, addresses, staticKey })
    try {
      await this.connect(issuer, { token: secret, signal })
    } catch (error) {
      if (before === undefined) await home.trust.remove(issuer)
      else await home.trust.add(before)
      throw error
    }
    await this.memory.remember(this.known(issuer) ?? { agent: issuer, addresses }, {
      isJoined: true,
    })
    return issuer
  }
}

function configurationOf(options: CreateAgentOptions): {
  readonly configuration: Configuration
  readonly material: TlsMaterial
} {
  const { passphrase, trust, policy, logger, clock, random, ...rest } = options
  const { transports: others, datagramTransport, prepare, store, tls = {}, ...code } = rest
  const { key, cert, ca, ...settings } = tls
  const loaded = loadConfiguration({ code: { ...code, tls: settings } })
  if (!loaded.ok) {
    const faults = loaded.faults.map((fault) => describeFault(fault)).join('; ')
    const message = `the options have faults: ${faults}`
    throw new NodeError('NODE_CONFIGURATION', message, { kind: 'usage' })
  }
  const material = {
    ...(key === undefined ? {} : { key }),
    ...(cert === undefined ? {} : { cert }),
    ...(ca === undefined ? {} : { ca }),
  }
  return { configuration: loaded.value, material }
}

async function addTrust(
  home: Home,
  trusted: readonly TrustedPeer[],
  peers: readonly string[],
  clock: Clock,
): Promise<void> {
  const addedMs = clock.wallMs()
  for (const { agent, name, roles = ['member'] } of trusted) {
    const named = name === undefined ? {} : { name }
    await home.trust.add({ agent, ...named, roles, source: 'manual', addedMs })
  }
  for (const address of peers) {
    const parsed = parseAgentId(splitPeer(address).peer ?? '')
    if (!parsed.ok || home.trust.get(parsed.value) !== undefined) continue
    await home.trust.add({
      agent: parsed.value,
      roles: ['member'],
      source: 'configuration',
      addedMs,
    })
  }
}

/** A session proves its peer, so its record says where it will be found again. */
function rememberPeers(agent: NodeAgent, logger: Logger): void {
  agent.watchPeers((event) => {
    if (event.kind !== 'connected') return
    const { agent: id, name } = event.peer
    const known = agent.known(id)
    if (known === undefined || agent.trust.get(id) === undefined) return
    agent.memory.remember({ ...known, name: name === '' ? known.name : name }).catch((error) => {
      logger.log('warn', 'peer-memory-failed', { agent: id, reason: describeError(error) })
    })
  })
}

function learnAddress(agent: Fabric, text: string): void {
  const { address, peer } = splitPeer(text)
  const parsed = parseAgentId(peer ?? '')
  if (!parsed.ok) {
    throw new NodeError('NODE_CONFIGURATION', `${text} does not end in /p2p/<agent id>`, {
      kind: 'usage',
    })
  }
  agent.learn({ agent: parsed.value, addresses: [address] })
}
