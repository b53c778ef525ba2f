// The list of commands. A new one is a module in commands/ and a line here; it is loaded only when it is
// called or when help is shown, so heavy imports belong into its `run`.

import type { Command } from './command.ts'

export interface CommandEntry {
  /** One or two words, as in the command itself. */
  readonly name: string
  load(): Promise<Command>
}

export const commands: readonly CommandEntry[] = [
  { name: 'init', load: async () => (await import('./commands/init.ts')).init },
  { name: 'up', load: async () => (await import('./commands/up.ts')).up },
  { name: 'listen', load: async () => (await import('./commands/listen.ts')).listen },
  { name: 'send', load: async () => (await import('./commands/send.ts')).send },
  { name: 'request', load: async () => (await import('./commands/request.ts')).request },
  { name: 'peers', load: async () => (await import('./commands/peers.ts')).peers },
  { name: 'invite', load: async () => (await import('./commands/invite.ts')).invite },
  { name: 'join', load: async () => (await import('./commands/join.ts')).join },
  { name: 'trust list', load: async () => (await import('./commands/trust-list.ts')).trustList },
  { name: 'trust add', load: async () => (await import('./commands/trust-add.ts')).trustAdd },
  {
    name: 'trust remove',
    load: async () => (await import('./commands/trust-remove.ts')).trustRemove,
  },
  { name: 'swarm', load: async () => (await import('./commands/swarm.ts')).swarm },
  {
    name: 'swarm coordinate',
    load: async () => (await import('./commands/swarm-coordinate.ts')).swarmCoordinate,
  },
  { name: 'swarm work', load: async () => (await import('./commands/swarm-work.ts')).swarmWork },
  { name: 'version', load: async () => (await import('./commands/version.ts')).version },
  {
    name: 'config check',
    load: async () => (await import('./commands/config-check.ts')).configCheck,
  },
  { name: 'config show', load: async () => (await import('./commands/config-show.ts')).configShow },
  {
    name: 'conformance',
    load: async () => (await import('./commands/conformance.ts')).conformance,
  },
  { name: 'bench', load: async () => (await import('./commands/bench.ts')).bench },
  { name: 'help', load: async () => (await import('./commands/help.ts')).help },
]

export interface FoundCommand {
  readonly entry: CommandEntry
  /** The words after the command's name. */
  readonly rest: readonly string[]
}

/** The command that the first words name; two words win over one. */
export function findCommand(words: readonly string[]): FoundCommand | undefined {
  for (const length of [2, 1]) {
    const name = words.slice(0, length).join(' ')
    const entry = commands.find((candidate) => candidate.name === name)
    if (entry !== undefined && words.length >= length) return { entry, rest: words.slice(length) }
  }
  return undefined
}

/** The second words of a group: `check` and `show` for `config`. */
export function subcommandsOf(word: string): string[] {
  return commands
    .filter(({ name }) => name.startsWith(`${word} `))
    .map(({ name }) => name.slice(word.length + 1))
}
