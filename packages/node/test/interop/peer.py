"""A second implementation of the session protocol, written from docs/protocol.md: joins by token, asks, answers.

Reads a join token from the standard input. Arguments: the number of the Noise pattern (1 XKhfs, 2 XXhfs) and of
the cipher suite (1 ChaCha20-Poly1305, 2 AES-256-GCM). Prints one word for each thing that worked. Needs
cryptography >= 47, which has ML-KEM.
"""

import base64
import hashlib
import hmac
import os
import socket
import struct
import sys
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

MAGIC = bytes.fromhex("deadbeef01")
ENCRYPTED = 2
RECORD_DOMAIN = b"myelin peer record 1"
PATTERNS = {
    1: b"Noise_XKhfs_25519+MLKEM768_ChaChaPoly_SHA256",
    2: b"Noise_XXhfs_25519+MLKEM768_ChaChaPoly_SHA256",
}
HEAD_BYTES = {0: 1, 1: 9, 2: 9, 3: 17, 4: 4, 5: 1, 6: 4, 8: 16, 9: 12, 10: 12, 11: 7, 12: 7, 13: 9, 14: 13, 15: 5}
WINDOW = 1 << 20


def sha256(data):
    return hashlib.sha256(data).digest()


def hkdf_expand(key, info, length):
    block, out, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.new(key, block + info + bytes([counter]), hashlib.sha256).digest()
        out, counter = out + block, counter + 1
    return out[:length]


def public(key):
    return key.public_key().public_bytes_raw()


class Symmetric:
    """The SymmetricState of Noise, rev 34 section 5.2."""

    def __init__(self, name):
        self.hash = sha256(name) if len(name) > 32 else name.ljust(32, b"\0")
        self.chain, self.key, self.counter = self.hash, None, 0

    def mix_hash(self, data):
        self.hash = sha256(self.hash + data)

    def mix_key(self, secret):
        output = hkdf_expand(hmac.new(self.chain, secret, hashlib.sha256).digest(), b"", 64)
        self.chain, self.key, self.counter = output[:32], output[32:], 0

    def _nonce(self):
        self.counter += 1
        return bytes(4) + struct.pack("<Q", self.counter - 1)

    def encrypt(self, plaintext):
        sealed = ChaCha20Poly1305(self.key).encrypt(self._nonce(), plaintext, self.hash) if self.key else plaintext
        self.mix_hash(sealed)
        return sealed

    def decrypt(self, sealed):
        opened = ChaCha20Poly1305(self.key).decrypt(self._nonce(), sealed, self.hash) if self.key else sealed
        self.mix_hash(sealed)
        return opened

    def split(self):
        output = hkdf_expand(hmac.new(self.chain, b"", hashlib.sha256).digest(), b"", 64)
        return output[:32], output[32:]


class Direction:
    """The record keys of one direction."""

    def __init__(self, key, agreement):
        self.secret = hkdf_expand(key, b"myelin traffic" + agreement, 32)
        self.cipher = ChaCha20Poly1305 if agreement[1] == 1 else AESGCM
        self._derive()

    def _derive(self):
        self.aead = self.cipher(hkdf_expand(self.secret, b"myelin key", 32))
        self.iv, self.counter = hkdf_expand(self.secret, b"myelin iv", 12), 0

    def update(self):
        self.secret = hkdf_expand(self.secret, b"myelin key update", 32)
        self._derive()

    def nonce(self):
        self.counter += 1
        return bytes(a ^ b for a, b in zip(self.iv, (self.counter - 1).to_bytes(12, "big")))


class Wire:
    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), timeout=20)

    def read(self, length):
        data = b""
        while len(data) < length:
            chunk = self.socket.recv(length - len(data))
            if not chunk:
                raise SystemExit("the peer hung up")
            data += chunk
        return data

    def packet(self):
        header = self.read(10)
        assert header[:5] == MAGIC, header
        return header, self.read(struct.unpack(">I", header[6:])[0])

    def send_clear(self, payload):
        self.socket.sendall(MAGIC + b"\0" + struct.pack(">I", len(payload)) + payload)


