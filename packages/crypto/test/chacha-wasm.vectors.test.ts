// RFC 8439 on the parts of the WebAssembly module: the ChaCha20 block in both of its shapes (§2.3.2, §2.4.2, A.1, A.2),
// Poly1305 with chosen keys (§2.5.2, A.3), the one-time key (A.4) and the whole (§2.8.2, A.5); and Wycheproof.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { concatBytes, utf8Encode } from '@myelin/base'
import { sharedPath, skipWithout, verifies } from '@myelin/testkit'
import fc from 'fast-check'
import { chachaWasmEngine } from '../src/chacha-wasm.ts'
import { type ChaChaPolyModule, encodeChaChaPoly } from '../src/wasm/chacha20-poly1305.ts'
import { at } from '../src/wasm/memory-layout.ts'
import { hex } from './hex.ts'
import { exportsOf } from './wasm-host.ts'

const module = exportsOf<ChaChaPolyModule>(encodeChaChaPoly())
const memory = new Uint8Array(module.memory.buffer)
memory.set(utf8Encode('expand 32-byte k'), at.state)

const zeroKey = '00'.repeat(32)
const lastBitKey = `${'00'.repeat(31)}01`
const jabberKey = '1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0'
const zeroNonce = '00'.repeat(12)
const nonceOfTwo = `${'00'.repeat(11)}02`
const jabberwocky = utf8Encode(
  "'Twas brillig, and the slithy toves\nDid gyre and gimble in the wabe:\n" +
    'All mimsy were the borogoves,\nAnd the mome raths outgrabe.',
)
const ietf = utf8Encode(
  'Any submission to the IETF intended by the Contributor for publication as all or part of an IETF ' +
    'Internet-Draft or RFC and any statement made within the context of an IETF activity is considered an ' +
    '"IETF Contribution". Such statements include oral statements in IETF sessions, as well as written and ' +
    'electronic communications made at any time or place, which are addressed to',
)

type Shape = 'fourBlocks' | 'twoBlocks'
const blocksOf = { fourBlocks: 4, twoBlocks: 2 } as const

function keystream(shape: Shape, [key, nonce]: readonly string[], counter: number, bytes: number) {
  const parts: Uint8Array[] = []
  for (let made = 0; made < bytes; made += 64 * blocksOf[shape]) {
    memory.set(hex(key as string), at.key)
    memory.set(hex(nonce as string), at.nonce)
    module[shape](counter + made / 64, 0, 0)
    parts.push(memory.slice(at.keystream, at.keystream + 64 * blocksOf[shape]))
  }
  return concatBytes(...parts).subarray(0, bytes)
}

function encrypt(shape: Shape, key: string, nonce: string, counter: number, text: Uint8Array) {
  const stream = keystream(shape, [key, nonce], counter, text.length)
  return text.map((byte, i) => byte ^ (stream[i] as number))
}

