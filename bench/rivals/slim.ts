// AGNTCY SLIM: a session of two, with MLS from end to end, through a SLIM node. The package brings the node along: it
// runs in the process of the door, in the clear on the loopback. Each message is acknowledged. One dialler per door.

import { createServer } from 'node:net'
import { ignore, type Kind, type Link } from '../peers/link.ts'
import { load } from './rivals.ts'

interface Session {
  publishAndWaitAsync(data: ArrayBuffer, type: undefined, metadata: undefined): Promise<void>
  getMessageAsync(timeoutMs: number): Promise<{ readonly payload: ArrayBuffer }>
}

interface App {
  subscribeAsync(name: object, connection: bigint | undefined): Promise<void>
  setRouteAsync(name: object, connection: bigint): Promise<void>
  listenForSessionAsync(timeout: undefined): Promise<Session>
  createSessionAndWaitAsync(config: object, to: object): Promise<Session>
}

interface Service {
  runServerAsync(config: unknown): Promise<void>
  createAppWithSecret(name: object, secret: string): App
  connectAsync(config: unknown): Promise<bigint>
}

interface Slim {
  readonly Name: new (organization: string, namespace: string, application: string) => object
  readonly SessionType: { readonly PointToPoint: number }
  initializeWithDefaults(): void
  getGlobalService(): Service
  newInsecureServerConfig(address: string): unknown
  newInsecureClientConfig(url: string): unknown
}

/** Both sides know it; 32 characters at least. */
const secret = 'a secret of both sides of this bench'
/** Messages that may wait for their acknowledgement; one at a time would measure round trips. */
const pendingMax = 512
/** Of a read, which keeps the process alive; then it looks whether the run is over. */
const waitMs = 500
const resends = { maxRetries: 10, interval: 1_000 } as const

export async function slim(): Promise<Kind> {
  // Its log goes to the standard output otherwise, beside the result.
  process.env.RUST_LOG ??= 'off'
  const module = await load<Slim>('@agntcy/slim-bindings')
  module.initializeWithDefaults()
  const service = module.getGlobalService()
  const nameOf = (end: 'door' | 'dialler') => new module.Name('myelin', 'bench', end)
  return {
    name: 'slim MLS',
    listen: async (onLink) => {
      const address = `127.0.0.1:${await freePort()}`
      await service.runServerAsync(module.newInsecureServerConfig(address))
      const app = service.createAppWithSecret(nameOf('door'), secret)
      await app.subscribeAsync(nameOf('door'), undefined)
      const accept = async () =>
        onLink(new SlimLink(app, await app.listenForSessionAsync(undefined)))
      void accept()
      return { url: `http://${address}` }
    },
    dial: async ({ url }) => {
      const app = service.createAppWithSecret(nameOf('dialler'), secret)
      const connection = await service.connectAsync(module.newInsecureClientConfig(String(url)))
      await app.subscribeAsync(nameOf('dialler'), connection)
      await app.setRouteAsync(nameOf('door'), connection)
      const config = {
        sessionType: module.SessionType.PointToPoint,
        mlsSettings: { headerIntegrityValidationPercent: 100 },
        metadata: new Map(),
        ...resends,
      }
      return new SlimLink(app, await app.createSessionAndWaitAsync(config, nameOf('door')))
    },
  }
}

class SlimLink implements Link {
  receive: (payload: Uint8Array) => void = ignore
  /** Kept: the native side gives up the session of an app that has been collected. */
  readonly app: App
  readonly #session: Session
  #pending: Promise<void>[] = []
  #isOver = false

  constructor(app: App, session: Session) {
    this.app = app
    this.#session = session
    void this.#read().catch(ignore)
  }

  send(payload: Uint8Array): boolean {
    // The binding takes whole buffers.
    const sent = this.#session.publishAndWaitAsync(payload.slice().buffer, undefined, undefined)
    // Of a round trip nobody waits for the acknowledgement.
    sent.catch(ignore)
    this.#pending.push(sent)
    return this.#pending.length < pendingMax
  }

  async drained(): Promise<void> {
    const pending = this.#pending
    this.#pending = []
    await Promise.all(pending)
  }

  /** The session ends with its process. */
  destroy(): void {
    this.#isOver = true
  }

  async #read(): Promise<void> {
    while (!this.#isOver) {
      const message = await this.#session.getMessageAsync(waitMs).catch(ignore)
      if (message !== undefined) this.receive(new Uint8Array(message.payload))
    }
  }
}

/** The node takes no port 0. */
function freePort(): Promise<number> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { readonly port: number }
      server.close(() => resolve(port))
    })
  })
}
