// myelin help: the list of commands, or the page of one.

import { defineCommand } from '../command.ts'
import { commands, findCommand, subcommandsOf } from '../commands.ts'
import { usageError } from '../errors.ts'
import { commandHelp, commandList } from '../help.ts'

export const help = defineCommand({
  name: 'help',
  summary: 'List the commands, or show one.',
  operands: { command: { describes: 'The command to show.', optional: true, repeats: true } },
  examples: ['myelin help', 'myelin help config check'],
  run: async ({ operands, output }) => {
    const words = operands.command
    const name = words.join(' ')
    if (words.length === 0 || subcommandsOf(name).length > 0) {
      const lines = await commandList(name)
      const below = commands.filter((entry) => name === '' || entry.name.startsWith(`${name} `))
      output.result({ commands: below.map((entry) => entry.name) }, () => lines)
      return 0
    }
    const found = findCommand(words)
    if (found === undefined || found.rest.length > 0) {
      const known = commands.map((entry) => entry.name)
      throw usageError(`unknown command ${JSON.stringify(name.slice(0, 80))}`, { name, known })
    }
    const command = await found.entry.load()
    const { summary, options, operands: parts, examples } = command
    output.result({ name, summary, operands: parts, options, examples }, () => commandHelp(command))
    return 0
  },
})