for (const shape of ['fourBlocks', 'twoBlocks'] as const) {
  test(`${shape}: the blocks of RFC 8439 §2.3.2 and A.1`, () => {
    verifies('R024')
    const counting = hex('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f')
    const cases: readonly (readonly [string, string, number, string])[] = [
      [
        Buffer.from(counting).toString('hex'),
        '000000090000004a00000000',
        1,
        `10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e
         d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e`,
      ],
      [
        zeroKey,
        zeroNonce,
        0,
        `76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7
         da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586`,
      ],
      [
        zeroKey,
        zeroNonce,
        1,
        `9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed
         29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f`,
      ],
      [
        lastBitKey,
        zeroNonce,
        1,
        `3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a
         8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0`,
      ],
      [
        `00ff${'00'.repeat(30)}`,
        zeroNonce,
        2,
        `72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca
         13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b7374f4872e99f096`,
      ],
      [
        zeroKey,
        nonceOfTwo,
        0,
        `c2c64d378cd536374ae204b9ef933fcd1a8b2288b3dfa49672ab765b54ee27c7
         8a970e0e955c14f3a88e741b97c286f75f8fc299e8148362fa198a39531bed6d`,
      ],
    ]
    for (const [key, nonce, counter, block] of cases)
      assert.deepEqual(keystream(shape, [key, nonce], counter, 64), hex(block))
  })

  test(`${shape}: the texts of RFC 8439 §2.4.2 and A.2`, () => {
    verifies('R024')
    const sunscreen = utf8Encode(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, " +
        'sunscreen would be it.',
    )
    const counting = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'
    assert.deepEqual(
      encrypt(shape, counting, '000000000000004a00000000', 1, sunscreen),
      hex(`
        6e2e359a2568f98041ba0728dd0d6981e97e7aec1d4360c20a27afccfd9fae0b
        f91b65c5524733ab8f593dabcd62b3571639d624e65152ab8f530c359f0861d8
        07ca0dbf500d6a6156a38e088a22b65e52bc514d16ccf806818ce91ab7793736
        5af90bbf74a35be6b40b8eedf2785e42874d`),
    )
    assert.deepEqual(
      encrypt(shape, lastBitKey, nonceOfTwo, 1, ietf),
      hex(`
        a3fbf07df3fa2fde4f376ca23e82737041605d9f4f4f57bd8cff2c1d4b7955ec
        2a97948bd3722915c8f3d337f7d370050e9e96d647b7c39f56e031ca5eb6250d
        4042e02785ececfa4b4bb5e8ead0440e20b6e8db09d881a7c6132f420e527950
        42bdfa7773d8a9051447b3291ce1411c680465552aa6c405b7764d5e87bea85a
        d00f8449ed8f72d0d662ab052691ca66424bc86d2df80ea41f43abf937d3259d
        c4b2d0dfb48a6c9139ddd7f76966e928e635553ba76c5c879d7b35d49eb2e62b
        0871cdac638939e25e8a1e0ef9d5280fa8ca328b351c3c765989cbcf3daa8b6c
        cc3aaf9f3979c92b3720fc88dc95ed84a1be059c6499b9fda236e7e818b04b0b
        c39c1e876b193bfe5569753f88128cc08aaa9b63d1a16f80ef2554d7189c411f
        5869ca52c5b83fa36ff216b9c1d30062bebcfd2dc5bce0911934fda79a86f6e6
        98ced759c3ff9b6477338f3da4f9cd8514ea9982ccafb341b2384dd902f3d1ab
        7ac61dd29c6f21ba5b862f3730e37cfdc4fd806c22f221`),
    )
    assert.deepEqual(
      encrypt(shape, jabberKey, nonceOfTwo, 42, jabberwocky),
      hex(`
        62e6347f95ed87a45ffae7426f27a1df5fb69110044c0d73118effa95b01e5cf
        166d3df2d721caf9b21e5fb14c616871fd84c54f9d65b283196c7fe4f60553eb
        f39c6402c42234e32a356b3e764312a61a5532055716ead6962568f87d3f3f77
        04c6a8d1bcd1bf4d50d6154b6da731b187b58dfd728afa36757a797ac188d1`),
    )
  })
}

test('the one-time keys of RFC 8439 A.4 begin the keystream', () => {
  const key = (words: readonly string[]) => keystream('twoBlocks', words, 0, 32)
  assert.deepEqual(
    key([zeroKey, zeroNonce]),
    hex('76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7'),
  )
  assert.deepEqual(
    key([lastBitKey, nonceOfTwo]),
    hex('ecfa254f845f647473d3cb140da9e87606cb33066c447b87bc2666dde3fbb739'),
  )
  assert.deepEqual(
    key([jabberKey, nonceOfTwo]),
    hex('965e3bc6f9ec7ed9560808f4d229f94b137ff275ca9b3fcbdd59deaad23310ae'),
  )
})

test('Poly1305 gives the tags of RFC 8439 §2.5.2 and of A.3 with its edges', () => {
  verifies('R024')
  const none = '00'.repeat(16)
  const many = 'ff'.repeat(16)
  const one = `01${'00'.repeat(15)}`
  const two = `02${'00'.repeat(15)}`
  const ietfKey = '36e5f6b5c5e06070f0efca96227a863e'
  const tenth = '01000000000000000400000000000000'
  const tenthText = 'e33594d7505e43b900000000000000003394d7505e4379cd0100000000000000'
  const cases: readonly (readonly [string, string, Uint8Array | string, string])[] = [
    [
      '85d6be7857556d337f4452fe42d506a8',
      '0103808afb0db2fd4abff6af4149f51b',
      utf8Encode('Cryptographic Forum Research Group'),
      'a8061dc1305136c6c22b8baf0c0127a9',
    ],
    [none, none, new Uint8Array(64), none],
    [none, ietfKey, ietf, ietfKey],
    [ietfKey, none, ietf, 'f3477e7cd95417af89a6b8794c310cf0'],
    [jabberKey.slice(0, 32), jabberKey.slice(32), jabberwocky, '4541669a7eaaee61e708dc7cbcc5eb62'],
    [two, none, many, `03${'00'.repeat(15)}`],
    [two, many, two, `03${'00'.repeat(15)}`],
    [one, none, `${many}f0${'ff'.repeat(15)}11${'00'.repeat(15)}`, `05${'00'.repeat(15)}`],
    [one, none, `${many}fb${'fe'.repeat(15)}${'01'.repeat(16)}`, none],
    [two, none, `fd${'ff'.repeat(15)}`, `fa${'ff'.repeat(15)}`],
    [tenth, none, `${tenthText}${none}${one}`, '14000000000000005500000000000000'],
    [tenth, none, `${tenthText}${none}`, '13000000000000000000000000000000'],
  ]
  for (const [r, s, text, tag] of cases) {
    const bytes = typeof text === 'string' ? hex(text) : text
    memory.set(hex(r + s), at.keystream)
    memory.set(bytes, at.message)
    module.poly1305(bytes.length)
    assert.deepEqual(memory.slice(at.tag, at.tag + 16), hex(tag), `r ${r}, s ${s}`)
  }
})

