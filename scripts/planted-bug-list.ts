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
      `${session}/handshake-steps.ts`,
      "  if (!nonces.accept(hello.nonce)) return failed('SESSION_NONCE_REPEATED')\n",
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
      `${session}/handshake-steps.ts`,
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
        file: `${session}/record-cipher.ts`,
        find: '        packet.subarray(0, packetHeaderBytes),\n',
        replace: '        packet.subarray(0, 0),\n',
      },
      {
        file: `${session}/record-cipher.ts`,
        find: '    cipher.setAAD(header)\n',
        replace: '',
      },
      {
        file: `${session}/record-cipher.ts`,
        find: 'keys.advance(), sealed, header)\n',
        replace: 'keys.advance(), sealed, header.subarray(0, 0))\n',
      },
    ],
    by: {
      test: `${sessionTest}/record-cipher.test.ts`,
      title: 'chacha20-poly1305+aes-256-gcm: flags and length are sealed with the record',
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
      '    this.#slot.fill(0)\n    this.#fill(next)\n',
      '    this.#slot = slots.take()\n' +
        '    const isShared = this.#shortKey === this.#key\n' +
        '    this.#key = this.#slot.subarray(keyAt, shortKeyAt)\n' +
        '    this.#shortKey = isShared ? this.#key : this.#slot.subarray(shortKeyAt, ivAt)\n' +
        '    this.#fill(next)\n',
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
      '    if (!stream.isOpening) this.#control(stream, encodeFrame.streamReset(stream.id, code))\n',
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
    by: {
      test: `${sessionTest}/sender.test.ts`,
      title:
        'a message behind those that wait for the transport waits too, however short and whatever the credit',
    },
  },
  {
    name: 'asked-twice',
    what: 'a request whose session broke is sent again, and handled twice',
    edits: edit(
      'packages/fabric/src/fabric.ts',
      'return await answerTo(question, this.types)\n',
      'return await answerTo(question, this.types).catch(async () => answerTo(await this.#through(to, options, (link) => ask(link, type, bytes, options)), this.types))\n',
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
    what: 'a round is announced before it is on disk, where only every other one goes: a crash trains it again',
    edits: edit(
      'packages/learning/src/swarm-coordinator.ts',
      '    await saveCheckpoint(',
      '    if (round % 2 === 1) await saveCheckpoint(',
    ),
    by: simulated('swarm'),
  },
  {
    name: 'keys-of-the-ended',
    what: 'the keys of a session that has ended stay in memory',
    edits: edit(`${session}/key-slots.ts`, '    slot.fill(0)\n', ''),
    by: {
      test: `${sessionTest}/wiped-keys.e2e.test.ts`,
      title: 'a session that is lost takes its keys with it, on both sides',
    },
  },
  {
    name: 'resumed-unasked',
    what: 'an agent whose trust was taken away comes back with its ticket',
    edits: edit(
      `${session}/establish.ts`,
      '      decision = this.#environment.authorize(candidate)\n',
      "      decision = established.pattern === 'NNpsk0' ? { isAdmitted: true, roles: [] } : this.#environment.authorize(candidate)\n",
    ),
    by: {
      test: `${sessionTest}/resumption.test.ts`,
      title: 'a peer that lost its trust is refused although it has a ticket',
    },
  },
  {
    name: 'ticket-unspent',
    what: 'a resumption ticket is good for more than one handshake',
    edits: edit(`${session}/resumed-handshake.ts`, '  resumptions.spend(ticket)\n', ''),
    by: {
      test: `${sessionTest}/resumption.test.ts`,
      title: 'a hello that was held back is outside the window, and its ticket is spent',
    },
  },
  {
    name: 'ticket-for-ever',
    what: 'each resumption renews the ticket: no full handshake is ever made again',
    edits: edit(
      `${session}/resumptions.ts`,
      'resumption.expiresMs ?? nowMs + this.#lifetimeMs\n',
      'nowMs + this.#lifetimeMs\n',
    ),
    by: {
      test: `${sessionTest}/resumption.test.ts`,
      title: 'tickets end an hour after the full handshake, however often they were renewed',
    },
  },
  {
    name: 'resumption-unconfirmed',
    what: 'a caller need not show that it holds the keys of a resumed session',
    edits: edit(
      `${session}/resumed-handshake.ts`,
      '    if (!equalConstantTime(bytes, this.#expected)) {\n',
      '    if (bytes.length > 2 ** 20) {\n',
    ),
    by: {
      test: `${sessionTest}/resumption.fuzz.test.ts`,
      title: 'a confirmation of any bytes is refused',
    },
  },
  {
    name: 'lane-main-key',
    what: 'a lane seals with the key and the nonces of the main stream',
    edits: [
      {
        file: `${session}/lanes.ts`,
        find: "hkdfExpand('sha256', secrets.send, rootLabel, secretBytes)\n",
        replace: 'secrets.send.slice()\n',
      },
      {
        file: `${session}/lanes.ts`,
        find: "hkdfExpand('sha256', secrets.receive, rootLabel, secretBytes)\n",
        replace: 'secrets.receive.slice()\n',
      },
      {
        file: `${session}/lanes.ts`,
        find: "hkdfExpand('sha256', root, info, secretBytes)\n",
        replace: '(info, root.slice())\n',
      },
    ],
    by: {
      test: `${sessionTest}/lanes.test.ts`,
      title: 'a record of the main stream opens on no lane',
    },
  },
  {
    name: 'lanes-share-key',
    what: 'all lanes seal with the same key and the same nonces',
    edits: edit(`${session}/lanes.ts`, 'concatBytes(laneLabel, id)\n', 'concatBytes(laneLabel)\n'),
    by: {
      test: `${sessionTest}/lanes.test.ts`,
      title: 'records of one lane open on no other',
    },
  },
  {
    name: 'window-unbounded',
    what: 'the window grows with the peer’s rate, and what it may fill has no bound',
    edits: edit(
      `${session}/window.ts`,
      'Math.min(2 * this.bytes, max)',
      'Math.max(2 * this.bytes, max)',
    ),
    by: {
      test: `${sessionTest}/window.test.ts`,
      title: 'a window grows to one and a half times what comes in a round trip, and no further',
    },
  },
  {
    name: 'tag-unchecked',
    what: 'a short record that somebody has changed opens',
    edits: edit(
      'packages/crypto/src/wasm/chacha20-poly1305.ts',
      'isGenuine.set(i64.eqz(differs))',
      'isGenuine.set(i64.eqz(i64.const(0)))',
    ),
    by: {
      test: 'packages/crypto/test/chacha-wasm.test.ts',
      title: 'every changed bit of a sealed message, its associated data, key or nonce is refused',
    },
  },
  {
    name: 'tag-half-checked',
    what: 'half of the tag of a short record decides: 64 bits to guess',
    edits: edit(
      'packages/crypto/src/wasm/chacha20-poly1305.ts',
      '        i64.xor(high.get, i64.load(zero, at.tag + 8)),\n',
      '        i64.const(0),\n',
    ),
    by: {
      test: 'packages/crypto/test/chacha-wasm.test.ts',
      title: 'every changed bit of a sealed message, its associated data, key or nonce is refused',
    },
  },
  {
    name: 'data-unauthenticated',
    what: 'the header of a short record is no part of what its tag covers',
    edits: edit(
      'packages/crypto/src/wasm/chacha20-poly1305.ts',
      '      blocks(i32.const(at.ad), adEnd, i64.const(1)),\n',
      '',
    ),
    by: {
      test: 'packages/crypto/test/chacha-wasm.test.ts',
      title: 'every changed bit of a sealed message, its associated data, key or nonce is refused',
    },
  },
  {
    name: 'datagram-repeated',
    what: 'a recorded datagram opens again',
    edits: edit(`${session}/datagram.ts`, '    state.window.mark(counter)\n', ''),
    by: {
      test: `${sessionTest}/datagram.test.ts`,
      title: 'loss and reordering harm nothing, and a doubled datagram is opened once',
    },
  },
  {
    name: 'amplification',
    what: 'a false source address draws more bytes than were sent in its name: a reflector',
    edits: edit(
      'packages/fabric/src/datagrams/paths.ts',
      '    return path.sentBytes + bytes <= amplificationMax * path.receivedBytes\n',
      '    return path.sentBytes + bytes > 0\n',
    ),
    by: {
      test: 'packages/fabric/test/datagram-paths.fuzz.test.ts',
      title:
        'whatever happens, an unproved address costs at most three times its bytes, and a channel knows few',
    },
  },
  {
    name: 'pool-unbounded',
    what: 'an agent opens as many sessions as it knows peers',
    edits: edit(
      'packages/fabric/src/pool.ts',
      'this.#dialling < this.#options.sessionsMax\n',
      'this.#dialling < Number.POSITIVE_INFINITY\n',
    ),
    by: {
      test: 'packages/node/test/connections.sim.test.ts',
      title:
        'a session is used again and again; beyond the most that may be open the one idle longest makes room',
    },
  },
  {
    name: 'handled-forgotten',
    what: 'a new session forgets which acknowledged messages were handled: their effect comes twice',
    edits: edit(
      'packages/fabric/src/delivery-receiver.ts',
      '    raiseFloor(memory, frame.floor)\n',
      "    raiseFloor(memory, frame.floor)\n    if (kind === 'sync') memory.expected = frame.floor\n",
    ),
    by: simulated('delivery'),
  },
  {
    name: 'pending-dropped',
    what: 'acknowledged messages that were under way when a session ended are never sent again',
    edits: edit(
      'packages/fabric/src/delivery-sender.ts',
      '    outbox.again = outbox.flight.values()\n',
      '    outbox.flight.clear()\n',
    ),
    by: simulated('delivery'),
  },
]
