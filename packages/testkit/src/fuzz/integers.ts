// Integers as binary formats write them, and the values of each width at which decoders go wrong.

/** How a format may write a length or a number at some offset. */
export interface IntegerForm {
  readonly bytes: 1 | 2 | 4 | 8
  readonly isLittleEndian: boolean
}

export const integerForms: readonly IntegerForm[] = [
  { bytes: 1, isLittleEndian: false },
  { bytes: 2, isLittleEndian: false },
  { bytes: 4, isLittleEndian: false },
  { bytes: 8, isLittleEndian: false },
  { bytes: 2, isLittleEndian: true },
  { bytes: 4, isLittleEndian: true },
]

/** Where signs, widths and the exact integers of a double end. */
const boundaries: readonly bigint[] = [
  0n,
  1n,
  0x7fn,
  0x80n,
  0xffn,
  0x100n,
  0x7fffn,
  0x8000n,
  0xffffn,
  0x1_0000n,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  0x1_0000_0000n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
]

/** The boundaries that a width can hold. */
export const boundariesOf: Readonly<Record<IntegerForm['bytes'], readonly bigint[]>> = {
  1: within(1),
  2: within(2),
  4: within(4),
  8: within(8),
}

function within(bytes: number): readonly bigint[] {
  return boundaries.filter((value) => value < 2n ** BigInt(8 * bytes))
}

/** Zero beyond the end of the bytes. */
export function readInteger(bytes: Uint8Array, offset: number, form: IntegerForm): bigint {
  let value = 0n
  for (let i = 0; i < form.bytes; i += 1) {
    const at = form.isLittleEndian ? offset + form.bytes - 1 - i : offset + i
    value = value * 256n + BigInt(bytes[at] ?? 0)
  }
  return value
}

/** Writes the low bytes of `value`, in place; what would lie beyond the end is lost. */
export function writeInteger(
  bytes: Uint8Array,
  offset: number,
  form: IntegerForm,
  value: bigint,
): void {
  let rest = BigInt.asUintN(8 * form.bytes, value)
  for (let i = form.bytes - 1; i >= 0; i -= 1) {
    const at = form.isLittleEndian ? offset + form.bytes - 1 - i : offset + i
    if (at < bytes.length) bytes[at] = Number(rest & 0xffn)
    rest >>= 8n
  }
}

/** What a length field may become so that it lies: by one, by everything, by what is left of the input. */
export function twistedLengths(
  value: bigint,
  bytesBehind: number,
  form: IntegerForm,
): readonly bigint[] {
  const most = 2n ** BigInt(8 * form.bytes) - 1n
  const behind = BigInt(bytesBehind)
  return [
    value + 1n,
    value - 1n,
    value * 2n,
    behind,
    behind + 1n,
    behind - 1n,
    0n,
    most,
    most >> 1n,
  ]
}