/** §2.5.1 in whole numbers. */
function tagOf(r: bigint, s: bigint, blocks: readonly bigint[]): bigint {
  const clamped = r & 0x0ffffffc_0ffffffc_0ffffffc_0fffffffn
  const sum = blocks.reduce(
    (h, block) => ((h + block + 2n ** 128n) * clamped) % (2n ** 130n - 5n),
    0n,
  )
  return (sum + s) % 2n ** 128n
}

function littleEndian(value: bigint): Uint8Array {
  return hex(value.toString(16).padStart(32, '0')).reverse()
}

test('Poly1305 is what §2.5.1 says in whole numbers, at the ends of every limb too', () => {
  verifies('R024')
  const most = 2n ** 128n - 1n
  const check = (r: bigint, s: bigint, blocks: readonly bigint[]) => {
    memory.set(concatBytes(littleEndian(r), littleEndian(s)), at.keystream)
    memory.set(concatBytes(...blocks.map(littleEndian)), at.message)
    module.poly1305(16 * blocks.length)
    const tag = littleEndian(tagOf(r, s, blocks))
    assert.deepEqual(memory.slice(at.tag, at.tag + 16), tag, `r ${r}, s ${s}, ${blocks}`)
  }
  // With r = 1 two blocks reach from below p to p + 2.
  for (let less = 0n; less < 12n; less += 1n) check(1n, less, [most, most - less])
  const limb = fc.constantFrom(0n, 1n, 3n, 4n, 5n, 2n ** 31n, 2n ** 32n - 5n, 2n ** 32n - 1n)
  const edge = fc
    .tuple(limb, limb, limb, limb)
    .map((limbs) => limbs.reduce((all, next) => (all << 32n) | next, 0n))
  const any = fc.oneof(edge, fc.constant(most), fc.bigInt({ min: 0n, max: most }))
  fc.assert(fc.property(any, any, fc.array(any, { maxLength: 20 }), check), { numRuns: 1000 })
})

test('the sealed text of RFC 8439 A.5', () => {
  verifies('R024')
  const engine = chachaWasmEngine()
  assert.ok(engine)
  const plaintext = utf8Encode(
    'Internet-Drafts are draft documents valid for a maximum of six months and may be updated, replaced, or ' +
      'obsoleted by other documents at any time. It is inappropriate to use Internet-Drafts as reference ' +
      'material or to cite them other than as /\u201cwork in progress./\u201d',
  )
  const sealed = hex(`
    64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb2
    4c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b0100d4f03b7f355894cf
    332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c855
    9797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4
    b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523e
    af4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a
    0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a10
    49e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29
    a6ad5cb4022b02709b eead9d67890cbb22392336fea1851f38`)
  const key = hex(jabberKey)
  const nonce = hex('000000000102030405060708')
  const ad = hex('f33388860000000000004e91')
  const made = new Uint8Array(sealed.length)
  engine.sealInto(key, nonce, plaintext, ad, made, 0)
  assert.deepEqual(made, sealed)
  assert.deepEqual(engine.open(key, nonce, sealed, ad), plaintext)
})

const wycheproof = 'vectors/wycheproof/chacha20_poly1305_test.json'

interface Case {
  readonly tcId: number
  readonly result: 'valid' | 'invalid'
  readonly key: string
  readonly iv: string
  readonly aad: string
  readonly msg: string
  readonly ct: string
  readonly tag: string
}

test('Wycheproof: what is valid is sealed and opened, what is not is refused', {
  skip: skipWithout(wycheproof),
}, () => {
  verifies('R024')
  const engine = chachaWasmEngine()
  assert.ok(engine)
  const file = readFileSync(join(sharedPath(wycheproof) ?? ''), 'utf8')
  const { testGroups } = JSON.parse(file) as {
    testGroups: readonly { ivSize: number; tests: readonly Case[] }[]
  }
  let seen = 0
  for (const { tests } of testGroups.filter(({ ivSize }) => ivSize === 96)) {
    for (const { tcId, result, key, iv, aad, msg, ct, tag } of tests) {
      const words = [hex(key), hex(iv)] as const
      const sealed = hex(ct + tag)
      // What is longer goes another way.
      if (!engine.takes(sealed.length, hex(aad).length)) continue
      const opened = engine.open(...words, sealed, hex(aad))
      seen += 1
      if (result === 'invalid') {
        assert.equal(opened, undefined, `case ${tcId}`)
        continue
      }
      const made = new Uint8Array(sealed.length)
      engine.sealInto(...words, hex(msg), hex(aad), made, 0)
      assert.deepEqual([made, opened], [sealed, hex(msg)], `case ${tcId}`)
    }
  }
  assert.ok(seen > 200, `${seen} cases`)
})
