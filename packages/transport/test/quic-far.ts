// The other process of quic.e2e.test.ts.

import { type ByteStream, quic } from '@myelin/transport'

const nothing = { data: () => {}, drain: () => {}, end: () => {}, closed: () => {} }
const transport = quic()
const listener = await transport.listen('/ip4/127.0.0.1/udp/0/quic-v1', (stream: ByteStream) => {
  stream.attach({ ...nothing, data: (chunk) => stream.write(chunk), end: () => stream.end() })
})
process.send?.(listener.addresses[0])

if (process.argv[2] === 'finish') {
  const stream = await transport.dial(listener.addresses[0] ?? '')
  const closed = new Promise<void>((resolve) => {
    stream.attach({ ...nothing, closed: () => resolve() })
  })
  stream.write(new Uint8Array(100_000))
  stream.end()
  await closed
  await listener.close()
  process.disconnect?.()
}
