/**
 * The composition root of Myelin: configuration and logs.
 *
 * ```ts
 * import { createLogger, describeFault, loadConfiguration, streamSink } from '@myelin/node'
 *
 * const loaded = loadConfiguration({ environment: process.env, code: { name: 'alice' } })
 * if (loaded.ok) {
 *   const { level, format } = loaded.value.log
 *   const logger = createLogger({ level, format, sink: streamSink(process.stderr) })
 *   logger.log('info', 'agent.started', { name: loaded.value.name })
 * } else for (const fault of loaded.faults) console.error(describeFault(fault))
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
export { createLogger, type LoggerOptions } from './log.ts'
export { type RotatingFile, type RotatingFileOptions, rotatingFile } from './log-file.ts'
export { type LogSink, streamSink, wantsColour } from './log-sink.ts'