class Token:
    def __init__(self, text):
        data = base64.urlsafe_b64decode(text.removeprefix("myelin-join-") + "===")
        assert data[0] == 1 and sha256(data[:-4])[:4] == data[-4:]
        self.issuer, self.static, self.secret = data[1:33], data[33:65], data[73:105]
        length = struct.unpack(">H", data[106:108])[0]
        _, _, self.host, _, port = data[108 : 108 + length].decode().split("/")
        self.port = int(port)


class Session:
    def __init__(self, token, pattern, suite):
        self.wire, self.token, self.pattern, self.suite = Wire(token.host, token.port), token, pattern, suite
        self.started_ms = int(time.time() * 1000)
        self.noise = Symmetric(PATTERNS[pattern])
        self.ephemeral, self.static = X25519PrivateKey.generate(), X25519PrivateKey.generate()
        self.identity, self.kem = Ed25519PrivateKey.generate(), MLKEM768PrivateKey.generate()
        self.received = 0
        self._hello()
        challenge = self._accept()
        self._finish(challenge)

    def _hello(self):
        noise = self.noise
        noise.mix_hash(b"myelin session" + bytes([self.pattern]))
        if self.pattern == 1:
            noise.mix_hash(self.token.static)
        message = public(self.ephemeral)
        noise.mix_hash(message)
        if self.pattern == 1:
            noise.mix_key(self.ephemeral.exchange(X25519PublicKey.from_public_bytes(self.token.static)))
        message += noise.encrypt(self.kem.public_key().public_bytes_raw())
        offers = bytes([1, 1, 1, self.suite, 1, 0])
        message += noise.encrypt(struct.pack(">Q", self.started_ms) + os.urandom(32) + offers)
        self.wire.send_clear(bytes([self.pattern]) + message)

    def _accept(self):
        header, payload = self.wire.packet()
        if payload[0] == 0xFF and len(payload) == 3:
            raise SystemExit("alert %d" % struct.unpack(">H", payload[1:]))
        noise, rest = self.noise, payload
        self.peer_ephemeral, rest = X25519PublicKey.from_public_bytes(rest[:32]), rest[32:]
        noise.mix_hash(payload[:32])
        noise.mix_key(self.ephemeral.exchange(self.peer_ephemeral))
        ciphertext, rest = noise.decrypt(rest[: 1088 + 16]), rest[1088 + 16 :]
        noise.mix_key(self.kem.decapsulate(ciphertext))
        static = self.token.static
        if self.pattern == 2:
            static, rest = noise.decrypt(rest[:48]), rest[48:]
            noise.mix_key(self.ephemeral.exchange(X25519PublicKey.from_public_bytes(static)))
        accept = noise.decrypt(rest)
        challenge, self.agreement = accept[8:40], accept[40:43]
        assert self.agreement == bytes([1, self.suite, 0]), self.agreement
        length = struct.unpack(">H", accept[43:45])[0]
        record = accept[45 : 45 + length]
        assert accept[45 + length :] == b"\0\0"
        assert record[1:33] == self.token.issuer and record[57:89] == static
        Ed25519PublicKey.from_public_bytes(record[1:33]).verify(record[-64:], RECORD_DOMAIN + record[:-64])
        return challenge

    def _finish(self, challenge):
        noise, now = self.noise, self.started_ms
        record = b"\1" + public(self.identity) + struct.pack(">QQQ", 1, now, now + 60_000) + public(self.static)
        record += bytes([6]) + b"python" + b"\0\0"
        record += self.identity.sign(RECORD_DOMAIN + record)
        finish = challenge + struct.pack(">H", len(record)) + record + struct.pack(">H", 32) + self.token.secret + b"\0\0"
        message = noise.encrypt(public(self.static))
        noise.mix_key(self.static.exchange(self.peer_ephemeral))
        self.wire.send_clear(message + noise.encrypt(finish))
        sending, receiving = noise.split()
        self.out, self.incoming = Direction(sending, self.agreement), Direction(receiving, self.agreement)
        kind, head, body = self.frames()[0]
        if kind == 4:
            raise SystemExit("refused %d" % struct.unpack(">H", head[1:3]))
        assert kind == 3, kind
        self.send(b"\3" + struct.pack(">IIII", WINDOW, 1 << 18, 16, 1 << 22))

    def send(self, frames):
        header = MAGIC + bytes([ENCRYPTED]) + struct.pack(">I", len(frames) + 16)
        self.wire.socket.sendall(header + self.out.aead.encrypt(self.out.nonce(), frames, header))

    def frames(self):
        header, payload = self.wire.packet()
        assert header[5] == ENCRYPTED, "neither clear nor compressed: no compression was agreed"
        record = self.incoming.aead.decrypt(self.incoming.nonce(), payload, header)
        found, at = [], 0
        while at < len(record):
            kind = record[at]
            head = record[at : at + HEAD_BYTES[kind]]
            at += len(head)
            length = head[3] if kind in (4, 6) else 0
            if kind in (8, 9, 10):
                length = struct.unpack(">I", head[-4:])[0]
            found.append((kind, head, record[at : at + length]))
            at += length
            if kind == 5:
                self.incoming.update()
        return found

    def until(self, wanted):
        """The first answer that `wanted` gives to a frame; grants credit for everything that arrives."""
        while True:
            for kind, head, body in self.frames():
                if kind in (8, 9, 10):
                    self.received += len(head) + len(body)
                    self.send(b"\x0d" + struct.pack(">Q", self.received + WINDOW))
                answer = wanted(kind, head, body)
                if answer is not None:
                    return answer

    def message(self, flags, type_id, number, payload):
        elapsed = int(time.time() * 1000) - self.started_ms
        return struct.pack(">BBHIII", 8, flags, type_id, number, elapsed, len(payload)) + payload


