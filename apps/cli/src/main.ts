#!/usr/bin/env node
// The entry of the `myelin` command. Nothing but the check of the runtime is imported before that check ran:
// on an old Node the imports themselves would fail, with a message that helps nobody.

import { nodeVersionFault } from './node-version.ts'

const fault = nodeVersionFault(process.versions.node)
if (fault === undefined) {
  const { runProcess } = await import('./process.ts')
  await runProcess()
} else {
  process.stderr.write(`myelin: ${fault}\n`)
  process.exitCode = 1
}
