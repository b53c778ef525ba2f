/**
 * The composition root of Myelin: agents, their configuration and their logs.
 *
 * ```ts
 * import { createAgent } from '@myelin/node'
 *
 * await using alice = await createAgent({ name: 'alice', listen: ['/ip4/127.0.0.1/tcp/0'] })
 * await using bob = await createAgent({ name: 'bob' })
 * alice.handle('echo', ({ payload, from }) => {
 *   console.log(`${payload.length} bytes from ${from}`)
 *   return payload
 * })
 *
 * await bob.join(await alice.issueJoinToken())
 * const answer = await bob.request(alice.id, 'echo', new Uint8Array([1, 2, 3]))
 * console.log(answer.payload)
 * ```
 */
export {
  type ConfigurationFile,
  type ConfigurationSources,
  environmentName,
  type LoadedConfiguration,
  loadConfiguration,
} from './config.ts'
export {
  type ConfigurationFault,
  describeFault,
  describeOrigin,
  nearestName,
  type Origin,
} from './config-faults.ts'
export { type ReadConfigurationFile, readConfigurationFile } from './config-file.ts'
export { parseJson } from './config-json.ts'
export {
  formatSettingValue,
  type SettingRow,
  settingRows,
  settingsTable,
} from './config-reference.ts'
export type { Configuration, PartialConfiguration } from './config-settings.ts'
export type { SyntaxFault, SyntaxFaultCode, SyntaxResult } from './config-syntax.ts'
export { parseToml, type TomlOptions } from './config-toml.ts'
export { parseYaml } from './config-yaml.ts'
export {
  type ControlServer,
  localControl,
  type ServeControlOptions,
  serveControl,
} from './control.ts'
export { controlAddress } from './control-address.ts'
export { type Control, connectControl } from './control-client.ts'
export { type ControlParts, registerBytes } from './control-methods.ts'
export type {
  ControlInvitation,
  ControlMessage,
  ControlMethod,
  ControlMethods,
  ControlPeer,
  ControlStatus,
  ControlTrust,
} from './control-protocol.ts'
export {
  type CreateAgentOptions,
  createAgent,
  type JoinOptions,
  type JoinTokenOptions,
  type NodeAgent,
  type TrustedPeer,
} from './create-agent.ts'
export { type Daemon, type DaemonOptions, startDaemon } from './daemon.ts'
export { NodeError, type NodeErrorCode } from './errors.ts'
export { type Home, type HomeOptions, keyFileName, openHome } from './home.ts'
export { createLogger, type LoggerOptions } from './log.ts'
export { type RotatingFile, type RotatingFileOptions, rotatingFile } from './log-file.ts'
export {
  type ConfiguredLogger,
  configureLogger,
  type LogStreams,
} from './log-setup.ts'
export { type LogSink, type LogStream, streamSink, wantsColour } from './log-sink.ts'
export { PeerKeeper, type PeerKeeperParts } from './peer-keeper.ts'
export { PeerMemory, type RememberedPeer } from './peer-memory.ts'
export {
  type AgentWorkerModule,
  type AgentWorkers,
  type AgentWorkersOptions,
  startAgentWorkers,
  type WorkerPlace,
} from './workers/agent-workers.ts'