REQUEST, RESPONSE, FAILURE, MORE = 1, 2, 4, 8
ECHO = 2


def echo(session):
    session.send(session.message(REQUEST, ECHO, 0, b"hello from python"))
    answer = session.until(lambda kind, head, body: body if kind == 8 and head[1] & RESPONSE else None)
    assert answer == b"hello from python"


def large_after_key_update(session):
    session.send(b"\0\5")
    session.out.update()
    payload, part, got = os.urandom(300_000), 60_000, bytearray()
    session.send(session.message(REQUEST | MORE, ECHO, 1, payload[:part]))
    for at in range(part, len(payload), part):
        chunk = payload[at : at + part]
        more = MORE if at + part < len(payload) else 0
        session.send(struct.pack(">BBHII", 9, more, 0, 1, len(chunk)) + chunk)

    def collect(kind, head, body):
        if kind not in (8, 9) or not head[1] & RESPONSE:
            return None
        got.extend(body)
        return None if head[1] & MORE else True

    session.until(collect)
    assert bytes(got) == payload


def unknown_type(session):
    define = b"\6" + struct.pack(">H", 64) + b"\4nope"
    session.send(define + session.message(REQUEST, 64, 2, b""))
    failed = RESPONSE | FAILURE
    answer = session.until(lambda kind, head, body: body if kind == 8 and head[1] & failed == failed else None)
    assert struct.unpack(">H", answer[:2])[0] == 6, answer


def stream(session):
    define = b"\6" + struct.pack(">H", 65) + b"\3cat"
    session.send(define + struct.pack(">BBHII", 10, 1, 65, 0, 3) + b"abc")
    session.send(struct.pack(">BBHII", 10, 2, 0, 0, 3) + b"def")
    got = bytearray()

    def collect(kind, head, body):
        if kind != 10:
            return None
        got.extend(body)
        return True if head[1] & 2 else None

    session.until(collect)
    assert bytes(got) == b"abcdef"


def ping(session):
    session.send(b"\1" + b"12345678")
    session.until(lambda kind, head, body: True if kind == 2 and head[1:] == b"12345678" else None)


def broken_rule(session):
    session.send(b"\7")
    code = session.until(lambda kind, head, body: struct.unpack(">H", head[1:3])[0] if kind == 4 else None)
    assert code == 3, code


def main():
    token = Token(sys.stdin.read().strip())
    session = Session(token, int(sys.argv[1]), int(sys.argv[2]))
    print("joined", flush=True)
    for step in (echo, large_after_key_update, unknown_type, stream, ping, broken_rule):
        step(session)
        print(step.__name__, flush=True)


main()
