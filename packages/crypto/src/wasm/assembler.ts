// Writes WebAssembly modules: the part of the binary format (WebAssembly Core Specification 2.0, §5) that the ciphers
// here need. An instruction is a function of the code of its operands, so that a module reads as nested expressions:
// `i32.add(a.get, i32.const(1))`. Nothing is checked here: the engine validates the whole module when it compiles it.
// Pure.

/** Bytes, or lists of them: they are put into one row when their length is needed, and not at every step. */
export type Code = readonly (number | Code)[]
export type ValueType = 'i32' | 'i64' | 'v128'

const valueTypes: Readonly<Record<ValueType, number>> = { i32: 0x7f, i64: 0x7e, v128: 0x7b }
const end = 0x0b
const noResult = 0x40

/** §5.2.2: seven bits to a byte, the lowest first, the top bit says that more follow. */
export function encodeUnsigned(value: number): readonly number[] {
  const bytes: number[] = []
  let rest = value
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  return [...bytes, rest]
}

/** §5.2.2: as above, in two's complement; the sign is the second highest bit of the last byte. */
export function encodeSigned(value: bigint): readonly number[] {
  const bytes: number[] = []
  let rest = value
  while (rest < -0x40n || rest >= 0x40n) {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  return [...bytes, Number(rest & 0x7fn)]
}

/** One after the other. */
export function sequence(...parts: readonly Code[]): Code {
  return parts
}

/** The bytes themselves. */
export function flatten(code: Code): readonly number[] {
  const bytes: number[] = []
  append(bytes, code)
  return bytes
}

function append(bytes: number[], code: Code): void {
  for (let i = 0; i < code.length; i += 1) {
    const item = code[i] as number | Code
    if (typeof item === 'number') bytes.push(item)
    else append(bytes, item)
  }
}

export function repeat(times: number, part: (index: number) => Code): Code {
  return Array.from({ length: times }, (_, index) => part(index))
}

/** A variable of a function. */
export class Local {
  readonly type: ValueType
  readonly get: Code
  readonly #index: Code

  constructor(type: ValueType, index: number) {
    this.type = type
    this.#index = encodeUnsigned(index)
    this.get = [0x20, this.#index]
  }

  set(value: Code): Code {
    return [value, 0x21, this.#index]
  }
  /** Sets, and leaves the value as the result. */
  tee(value: Code): Code {
    return [value, 0x22, this.#index]
  }
}

type Binary = (left: Code, right: Code) => Code
type Load = (at: Code, offset?: number) => Code
type Store = (at: Code, value: Code, offset?: number) => Code

/** Numbers of vector instructions are LEB128 behind a prefix. */
const vector = (opcode: number): Code => [0xfd, ...encodeUnsigned(opcode)]

const binary =
  (opcode: Code): Binary =>
  (left, right) => [left, right, opcode]
// An alignment of 2^0 promises nothing: views may lie anywhere.
const load =
  (opcode: Code): Load =>
  (at, offset = 0) => [at, opcode, 0, encodeUnsigned(offset)]
const store =
  (opcode: Code): Store =>
  (at, value, offset = 0) => [at, value, opcode, 0, encodeUnsigned(offset)]

export const i32 = {
  const: (value: number): Code => [0x41, encodeSigned(BigInt(value))],
  add: binary([0x6a]),
  sub: binary([0x6b]),
  and: binary([0x71]),
  ltU: binary([0x49]),
  gtU: binary([0x4b]),
  leU: binary([0x4d]),
  eqz: (value: Code): Code => [value, 0x45],
  store: store([0x36]),
  store8: store([0x3a]),
}

export const i64 = {
  const: (value: number | bigint): Code => [0x42, encodeSigned(BigInt(value))],
  add: binary([0x7c]),
  mul: binary([0x7e]),
  and: binary([0x83]),
  or: binary([0x84]),
  xor: binary([0x85]),
  shrU: binary([0x88]),
  eqz: (value: Code): Code => [value, 0x50],
  extendI32: (value: Code): Code => [value, 0xad],
  load: load([0x29]),
  load32U: load([0x35]),
  store: store([0x37]),
  store32: store([0x3e]),
}

export const v128 = {
  const: (bytes: readonly number[]): Code => [vector(0x0c), bytes],
  load: load(vector(0x00)),
  /** One word into all four lanes. */
  load32Splat: load(vector(0x09)),
  store: store(vector(0x0b)),
  or: binary(vector(0x50)),
  xor: binary(vector(0x51)),
}

export const i32x4 = {
  const: (...words: readonly number[]): Code =>
    v128.const([...new Uint8Array(Uint32Array.from(words).buffer)]),
  add: binary(vector(0xae)),
  shl: (value: Code, bits: number): Code => [value, i32.const(bits), vector(0xab)],
  shrU: (value: Code, bits: number): Code => [value, i32.const(bits), vector(0xad)],
}

export const i8x16 = {
  /** Each byte of the result names a byte of `left` (0…15) or `right` (16…31). */
  shuffle: (left: Code, right: Code, bytes: readonly number[]): Code => [
    left,
    right,
    vector(0x0d),
    bytes,
  ],
}

export function when(condition: Code, then: Code, otherwise: Code = []): Code {
  const tail: Code = otherwise.length === 0 ? [] : [0x05, otherwise]
  return [condition, 0x04, noResult, then, tail, end]
}

export function whileLoop(condition: Code, body: Code): Code {
  // Label 0 is the `if`, label 1 the loop: a branch to a loop goes to its beginning.
  return [0x03, noResult, when(condition, [body, 0x0c, 1]), end]
}

/** Runs `body` once, and again as long as `condition` holds behind it. */
export function doWhile(body: Code, condition: Code): Code {
  return [0x03, noResult, body, condition, 0x0d, 0, end]
}

export interface Signature {
  readonly parameters: readonly ValueType[]
  readonly results: readonly ValueType[]
}

/** Where the body of a function gets its variables. */
export class FunctionScope {
  readonly parameters: readonly Local[]
  readonly #locals: Local[] = []

  constructor(parameters: readonly ValueType[]) {
    this.parameters = parameters.map((type, index) => new Local(type, index))
  }

  /** The parameter at `index`. */
  parameter(index: number): Local {
    const found = this.parameters[index]
    if (found === undefined) throw new RangeError(`there is no parameter ${index}`)
    return found
  }

  local(type: ValueType): Local {
    const made = new Local(type, this.parameters.length + this.#locals.length)
    this.#locals.push(made)
    return made
  }

  /** §5.4.9: each declaration is a count and a type. */
  get declarations(): readonly Code[] {
    return this.#locals.map(({ type }) => [1, valueTypes[type]])
  }
}

interface FunctionPart {
  readonly signature: Signature
  readonly body: Code
}

/** Calls take the code of their arguments. */
export type Call = (...values: readonly Code[]) => Code

/** Functions over one memory of their own. Functions are defined before they are called. */
export class ModuleWriter {
  readonly #functions: FunctionPart[] = []
  readonly #exports: Code[] = [[name('memory'), 0x02, 0]]
  readonly #pages: number

  constructor(pages: number) {
    this.#pages = pages
  }

  define(signature: Signature, write: (scope: FunctionScope) => Code, exportedAs?: string): Call {
    const scope = new FunctionScope(signature.parameters)
    const code = write(scope)
    const index = encodeUnsigned(this.#functions.length)
    this.#functions.push({ signature, body: [list(scope.declarations), code, end] })
    if (exportedAs !== undefined) this.#exports.push([name(exportedAs), 0x00, index])
    return (...values) => [values, 0x10, index]
  }

  /** §5.5.16. Every function has a type of its own: sharing them would save a few bytes. */
  encode(): Uint8Array<ArrayBuffer> {
    const all = this.#functions
    const types = all.map(({ signature }) => [
      0x60,
      list(signature.parameters.map((type) => [valueTypes[type]])),
      list(signature.results.map((type) => [valueTypes[type]])),
    ])
    const pages = encodeUnsigned(this.#pages)
    const indices = all.map((_, index) => encodeUnsigned(index))
    const bodies = all.map(({ body }) => sized(body))
    const module = [
      [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      section(1, types),
      section(3, indices),
      section(5, [[0x01, pages, pages]]),
      section(7, this.#exports),
      section(10, bodies),
    ]
    return Uint8Array.from(flatten(module))
  }
}

/** A vector in the words of the specification: a count, then the entries. */
function list(entries: readonly Code[]): Code {
  return [encodeUnsigned(entries.length), entries]
}

function sized(bytes: Code): Code {
  const row = flatten(bytes)
  return [encodeUnsigned(row.length), row]
}

function section(id: number, entries: readonly Code[]): Code {
  return [id, sized(list(entries))]
}

function name(text: string): Code {
  return sized([...new TextEncoder().encode(text)])
}
