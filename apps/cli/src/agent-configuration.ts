// The configuration file that `myelin init` writes: the settings that most agents need, with the words of the
// reference beside them.

interface AgentConfiguration {
  readonly name: string | undefined
  readonly home: string
  readonly listen: readonly string[]
  readonly peers: readonly string[]
}

export async function agentConfigurationText(agent: AgentConfiguration): Promise<string> {
  const { settingRows } = await import('@myelin/node')
  const rows = new Map(settingRows().map((row) => [row.path, row]))
  const describe = (path: string) => `# ${rows.get(path)?.describes ?? path}`
  const list = (items: readonly string[], example: string) =>
    items.length > 0
      ? `[${items.map((item) => `\n  ${quote(item)},`).join('')}\n]`
      : `[] # such as ["${example}"]`
  return `# The configuration of a Myelin agent. All settings: myelin config show --reference
# A variable such as MYELIN_LOG__LEVEL=debug and the option --set log.level=debug win over this file.

${describe('name')}
name = ${quote(agent.name ?? 'agent')}

${describe('home')}
# From the folder in which myelin runs.
home = ${quote(agent.home)}

${describe('listen')} Port 0 takes any free one.
listen = ${list(agent.listen, '/ip4/0.0.0.0/tcp/4001')}

${describe('peers')} They are trusted as members.
peers = ${list(agent.peers, '/ip4/192.0.2.1/tcp/4001/p2p/12D3KooW…')}

[log]
${describe('log.level')}
level = "info" # ${rows.get('log.level')?.allowed}
${describe('log.format')}
format = "pretty" # ${rows.get('log.format')?.allowed}
${describe('log.file')}
# file = "myelin.log"

[shutdown]
${describe('shutdown.drainMs')}
drainMs = ${rows.get('shutdown.drainMs')?.default}
`
}

/** A TOML basic string: JSON's escapes are among TOML's, but TOML also forbids DEL. */
function quote(text: string): string {
  return JSON.stringify(text).replaceAll('\u007f', '\\u007f')
}
