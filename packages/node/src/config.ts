// One validated configuration out of four sources: defaults < files < environment < flags < code (R154).
// Pure: the caller reads files (`readConfigurationFile`) and hands over the environment. All faults of all
// sources are reported at once, also those in values that a later source overrides: they would bite later.

import {
  type ConfigurationFault,
  FaultList,
  nearestName,
  type Origin,
  quote,
} from './config-faults.ts'
import { type Group, leavesOf, type Setting } from './config-schema.ts'
import {
  type Configuration,
  type PartialConfiguration,
  relations,
  settings,
} from './config-settings.ts'
import { checkValue, checkWrittenValue, type Verdict } from './config-values.ts'

/** Begins the name of every variable that sets something. */
const environmentPrefix = 'MYELIN_'

/** Variables of Myelin that are no settings: for the command line and for the tests. */
const environmentReserved: readonly string[] = [
  'MYELIN_CONFIG',
  'MYELIN_DEBUG',
  'MYELIN_PASSPHRASE',
  'MYELIN_SHARED',
]

/** The content of one file, parsed and not yet checked. */
export interface ConfigurationFile {
  /** For faults: the path as the user wrote it. */
  readonly name: string
  readonly content: unknown
}

export interface ConfigurationSources {
  /** A later file overrides an earlier one. */
  readonly files?: readonly ConfigurationFile[]
  /** Such as `process.env`. `MYELIN_LOG__LEVEL` sets `log.level`; an empty variable sets nothing. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Values as typed, by path: `{ 'log.level': 'debug' }`. */
  readonly flags?: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly code?: PartialConfiguration
}

export type LoadedConfiguration =
  | {
      readonly ok: true
      readonly value: Configuration
      /** Where each setting's value came from, by path, in the order of the reference. */
      readonly origins: ReadonlyMap<string, Origin>
    }
  | { readonly ok: false; readonly faults: readonly ConfigurationFault[] }

/** The values found so far and what was wrong on the way. */
interface Draft {
  readonly values: Map<string, unknown>
  readonly origins: Map<string, Origin>
  readonly faults: FaultList
}

const leaves: ReadonlyMap<string, Setting> = new Map(
  leavesOf(settings).map(({ path, setting }) => [path, setting]),
)
const pathOfVariable: ReadonlyMap<string, string> = new Map(
  [...leaves.keys()].map((path) => [environmentName(path), path]),
)
const defaultOrigin: Origin = { kind: 'default', name: '' }

/** Merges and checks all sources. Never throws; the configuration is frozen. */
export function loadConfiguration(sources: ConfigurationSources = {}): LoadedConfiguration {
  const draft: Draft = { values: new Map(), origins: new Map(), faults: new FaultList() }
  for (const [path, setting] of leaves) {
    draft.values.set(path, setting.default)
    draft.origins.set(path, defaultOrigin)
  }
  for (const { name, content } of sources.files ?? []) {
    // An empty YAML file is null: it sets nothing.
    if (content !== null) addTable(draft, settings, content, '', { kind: 'file', name })
  }
  addEnvironment(draft, sources.environment ?? {})
  addFlags(draft, sources.flags ?? {})
  if (sources.code !== undefined)
    addTable(draft, settings, sources.code, '', { kind: 'code', name: '' })

  const value = build(settings, '', draft.values) as Configuration
  checkRelations(draft, value)
  if (draft.faults.size > 0) return { ok: false, faults: draft.faults.finish(defaultOrigin) }
  return { ok: true, value, origins: draft.origins }
}

/** `session.handshakeTimeoutMs` is `MYELIN_SESSION__HANDSHAKE_TIMEOUT_MS`. */
export function environmentName(path: string): string {
  const words = path.split('.').map((name) => name.replace(/[A-Z]/g, (letter) => `_${letter}`))
  return `${environmentPrefix}${words.join('__').toUpperCase()}`
}

