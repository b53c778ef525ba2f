// An agent as a service of its own (R144): its doors, its peers, its control socket, its log, and an end in
// order. Signals and exit codes are the affair of the process around it.

import { type Clock, type Logger, MyelinError, type Random } from '@myelin/base'
import { systemClock, systemRandom } from '@myelin/base/system'
import { reply } from '@myelin/fabric'
import { type AgentId, parseAgentId } from '@myelin/identity'
import { splitPeer } from '@myelin/transport'
import type { Configuration } from './config-settings.ts'
import { type ControlServer, daemonRuns, serveControl } from './control.ts'
import { connectControl } from './control-client.ts'
import { createAgent, type NodeAgent } from './create-agent.ts'
import { NodeError } from './errors.ts'
import { PeerKeeper } from './peer-keeper.ts'

export interface DaemonOptions {
  readonly configuration: Configuration
  /** The folder of the agent's keys and state, and of the control socket. */
  readonly home: string
  readonly passphrase?: string | undefined
  readonly logger: Logger
  readonly clock?: Clock
  readonly random?: Random
  /** Called before the first door opens, to add handlers. `echo` and `ping` are answered where it adds none. */
  readonly prepare?: (agent: NodeAgent) => void
}

export interface Daemon extends AsyncDisposable {
  readonly agent: NodeAgent
  readonly control: ControlServer
  /**
   * Lets no one in any more, finishes what has begun within `shutdown.drainMs`, ends the sessions. A second
   * call waits for the first.
   */
  close(): Promise<void>
}

/** Starts it; resolves when its doors are open. Throws `NODE_DAEMON_RUNS` where one lives in this home. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { configuration, home, passphrase, logger } = options
  const { clock = systemClock, random = systemRandom } = options
  await requireFree(home)
  const agent = await createAgent({
    ...configuration,
    home,
    passphrase,
    logger,
    clock,
    random,
    prepare: (created) => {
      options.prepare?.(created)
      answerEchoAndPing(created)
    },
  })
  const keeper = new PeerKeeper({ agent, logger })
  let control: ControlServer
  try {
    control = await serveControl(agent, { home, logger, clock, keeper })
  } catch (error) {
    await agent.close({ drainMs: 0 })
    throw error
  }
  const { id, name, addresses } = agent
  logger.log('info', 'agent-started', { agent: id, name, addresses, pid: process.pid })
  for (const peer of peersToKeep(agent)) keeper.keep(peer)
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= shutDown({ agent, keeper, control, logger })
    return closing
  }
  return { agent, control, close, [Symbol.asyncDispose]: close }
}

interface RunningParts {
  readonly agent: NodeAgent
  readonly keeper: PeerKeeper
  readonly control: ControlServer
  readonly logger: Logger
}

async function shutDown({ agent, keeper, control, logger }: RunningParts): Promise<void> {
  const { drainMs } = agent.configuration.shutdown
  logger.log('info', 'agent-stopping', { agent: agent.id, sessions: agent.peers().length, drainMs })
  keeper.close()
  await agent.close({ drainMs })
  await control.close()
  logger.log('info', 'agent-stopped', { agent: agent.id, ...agent.traffic() })
}

/** The configured peers, and those whose swarm was joined by a token (R040: no others). */
function peersToKeep(agent: NodeAgent): ReadonlySet<AgentId> {
  const configured = agent.configuration.peers.flatMap((address) => {
    const parsed = parseAgentId(splitPeer(address).peer ?? '')
    return parsed.ok ? [parsed.value] : []
  })
  const joined = agent.memory.list().flatMap((peer) => (peer.isJoined ? [peer.agent] : []))
  const isTrusted = (peer: AgentId) => peer !== agent.id && agent.trust.get(peer) !== undefined
  return new Set([...configured, ...joined].filter(isTrusted))
}

function answerEchoAndPing(agent: NodeAgent): void {
  addUnlessThere(() => agent.handle('echo', ({ payload }) => payload))
  addUnlessThere(() => agent.handle('ping', ({ payload }) => reply('pong', payload)))
}

function addUnlessThere(add: () => Disposable): void {
  try {
    add()
  } catch (error) {
    if (!(error instanceof MyelinError) || error.code !== 'FABRIC_HANDLER_EXISTS') throw error
  }
}

/** Before anything of the home is touched; the socket itself decides between two that start at once. */
async function requireFree(home: string): Promise<void> {
  try {
    await using _other = await connectControl(home)
  } catch (error) {
    if (error instanceof NodeError && error.code === 'NODE_DAEMON_ABSENT') return
    throw error
  }
  throw daemonRuns(home)
}
