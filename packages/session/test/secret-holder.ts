// A process that holds sessions, for the test that looks into its memory. It writes its secrets, as bytes, to one
// file and its heap snapshot to another: `node secret-holder.ts SECRETS SNAPSHOT CONTROL`. Secrets lie behind each
// other, each with its length before it. One that it draws for the purpose it keeps as a text, which must be found.

import { writeFileSync } from 'node:fs'
import { writeHeapSnapshot } from 'node:v8'
import { concatBytes } from '@myelin/base'
import { memoryStore, systemRandom } from '@myelin/base/system'
import { type AgentKeys, loadAgentKeys, saveAgentKeys } from '@myelin/identity'
import { connect, party } from './pair.ts'
import { isWiped, KeyWatch, RandomWatch } from './secret-watch.ts'

const [secretsPath, snapshotPath, controlPath] = process.argv.slice(2) as [string, string, string]

const watch = new KeyWatch()
const random = [new RandomWatch(), new RandomWatch()] as const
const rekey = { messages: 2, bytes: 1e9, ms: 1e9 }
const [alice, bob] = [
  party({ random: random[0], rekey, keys: await fromStore() }),
  party({ random: random[1], rekey }),
]
bob.onMessage = (message) => void (message.kind === 'request' && message.reply(message.payload))
const token = systemRandom.fill(new Uint8Array(32))
const { near } = await connect(alice, bob, {
  token,
  staticKey: bob.keys.staticKey.publicKey,
})
for (let i = 0; i < 10; i += 1) await near.request('echo', new Uint8Array([i]))

const secrets = [
  token,
  ...[alice, bob].flatMap(({ keys }) => Object.values(keys.exportSecrets())),
  ...watch.keys.map(({ secret }) => secret),
  // What was drawn and is not wiped is a nonce or a challenge.
  ...random.flatMap(({ drawn }) => drawn.filter(isWiped).map(({ secret }) => secret)),
]
const control = systemRandom.fill(new Uint8Array(32))
const kept = { text: Buffer.from(control).toString('hex'), session: near }
writeSecrets(secretsPath, secrets)
writeSecrets(controlPath, [control])
writeHeapSnapshot(snapshotPath)
// Whatever is used after the snapshot was alive in it.
console.log(secrets.length, kept.text.length, kept.session.isOpen)
process.exit(0)

/** Keys that were saved under a passphrase and read again, as an agent's are. */
async function fromStore(): Promise<AgentKeys> {
  const passphrase = 'correct horse battery staple'
  const options = { store: memoryStore(), passphrase, random: systemRandom }
  await saveAgentKeys(party().keys, options)
  return (await loadAgentKeys(options)) as AgentKeys
}

function writeSecrets(path: string, list: readonly Uint8Array[]): void {
  writeFileSync(path, concatBytes(...list.flatMap((s) => [Uint8Array.of(s.length), s])))
}