/** Walks a nested object along the settings, so that nothing but a declared name is ever followed. */
function addTable(
  draft: Draft,
  group: Group,
  table: unknown,
  prefix: string,
  origin: Origin,
): void {
  if (!isTable(table)) {
    const problem = `${quote(table)} stands where settings are grouped`
    draft.faults.add({ path: prefix.slice(0, -1), problem, expected: 'a table', origin })
    return
  }
  for (const name of Object.keys(table)) {
    const path = `${prefix}${name}`
    const node = Object.hasOwn(group.members, name) ? group.members[name] : undefined
    const value = table[name]
    if (node === undefined) {
      addUnknown(draft, path, Object.keys(group.members), prefix, origin)
    } else if (node.kind === 'group') {
      // `log:` with nothing below it is null in YAML.
      const isAbsent = value === null || (value === undefined && origin.kind === 'code')
      if (!isAbsent) addTable(draft, node, value, `${path}.`, origin)
    } else if (value !== undefined || origin.kind !== 'code') {
      addVerdict(draft, path, checkValue(node, value), origin)
    }
  }
}

function addEnvironment(
  draft: Draft,
  environment: Readonly<Record<string, string | undefined>>,
): void {
  for (const name of Object.keys(environment).sort()) {
    const written = environment[name]
    const isOurs = name.startsWith(environmentPrefix) && !environmentReserved.includes(name)
    if (!isOurs || written === undefined || written === '') continue
    const origin: Origin = { kind: 'environment', name }
    const path = pathOfVariable.get(name)
    const setting = path === undefined ? undefined : leaves.get(path)
    if (path === undefined || setting === undefined) {
      const nearest = nearestName(name, pathOfVariable.keys())
      draft.faults.add({
        path: name,
        problem: 'is no setting',
        expected: nearest ?? 'a variable of the reference, such as MYELIN_LOG__LEVEL',
        origin,
      })
    } else addVerdict(draft, path, checkWrittenValue(setting, written), origin)
  }
}

function addFlags(
  draft: Draft,
  flags: Readonly<Record<string, string | readonly string[] | undefined>>,
): void {
  for (const [path, written] of Object.entries(flags)) {
    if (written === undefined) continue
    const origin: Origin = { kind: 'flag', name: path }
    const setting = leaves.get(path)
    if (setting === undefined) addUnknown(draft, path, leaves.keys(), '', origin)
    else {
      const verdict =
        typeof written === 'string'
          ? checkWrittenValue(setting, written)
          : checkValue(setting, written)
      addVerdict(draft, path, verdict, origin)
    }
  }
}

function addVerdict(draft: Draft, path: string, verdict: Verdict, origin: Origin): void {
  if (verdict.ok) {
    draft.values.set(path, verdict.value)
    draft.origins.set(path, origin)
  } else {
    const { problem, expected } = verdict
    draft.faults.add({ path, problem, expected, origin })
  }
}

/** A name that means nothing here may be mistyped, or right in another group. */
function addUnknown(
  draft: Draft,
  path: string,
  siblings: Iterable<string>,
  prefix: string,
  origin: Origin,
): void {
  if (draft.faults.isFull) {
    draft.faults.omit()
    return
  }
  const name = path.slice(prefix.length)
  const sibling = nearestName(name, siblings)
  const elsewhere = [...leaves.keys()].find((leaf) => leaf.split('.').at(-1) === name)
  const nearest =
    sibling !== undefined ? `${prefix}${sibling}` : (elsewhere ?? nearestName(path, leaves.keys()))
  draft.faults.add({
    path: printable(path),
    problem: 'is no setting',
    expected: nearest ?? 'a setting of the reference',
    origin,
  })
}

function printable(path: string): string {
  return /^[\w.-]{1,120}$/.test(path) ? path : quote(path)
}

/** A relation is only worth a fault when the values it relates are right by themselves. */
function checkRelations(draft: Draft, configuration: Configuration): void {
  for (const relation of relations) {
    if (relation.paths.some((path) => draft.faults.names(path))) continue
    if (relation.holds(configuration)) continue
    const { paths, problem, expected } = relation
    const set = paths.find((path) => draft.origins.get(path)?.kind !== 'default') ?? paths[0]
    const origin = draft.origins.get(set) ?? defaultOrigin
    draft.faults.add({ path: paths[0], problem, expected, origin })
  }
}

function build(group: Group, prefix: string, values: ReadonlyMap<string, unknown>): object {
  const entries = Object.entries(group.members).map(([name, node]) => [
    name,
    node.kind === 'group' ? build(node, `${prefix}${name}.`, values) : values.get(prefix + name),
  ])
  return Object.freeze(Object.fromEntries(entries))
}

function isTable(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}
