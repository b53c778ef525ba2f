import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemRandom } from '@myelin/base/system'
import { AddressBook } from '@myelin/fabric'
import { AgentKeys, createPeerRecord } from '@myelin/identity'

const anna = AgentKeys.generate(systemRandom)
const bert = AgentKeys.generate(systemRandom)

test('a peer is found by its id, by a name that is clear, and by an address that names it', () => {
  const book = new AddressBook()
  book.learn({ agent: anna.agent, addresses: ['/memory/a'], name: 'anna' })
  assert.equal(book.resolve(anna.agent), anna.agent)
  assert.equal(book.resolve('anna'), anna.agent)
  assert.equal(book.resolve(`/ip4/127.0.0.1/tcp/1/p2p/${bert.agent}`), bert.agent)
  assert.deepEqual(book.get(bert.agent)?.addresses, ['/ip4/127.0.0.1/tcp/1'])
})

test('a target that is unclear is refused with the mend', () => {
  const book = new AddressBook()
  book.learn({ agent: anna.agent, addresses: [], name: 'twin' })
  book.learn({ agent: bert.agent, addresses: [], name: 'twin' })
  for (const target of ['nobody', 'twin', '/ip4/127.0.0.1/tcp/1', '12D3KooW']) {
    assert.throws(() => book.resolve(target), {
      code: 'FABRIC_PEER_UNKNOWN',
      message: /give an agent id|end it in/,
    })
  }
})

test('newer addresses come first, and a record never renames a peer', () => {
  const book = new AddressBook()
  book.learn({ agent: anna.agent, addresses: ['/memory/old'], name: 'our-anna' })
  const { publicKey: staticKey } = anna.staticKey
  book.learnRecord(
    createPeerRecord(anna, {
      sequence: 1,
      nowMs: 0,
      staticKey,
      name: 'boss',
      addresses: ['/memory/new'],
    }),
  )
  assert.deepEqual(book.get(anna.agent)?.addresses, ['/memory/new', '/memory/old'])
  assert.equal(book.get(anna.agent)?.name, 'our-anna')
  assert.deepEqual(book.get(anna.agent)?.staticKey, staticKey)
})
