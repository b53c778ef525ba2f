// Where things lie in the memory of the ChaCha20-Poly1305 module, in bytes. What is secret lies between `key` and
// `secretsEnd`, and in the message itself.

/** RFC 8439 §2.3: the initial state is the constant, the key, the counter and the nonce, in this order. */
export const at = {
  state: 0,
  key: 16,
  counter: 48,
  nonce: 52,
  /** Four blocks. The first 32 bytes of block 0 are the one-time key of Poly1305 (§2.6). */
  keystream: 64,
  /** Poly1305: r and h as limbs of 64 bits that hold 32, s as its bytes, the tag. */
  r: 320,
  h: 352,
  s: 392,
  tag: 408,
  secretsEnd: 424,
  /** The two lengths of §2.8. */
  lengths: 432,
  ad: 448,
  /** Behind the associated data there is a vector of room to pad it. */
  message: 1088,
} as const

export const pageBytes = 65_536
