// Names of message types: kebab-case ASCII such as `task-assignment`, at most 64 bytes.

import { messageTypeNameBytesMax } from './limits.ts'

const kebabCase = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/

export function isMessageTypeName(name: string): boolean {
  return name.length <= messageTypeNameBytesMax && kebabCase.test(name)
}
