// zeromq.js: a PAIR of sockets with CURVE (Curve25519, XSalsa20-Poly1305), a key pair on each end. The dialler
// knows the key of the door; without an authenticator (ZAP) the door takes any dialler's.

import { type Address, ignore, type Kind, type Link } from '../peers/link.ts'
import { load } from './rivals.ts'

interface Keys {
  readonly publicKey: string
  readonly secretKey: string
}

interface Pair extends AsyncIterable<readonly Uint8Array[]> {
  readonly lastEndpoint: string
  readonly events: { on(event: string, listener: () => void): void }
  bind(address: string): Promise<void>
  connect(address: string): void
  send(payload: Uint8Array): Promise<void>
  close(): void
}

interface ZeroMq {
  readonly Pair: new (options: Readonly<Record<string, unknown>>) => Pair
  curveKeyPair(): Keys
}

/** Room for messages on their way; the default of 1,000 makes the sender wait more often. */
const highWaterMark = 10_000

export async function zeromq(): Promise<Kind> {
  const module = await load<ZeroMq>('zeromq')
  const { publicKey, secretKey } = module.curveKeyPair()
  const options = {
    linger: 0,
    sendHighWaterMark: highWaterMark,
    receiveHighWaterMark: highWaterMark,
    curveSecretKey: secretKey,
  }
  return {
    name: 'zeromq CURVE',
    listen: async (onLink): Promise<Address> => {
      const pair = new module.Pair({ ...options, curveServer: true })
      await pair.bind('tcp://127.0.0.1:0')
      onLink(new PairLink(pair))
      return { endpoint: pair.lastEndpoint, publicKey }
    },
    dial: async ({ endpoint, publicKey: curveServerKey }) => {
      const pair = new module.Pair({ ...options, curvePublicKey: publicKey, curveServerKey })
      const isOpen = new Promise<void>((resolve) => pair.events.on('handshake', resolve))
      pair.connect(String(endpoint))
      await isOpen
      return new PairLink(pair)
    },
  }
}

class PairLink implements Link {
  receive: (payload: Uint8Array) => void = ignore
  readonly #pair: Pair
  #sent: Promise<void> = Promise.resolve()

  constructor(pair: Pair) {
    this.#pair = pair
    void this.#read().catch(ignore)
  }

  /** A second send while one waits is refused: each is awaited, as its documentation shows. */
  send(payload: Uint8Array): boolean {
    this.#sent = this.#pair.send(payload)
    return false
  }

  drained(): Promise<void> {
    return this.#sent
  }

  destroy(): void {
    this.#pair.close()
  }

  async #read(): Promise<void> {
    for await (const [payload] of this.#pair) this.receive(payload as Uint8Array)
  }
}
