// Bugs that would matter, as data: each is a small change of the source that one of our own tests or simulated
// scenarios must find. `find` must stand in the file exactly once.

export interface Edit {
  readonly file: string
  readonly find: string
  readonly replace: string
}

export interface PlantedBug {
  readonly name: string
  /** What it does to users. */
  readonly what: string
  readonly edits: readonly Edit[]
  /** What must find it: a scenario of the simulator within `seeds` seeds, or a test. */
  readonly by:
    | { readonly sim: string; readonly seeds: number }
    | { readonly test: string; readonly title: string }
}

const session = 'packages/session/src'
const sessionTest = 'packages/session/test'
const simulated = (scenario: string) => ({ sim: scenario, seeds: 1_000 })
const edit = (file: string, find: string, replace: string): readonly Edit[] => [
  { file, find, replace },
]

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'nonce-replayed',
    what: 'a recorded handshake opens again',
    edits: edit(
      `${session}/handshake.ts`,
      "    if (!nonces.accept(hello.nonce)) return failed('SESSION_NONCE_REPEATED')\n",
      '',
    ),
    by: {
      test: `${sessionTest}/attacks.test.ts`,
      title: 'the first message of a handshake is good once, in whatever connection',
    },
  },
  {
    name: 'nonces-unbounded',
    what: 'strangers fill the memory with handshake nonces',
    edits: edit(
      `${session}/nonce-cache.ts`,
      '    if (oldest !== undefined) this.#seen.delete(oldest)\n',
      '',
    ),
    by: {
      test: `${sessionTest}/freshness.test.ts`,
      title: 'none of the last 10,000 nonces is taken twice, and memory holds no more of them',
    },
  },
  {
    name: 'any-timestamp',
    what: 'an old handshake is taken for a new one',
    edits: edit(
      `${session}/handshake.ts`,
      '  return Math.abs(timestampMs - nowMs) > windowMs\n',
      '  return timestampMs - nowMs > 100 * windowMs\n',
    ),
    by: {
      test: `${sessionTest}/freshness.test.ts`,
      title: 'a clock of the initiator that differs by 4.9 s is fine, one by 5.1 s is not',
    },
  },
  {
    name: 'hybrid-stripped',
    what: 'somebody in between takes the post-quantum part out',
    edits: edit(
      `${session}/handshake.ts`,
      '    if (context.requireHybrid && !handshakePatterns[pattern].isHybrid)\n',
      '    if (!context.requireHybrid && pattern === undefined)\n',
    ),
    by: {
      test: `${sessionTest}/attacks.test.ts`,
      title: 'the post-quantum part cannot be stripped from the first packet',
    },
  },
  {
    name: 'challenge-unchecked',
    what: 'the answer to the challenge may be anything',
    edits: edit(
      `${session}/handshake.ts`,
      "    if (!equalConstantTime(answer, this.#progress.challenge)) return failed('SESSION_CHALLENGE')\n",
      '',
    ),
    by: {
      test: `${sessionTest}/establish.test.ts`,
      title: 'a wrong answer to the challenge is refused',
    },
  },
  {
    name: 'expired-record',
    what: 'a peer record that has expired still opens sessions',
    edits: edit(
      `${session}/handshake.ts`,
      '  if (checkPeerRecordTime(record, nowMs, context.timestampWindowMs) !== undefined)\n',
      '  if (checkPeerRecordTime(record, record.issuedMs, 0) !== undefined)\n',
    ),
    by: {
      test: `${sessionTest}/freshness.test.ts`,
      title: 'a peer record that has expired opens no session, whoever shows it',
    },
  },
  {
    name: 'counter-stuck',
    what: 'every record of a key is sealed with the same AEAD nonce',
    edits: edit(`${session}/record-cipher.ts`, '    this.#counter += 1\n', ''),
    by: {
      test: `${sessionTest}/record-cipher.test.ts`,
      title: 'aes-256-gcm: nonces count on across the bytes of the counter',
    },
  },
  {
    name: 'header-unbound',
    what: 'flags and length of a record can be changed on the way',
    edits: [
      {
        file: 'packages/crypto/src/aead.ts',
        find: '      if (ad.length > 0) decipher.setAAD(ad)\n',
        replace: '      if (ad.length > 10) decipher.setAAD(ad)\n',
      },
      {
        file: 'packages/crypto/src/aead.ts',
        find: '      if (ad.length > 0) cipher.setAAD(ad)\n',
        replace: '      if (ad.length > 10) cipher.setAAD(ad)\n',
      },
    ],
    by: {
      test: `${sessionTest}/record-cipher.test.ts`,
      title: 'aes-256-gcm: flags and length are sealed with the record',
    },
  },
  {
    name: 'rekey-late',
    what: 'the receiver changes its key one record after the sender',
    edits: [
      {
        file: `${session}/session-core.ts`,
        find: '    const fault = readFrames(record, this)\n',
        replace:
          '    const isLate = this.#isKeyUpdateDue\n    const fault = readFrames(record, this)\n',
      },
      {
        file: `${session}/session-core.ts`,
        find: 'else if (this.#isKeyUpdateDue) this.#updateKey()\n',
        replace: 'else if (isLate) this.#updateKey()\n',
      },
    ],
    by: simulated('session'),
  },
  {
    name: 'keys-kept',
    what: 'old keys stay in memory after a rotation',
    edits: edit(
      `${session}/record-cipher.ts`,
      '    this.wipe()\n    this.#secret = next\n',
      '    this.#secret = next\n',
    ),
    by: {
      test: `${sessionTest}/wiped-keys.e2e.test.ts`,
      title: 'keys are wiped as they are replaced, and all of them when the session ends',
    },
  },
  {
    name: 'early-exit-comparison',
    what: 'the time of a comparison tells how much of a guess is right',
    edits: edit(
      'packages/crypto/src/equal.ts',
      'timingSafeEqual(a, b)\n',
      'a.every((byte, i) => byte === b[i])\n',
    ),
    by: {
      test: 'packages/crypto/test/constant-time.test.ts',
      title: 'the comparison of secrets is OpenSSL’s, and the only one that calls it',
    },
  },
  {
    name: 'credit-twice',
    what: 'bytes that were read once are credited twice: no bound on what a peer sends',
    edits: edit(
      `${session}/credit.ts`,
      '    this.#released += bytes\n',
      '    this.#released += 2 * bytes\n',
    ),
    by: simulated('session'),
  },
  {
    name: 'overrun-accepted',
    what: 'a peer may send more than it was granted',
    edits: edit(
      `${session}/credit.ts`,
      '    return this.#received <= this.#granted\n',
      '    return true\n',
    ),
    by: {
      test: `${sessionTest}/protocol.test.ts`,
      title: 'a peer that overruns the credit of the session is refused',
    },
  },
  {
    name: 'credit-kept',
    what: 'what a reader leaves unread behind the end of a stream keeps its credit: sessions stall',
    edits: edit(
      `${session}/session-stream.ts`,
      '    const isReceiving = !this.#isReceiveDone\n',
      '    const isReceiving = !this.#isReceiveDone\n    if (!isReceiving) return\n',
    ),
    by: {
      test: `${sessionTest}/stream-credit.test.ts`,
      title: 'a reader that leaves by stop() behind a finish gives back what it has not read',
    },
  },
  {
    name: 'lost-fin',
    what: 'the end of a stream is not sent: its reader waits for ever',
    edits: edit(
      `${session}/stream-table.ts`,
      ' | (isLast ? streamFlags.fin : 0)\n',
      ' | (isLast && bytes === 1 ? streamFlags.fin : 0)\n',
    ),
    by: simulated('session'),
  },
  {
    name: 'lost-reset',
    what: 'a stream that was abandoned stays open for its reader',
    edits: edit(
      `${session}/stream-table.ts`,
      '    if (!stream.isOpening) this.#session.control(encodeFrame.streamReset(stream.id, code))\n',
      '',
    ),
    by: {
      test: `${sessionTest}/model.fuzz.test.ts`,
      title: 'sessions and streams do what the model says, in any order of events',
    },
  },
  {
    name: 'overtaking',
    what: 'a short message overtakes those that wait before it',
    edits: edit(
      `${session}/sender.ts`,
      '      this.#outbox.isEmpty &&\n      !writer.isBlocked &&\n',
      '',
    ),
    by: simulated('session'),
  },
  {
    name: 'asked-twice',
    what: 'a request whose session broke is sent again, and handled twice',
    edits: edit(
      'packages/fabric/src/fabric.ts',
      'await link.session.request(type, bytes, options)\n',
      'await link.session.request(type, bytes, options).catch(async () => (await this.#link(to, options)).session.request(type, bytes, options))\n',
    ),
    by: simulated('session'),
  },
  {
    name: 'token-kept',
    what: 'a join token lets in as many as know it',
    edits: edit(
      'packages/identity/src/join-token.ts',
      '    this.#open.delete(hash)\n    const durable',
      '    const durable',
    ),
    by: simulated('joining'),
  },
  {
    name: 'admitted-before-durable',
    what: 'a token’s use is not on disk when its holder is let in: a crash opens it again',
    edits: edit('packages/node/src/admission.ts', '  await durable\n', '  void durable\n'),
    by: simulated('joining'),
  },
  {
    name: 'task-given-twice',
    what: 'two workers get the same task',
    edits: edit(
      'packages/fabric/src/task-board.ts',
      "      if (entry.state === 'pending') free ??= entry\n",
      "      if (entry.state === 'pending' || entry.state === 'assigned') free ??= entry\n",
    ),
    by: simulated('coordinator'),
  },
  {
    name: 'report-taken-twice',
    what: 'two results of one task are both counted',
    edits: edit(
      'packages/fabric/src/task-board.ts',
      "    if (entry.state === 'done') return 'duplicate'\n",
      '',
    ),
    by: simulated('coordinator'),
  },
  {
    name: 'lost-worker-keeps-task',
    what: 'the task of a worker that is gone waits for its deadline, or for ever',
    edits: edit(
      'packages/fabric/src/coordinator.ts',
      '    const freed = this.#board.workerLost(worker)\n',
      '    const freed: string[] = []\n',
    ),
    by: simulated('coordinator'),
  },
  {
    name: 'announced-before-durable',
    what: 'a round is announced before it is on disk: a crash trains it again',
    edits: edit(
      'packages/learning/src/swarm-coordinator.ts',
      '    await saveCheckpoint(',
      '    void saveCheckpoint(',
    ),
    by: simulated('swarm'),
  },
]
