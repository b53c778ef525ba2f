// A transport over the standard streams of a command, so that two agents talk through whatever starts one of them
// (ssh, docker exec, kubectl exec) and no port is open anywhere. The session on top authenticates and seals as ever.
//
//   /command/<base64url of the argument vector as JSON>   to dial: starts the command
//   /command/stdio                                        to listen: whoever started this process

import { spawn } from 'node:child_process'
import { type ByteStream, type StreamTransport, TransportError } from '@myelin/transport'
import { DuplexStream, duplexOf } from './duplex-stream.ts'

const stdioAddress = '/command/stdio'

/** The address that starts a command: `commandAddress(['ssh', 'host', 'node', 'agent.js'])`. */
export function commandAddress(words: readonly string[]): string {
  return `/command/${Buffer.from(JSON.stringify(words)).toString('base64url')}`
}

export function command(): StreamTransport {
  return {
    kind: 'stream',
    name: 'command',
    handles: (address) => address.startsWith('/command/'),
    dial: async (address) => dialCommand(address),
    listen: async (address, onStream) => {
      if (address !== stdioAddress) throw refused(address, 'only /command/stdio can be listened on')
      onStream(standardStreams())
      const close = async () => {}
      return { addresses: [stdioAddress], close, [Symbol.asyncDispose]: close }
    },
  }
}

/** Its standard error is ours: there the command may say what is wrong. */
function dialCommand(address: string): Promise<ByteStream> {
  const [program, ...words] = wordsOf(address)
  if (program === undefined) throw refused(address, 'it names no command')
  const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'] })
  const duplex = duplexOf(child.stdout, child.stdin)
  const names = { transport: 'command', localAddress: stdioAddress, remoteAddress: address }
  const stream = new DuplexStream(duplex, names)
  stream.onDestroy = () => void child.kill()
  return new Promise((resolve, reject) => {
    child.once('spawn', () => resolve(stream))
    child.once('error', (cause) => {
      const message = `cannot start ${program}; see whether it is installed`
      reject(new TransportError('TRANSPORT_REFUSED', message, { cause }))
    })
  })
}

function standardStreams(): ByteStream {
  const duplex = duplexOf(process.stdin, process.stdout)
  const names = { transport: 'command', localAddress: stdioAddress, remoteAddress: stdioAddress }
  return new DuplexStream(duplex, names)
}

function wordsOf(address: string): string[] {
  const text = Buffer.from(address.slice('/command/'.length), 'base64url').toString()
  try {
    const words: unknown = JSON.parse(text)
    if (Array.isArray(words) && words.every((word) => typeof word === 'string')) return words
  } catch {
    // Said below, with the address.
  }
  throw refused(address, 'it is no argument vector; make it with commandAddress')
}

function refused(address: string, why: string): TransportError {
  return new TransportError('TRANSPORT_ADDRESS', `${address}: ${why}`, { kind: 'usage' })
}
