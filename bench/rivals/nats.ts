// nats.js in the clear, through a nats-server of its own on a free loopback port: two hops for each message, and
// nothing acknowledged. The server starts with the door and ends with it. One dialler per door.

import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { ignore, type Kind, type Link } from '../peers/link.ts'
import { temporaryFolder } from '../peers/temporary.ts'
import { findProgram, load } from './rivals.ts'

interface Connection {
  publish(subject: string, payload: Uint8Array): void
  subscribe(
    subject: string,
    options: { callback(error: Error | null, message: { readonly data: Uint8Array }): void },
  ): unknown
  flush(): Promise<void>
  close(): Promise<void>
}

interface Nats {
  connect(options: { readonly servers: string }): Promise<Connection>
}

// The server drops a reader that lags: room enough for a whole turn, so that none is.
const serverSettings = 'listen: 127.0.0.1:-1\nmax_pending: 1GB\nwrite_deadline: "60s"\n'
/** Bytes between two questions whether the server is still with us; one of them may be open. */
const flushEveryBytes = 1024 * 1024

export async function nats(): Promise<Kind> {
  const { connect } = await load<Nats>('@nats-io/transport-node')
  return {
    name: 'nats',
    listen: async (onLink) => {
      const servers = await startServer()
      const connection = await connect({ servers })
      onLink(new NatsLink(connection, { from: 'up', to: 'down' }))
      await connection.flush()
      return { servers }
    },
    dial: async ({ servers }) => {
      const connection = await connect({ servers: String(servers) })
      const link = new NatsLink(connection, { from: 'down', to: 'up' })
      await connection.flush()
      return link
    },
  }
}

class NatsLink implements Link {
  receive: (payload: Uint8Array) => void = ignore
  readonly #connection: Connection
  readonly #to: string
  #bytes = 0
  #flushed: Promise<void> | undefined

  constructor(connection: Connection, subjects: { readonly from: string; readonly to: string }) {
    this.#connection = connection
    this.#to = subjects.to
    connection.subscribe(subjects.from, { callback: (_error, { data }) => this.receive(data) })
  }

  send(payload: Uint8Array): boolean {
    this.#connection.publish(this.#to, payload)
    this.#bytes += payload.length
    return this.#bytes < flushEveryBytes
  }

  /** Waits for the flush before the one that begins now. */
  async drained(): Promise<void> {
    const before = this.#flushed
    this.#bytes = 0
    this.#flushed = this.#connection.flush()
    await before
  }

  destroy(): void {
    this.#connection.close().catch(ignore)
  }
}

async function startServer(): Promise<string> {
  const folder = temporaryFolder()
  const settings = join(folder, 'nats.conf')
  writeFileSync(settings, serverSettings)
  const child = spawn(findProgram('nats-server') as string, ['-c', settings], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  process.on('exit', () => child.kill())
  return await addressOf(child)
}

/** From its log: the port is of its own choice. */
function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`nats-server ended with ${code}`)))
    const lines = createInterface({ input: child.stderr as NodeJS.ReadableStream })
    lines.on('line', (line) => {
      const address = /client connections on ([\d.]+:\d+)/.exec(line)?.[1]
      if (address !== undefined) resolve(address)
    })
  })
}
