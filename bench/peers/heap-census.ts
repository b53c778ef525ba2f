// What stands on the heap, by kind of object: name, count and bytes of their own, from a snapshot of V8. An object
// without a name of its own, such as the elements of an array, is named after what holds it.

import { getHeapSnapshot } from 'node:v8'

/** Count and bytes by name. */
type Counts = Record<string, [count: number, bytes: number]>

export interface Census {
  /** Each object under its own name. */
  readonly kinds: Counts
  /** Arrays, buffers, closures and the like are counted to the instance of a class that holds them. */
  readonly owners: Counts
}

/** Classes of the language: what they hold belongs to whoever holds them. */
const plain = new Set([
  'Object',
  'Array',
  'ArrayBuffer',
  'Buffer',
  'Map',
  'Promise',
  'Set',
  'Uint8Array',
  'Uint32Array',
  'WeakRef',
])

interface Snapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: readonly string[]
      readonly node_types: readonly [readonly string[], ...unknown[]]
      readonly edge_fields: readonly string[]
      readonly edge_types: readonly [readonly string[], ...unknown[]]
    }
  }
  readonly nodes: readonly number[]
  readonly edges: readonly number[]
  readonly strings: readonly string[]
}

const collections = 2

export async function heapCensus(): Promise<Census> {
  for (let i = 0; i < collections; i += 1) globalThis.gc?.()
  const chunks: Buffer[] = []
  for await (const chunk of getHeapSnapshot()) chunks.push(chunk as Buffer)
  return count(JSON.parse(Buffer.concat(chunks).toString()) as Snapshot)
}

function count({ snapshot: { meta }, nodes, edges, strings }: Snapshot): Census {
  const field = (name: string) => meta.node_fields.indexOf(name)
  const [typeAt, nameAt, sizeAt, edgesAt] = ['type', 'name', 'self_size', 'edge_count'].map(field)
  const [nodeTypes, edgeTypes] = [meta.node_types[0], meta.edge_types[0]]
  const step = meta.node_fields.length
  const edgeStep = meta.edge_fields.length
  const at = (index: number) => nodes[index] as number
  // The edges of all nodes follow each other in the order of the nodes.
  const firstEdge = new Map<number, number>()
  for (let node = 0, edge = 0; node < nodes.length; node += step) {
    firstEdge.set(node, edge)
    edge += at(node + (edgesAt as number)) * edgeStep
  }
  const holders = new Map<number, string>([[0, '(root)']])
  const owners = new Map<number, string>([[0, '(root)']])
  const queue = [0]
  const census: Census = { kinds: {}, owners: {} }
  const typeOf = (node: number) => nodeTypes[at(node + (typeAt as number))] as string
  const nameOf = (node: number) => strings[at(node + (nameAt as number))] as string
  // Breadth first: the shortest way from the roots says who holds an object.
  for (const node of queue) {
    const [type, name] = [typeOf(node), nameOf(node)]
    const isNamed =
      (type === 'object' || type === 'native') && name !== 'Object' && name !== 'Array'
    const isOwner = isNamed && !plain.has(name) && !name.startsWith('system /')
    const owner = isOwner ? name : (owners.get(node) as string)
    const bytes = at(node + (sizeAt as number))
    add(census.kinds, isNamed ? name : `${holders.get(node)}: ${type} ${name.slice(0, 60)}`, bytes)
    add(census.owners, owner, bytes)
    const holder = type === 'object' || type === 'closure' ? name || '(closure)' : `(${type})`
    const first = firstEdge.get(node) as number
    const end = first + at(node + (edgesAt as number)) * edgeStep
    for (let edge = first; edge < end; edge += edgeStep) {
      const kind = edgeTypes[edges[edge] as number] as string
      const target = edges[edge + 2] as number
      if (kind === 'weak' || holders.has(target)) continue
      const isNumbered = kind === 'element' || kind === 'hidden'
      holders.set(target, `${holder}.${isNumbered ? '#' : strings[edges[edge + 1] as number]}`)
      owners.set(target, owner)
      queue.push(target)
    }
  }
  return census
}

function add(counts: Counts, name: string, bytes: number): void {
  const [count, sum] = counts[name] ?? [0, 0]
  counts[name] = [count + 1, sum + bytes]
}
