// Calls of an agent: through its daemon where one runs, else by opening its home for this one call.

import { MyelinError } from '@myelin/base'
import type { Control, ControlMethod, ControlMethods } from '@myelin/node'
import type { AgentSettings } from './agent-home.ts'
import { usageError } from './errors.ts'

export interface AgentControl extends AsyncDisposable {
  /** False: the home was opened for this command alone. */
  readonly isDaemon: boolean
  /** A parameter that can never be right becomes a `CLI_USAGE`: it stood on the command line. */
  call<Method extends ControlMethod>(
    method: Method,
    params: ControlMethods[Method]['params'],
    signal?: AbortSignal,
  ): Promise<ControlMethods[Method]['result']>
}

/** The daemon of the home. Throws `NODE_DAEMON_ABSENT` where none runs. */
export async function openDaemonControl({ home }: AgentSettings): Promise<AgentControl> {
  const { connectControl } = await import('@myelin/node')
  return wrap(await connectControl(home), true, async () => {})
}

/** The daemon of the home, or the home itself. */
export async function openAgentControl(settings: AgentSettings): Promise<AgentControl> {
  const { createAgent, localControl } = await import('@myelin/node')
  try {
    return await openDaemonControl(settings)
  } catch (error) {
    if (!(error instanceof MyelinError) || error.code !== 'NODE_DAEMON_ABSENT') throw error
  }
  const { systemClock } = await import('@myelin/base/system')
  const { configuration, home, passphrase } = settings
  // Nobody is to find us: this agent lives for one call.
  const agent = await createAgent({ ...configuration, listen: [], home, passphrase })
  return wrap(localControl({ agent, clock: systemClock }), false, () => agent.close())
}

function wrap(control: Control, isDaemon: boolean, close: () => Promise<void>): AgentControl {
  return {
    isDaemon,
    call: async (method, params, signal) => {
      try {
        return await control.call(method, params, { signal })
      } catch (error) {
        const isParameter = error instanceof MyelinError && error.code === 'NODE_CONTROL'
        throw isParameter && error.kind === 'usage' ? usageError(error.message) : error
      }
    },
    [Symbol.asyncDispose]: async () => {
      await control[Symbol.asyncDispose]()
      await close()
    },
  }
}
