// The message types that every agent knows: document 000's six (R033) and document 001's data, echo, ping and
// pong (R137). The numbers are fixed for ever; where document 000's origin has a byte below 64 for a type, it
// is kept (task 0x10, status 0x11, neural update 0x20, coordination 0x30).

import { assert, ok } from '@myelin/base'
import { WireError } from './errors.ts'
import {
  detailBytesMax,
  discoveryRecordBytesMax,
  discoveryRecordsMax,
  identifierBytesMax,
  messageTypeIdCustomMin,
  parametersMax,
  pingNonceBytes,
  tensorRankMax,
  tensorsMax,
} from './limits.ts'
import {
  bytes,
  type Check,
  count,
  either,
  finite,
  flag,
  fraction,
  listOf,
  mapOf,
  oneOf,
  optional,
  type SchemaTypeOptions,
  schemaType,
  text,
} from './message-schema.ts'
import { type MessageType, MessageTypes, type MessageTypesOptions } from './message-types.ts'

/** Work for an agent. */
export interface TaskAssignment {
  taskId: string
  /** What is to be done, in the application's words: `train`, `evaluate`. */
  kind: string
  round: number
  /** How long the worker has, in milliseconds from when it is handed the task. */
  deadlineMs?: number
  parameters: Record<string, number | string | boolean>
  body: Uint8Array
}

export interface StatusUpdate {
  state: 'idle' | 'ready' | 'busy' | 'done' | 'failed'
  taskId?: string
  /** 0 to 1. */
  progress?: number
  metrics?: Record<string, number>
  detail?: string
}

/** Parameters of a model, or what to change in them. */
export interface NeuralUpdate {
  model: string
  /** The task that it answers, where it answers one. */
  taskId?: string
  round: number
  kind: 'weights' | 'gradients' | 'delta'
  /** How many examples it was trained on: its weight in an average. */
  examples: number
  loss?: number
  /** One shape per tensor, in order; `[]` is a scalar. */
  shapes: number[][]
  /** The tensors' values one after another, 32-bit floats, little-endian. */
  data: Uint8Array
}

export interface Coordination {
  action: string
  /** The leader's term, where the action belongs to one. */
  term?: number
  body: Uint8Array
}

export interface Discovery {
  action: 'announce' | 'query' | 'leave'
  /** Signed peer records. */
  records: Uint8Array[]
}

export interface Heartbeat {
  sequence: number
  /** Wall clock, milliseconds since the Unix epoch. */
  sentMs: number
}

/** A pong returns its ping's nonce. */
export interface Ping {
  /** Eight bytes. */
  nonce: Uint8Array
}

export type Pong = Ping

/** The payload of each built-in type, for typed sending and handling. */
export interface BuiltInPayloads {
  data: Uint8Array
  echo: Uint8Array
  ping: Ping
  pong: Pong
  heartbeat: Heartbeat
  'task-assignment': TaskAssignment
  'status-update': StatusUpdate
  'neural-update': NeuralUpdate
  coordination: Coordination
  discovery: Discovery
}

export type BuiltInName = keyof BuiltInPayloads

const identifier = text(identifierBytesMax)
const parameter = either(either(finite, text(detailBytesMax)), flag)
const ping: { nonce: Check<Uint8Array> } = { nonce: bytes(pingNonceBytes) }

const record: Check<Uint8Array> = {
  expects: `a record of 1 to ${discoveryRecordBytesMax} bytes`,
  isOptional: false,
  accepts: (value): value is Uint8Array =>
    value instanceof Uint8Array && value.length > 0 && value.length <= discoveryRecordBytesMax,
}

/** Every built-in type under its name. */
export const builtInTypes: {
  readonly [Name in BuiltInName]: FixedType<BuiltInPayloads[Name]>
} = {
  data: rawType('data', 1),
  echo: rawType('echo', 2),
  ping: fixedType({ name: 'ping', id: 3, schema: ping }),
  pong: fixedType({ name: 'pong', id: 4, schema: ping }),
  heartbeat: fixedType<Heartbeat>({
    name: 'heartbeat',
    id: 5,
    schema: { sequence: count, sentMs: count },
  }),
  'task-assignment': fixedType<TaskAssignment>({
    name: 'task-assignment',
    id: 0x10,
    schema: {
      taskId: identifier,
      kind: identifier,
      round: count,
      deadlineMs: optional(count),
      parameters: mapOf(parameter, parametersMax, identifierBytesMax),
      body: bytes(),
    },
  }),
  'status-update': fixedType<StatusUpdate>({
    name: 'status-update',
    id: 0x11,
    schema: {
      state: oneOf('idle', 'ready', 'busy', 'done', 'failed'),
      taskId: optional(identifier),
      progress: optional(fraction),
      metrics: optional(mapOf(finite, parametersMax, identifierBytesMax)),
      detail: optional(text(detailBytesMax)),
    },
  }),
  'neural-update': fixedType<NeuralUpdate>({
    name: 'neural-update',
    id: 0x20,
    schema: {
      model: identifier,
      taskId: optional(identifier),
      round: count,
      kind: oneOf('weights', 'gradients', 'delta'),
      examples: count,
      loss: optional(finite),
      shapes: listOf(listOf(count, tensorRankMax), tensorsMax),
      data: bytes(),
    },
    relate: ({ shapes, data }) =>
      elementsOf(shapes) * 4 === data.length ? undefined : 'data_length_invalid',
  }),
  coordination: fixedType<Coordination>({
    name: 'coordination',
    id: 0x30,
    schema: { action: identifier, term: optional(count), body: bytes() },
  }),
  discovery: fixedType<Discovery>({
    name: 'discovery',
    id: 0x31,
    schema: {
      action: oneOf('announce', 'query', 'leave'),
      records: listOf(record, discoveryRecordsMax),
    },
  }),
}

/** A registry that holds the built-in types, for an application to add its own. */
export function builtInMessageTypes(
  options: Omit<MessageTypesOptions, 'fixed'> = {},
): MessageTypes {
  return new MessageTypes({ ...options, fixed: Object.values(builtInTypes) as MessageType[] })
}

type FixedType<Payload> = MessageType<Payload> & { readonly id: number }

/** Payloads that are bytes and nothing else: neither copied nor looked at. */
function rawType(name: string, id: number): FixedType<Uint8Array> {
  const encode = (payload: Uint8Array) => {
    if (payload instanceof Uint8Array) return payload
    throw new WireError('WIRE_PAYLOAD_INVALID', `a payload of ${name} must be a Uint8Array`)
  }
  return { name, id, encode, decode: (payload) => ok(payload) }
}

function fixedType<Payload extends object>(
  options: SchemaTypeOptions<Payload> & { readonly id: number },
): FixedType<Payload> {
  assert(options.id < messageTypeIdCustomMin, 'built-in numbers lie below those of applications')
  return { ...schemaType(options), id: options.id }
}

/** Absurd dimensions overflow to a number that no payload's length equals. */
function elementsOf(shapes: readonly (readonly number[])[]): number {
  let elements = 0
  for (const shape of shapes) elements += shape.reduce((product, size) => product * size, 1)
  return elements
}
