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
  type CreateAgentOptions,
  createAgent,
  type JoinTokenOptions,
  type NodeAgent,
  type TrustedPeer,
} from './create-agent.ts'
export { NodeError, type NodeErrorCode } from './errors.ts'
export { type Home, type HomeOptions, openHome } from './home.ts'
export { createLogger, type LoggerOptions } from './log.ts'
export { type RotatingFile, type RotatingFileOptions, rotatingFile } from './log-file.ts'
export { type LogSink, streamSink, wantsColour } from './log-sink.ts'
