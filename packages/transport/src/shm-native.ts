// Memory that two processes share, on Linux, with node:ffi: an anonymous file (memfd_create) that its maker seals
// against shrinking and growing and the other side opens through /proc/<pid>/fd/<n>.
//
// Why not shm_open: a name in /dev/shm outlives a process that is killed between making and unlinking it, and
// any holder may truncate the file, after which the next access of the other side is a SIGBUS that ends its
// process. An anonymous file goes with its last holder, and once sealed its size cannot change (memfd_create(2),
// fcntl(2) F_ADD_SEALS). The kernel opens it for whoever may look into the maker's /proc/<pid>/fd: a process of
// the same user, in the same PID namespace.
//
// A view over unmapped memory would crash the process. `unmap` therefore detaches the ArrayBuffer first: every view
// that anyone kept has length 0 from then on, and its atomic operations throw.

import { closeSync, constants, fchmodSync, fstatSync, openSync, readlinkSync } from 'node:fs'
import { loadNodeFfi, type NodeFfi } from '@myelin/base/system'
import { TransportError } from './errors.ts'

/** What a process says of a file of its own, so that another can open it. */
export interface SegmentName {
  readonly pid: number
  readonly fd: number
  readonly bytes: number
}

export interface Segment {
  readonly buffer: ArrayBuffer
  /** Gives the memory back; views over it are empty afterwards. Once or more. */
  unmap(): void
}

/** A segment of this process, as long as others may still have to open it. */
export interface OwnSegment extends Segment {
  readonly name: SegmentName
  /** Nobody can open it any more; both mappings live on. Once or more. */
  seclude(): void
}

const fileName = 'myelin-shm'

// linux/memfd.h, linux/fcntl.h and sys/mman.h: the same on every 64-bit processor that Node runs on.
const closeOnExec = 0x1
const allowSealing = 0x2
const neverExecutable = 0x8
const addSeals = 1033
const getSeals = 1034
const sealSeals = 0x1
const sealShrink = 0x2
const sealGrow = 0x4
const readAndWrite = 0x1 | 0x2
const mapShared = 0x1
const mapFailed = 0xffff_ffff_ffff_ffffn

const definitions = {
  memfd_create: { arguments: ['string', 'uint32'], return: 'int32' },
  ftruncate: { arguments: ['int32', 'int64'], return: 'int32' },
  fcntl: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
  mmap: {
    arguments: ['pointer', 'uint64', 'int32', 'int32', 'int32', 'int64'],
    return: 'pointer',
  },
  munmap: { arguments: ['pointer', 'uint64'], return: 'int32' },
  sched_yield: { arguments: [], return: 'int32' },
} as const

interface Native {
  readonly ffi: NodeFfi
  readonly libc: ReturnType<typeof bind>
}

let loaded: Native | undefined

/** Whether this process can share memory. Loads node:ffi. */
export function canShareMemory(): boolean {
  try {
    native()
    return true
  } catch {
    return false
  }
}

/** Throws `TRANSPORT_UNAVAILABLE`, with what to do, where this process cannot share memory. */
export function requireSharedMemory(): void {
  native()
}

/** Makes a sealed segment of zeros. The caller owns it. */
export function createSegment(bytes: number): OwnSegment {
  const { libc } = native()
  const flags = closeOnExec | allowSealing
  // Kernels before 6.3 do not know the flag that forbids execution, and refuse it.
  let fd = libc.memfd_create(fileName, flags | neverExecutable)
  if (fd < 0) fd = libc.memfd_create(fileName, flags)
  if (fd < 0) throw exhausted()
  try {
    fchmodSync(fd, 0o600)
    if (libc.ftruncate(fd, BigInt(bytes)) !== 0) throw exhausted()
    if (libc.fcntl(fd, addSeals, sealSeals | sealShrink | sealGrow) !== 0) throw exhausted()
    let isOpen = true
    const seclude = () => {
      if (isOpen) closeSync(fd)
      isOpen = false
    }
    const { buffer, unmap } = map(fd, bytes)
    const release = () => {
      seclude()
      unmap()
    }
    return { buffer, name: { pid: process.pid, fd, bytes }, seclude, unmap: release }
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/**
 * Opens the segment of another process. What the name points at is looked at before it is mapped: it must be
 * an anonymous file of our kind and of that size, sealed against shrinking.
 */
export function openSegment({ pid, fd, bytes }: SegmentName): Segment {
  const { libc } = native()
  const path = `/proc/${pid}/fd/${fd}`
  let file: number
  try {
    if (!readlinkSync(path).startsWith(`/memfd:${fileName}`)) throw new Error('another file')
    // A name can be swapped for a pipe or terminal meanwhile: opening must neither wait nor take it over.
    const { O_RDWR, O_NONBLOCK, O_NOCTTY } = constants
    file = openSync(path, O_RDWR | O_NONBLOCK | O_NOCTTY)
  } catch (cause) {
    throw unreachableMemory(cause)
  }
  try {
    const { size, nlink } = fstatSync(file)
    const found = libc.fcntl(file, getSeals, 0)
    const isSealed = found >= 0 && (found & sealShrink) !== 0
    if (size !== bytes || nlink !== 0 || !isSealed) throw unreachableMemory(undefined)
    return map(file, bytes)
  } finally {
    closeSync(file)
  }
}

/** Lets another process run that waits for this processor. */
export function yieldProcessor(): void {
  native().libc.sched_yield()
}

function map(fd: number, bytes: number): Segment {
  const { ffi, libc } = native()
  const pointer = libc.mmap(0n, BigInt(bytes), readAndWrite, mapShared, fd, 0n)
  if (pointer === mapFailed) throw exhausted()
  const buffer = ffi.toArrayBuffer(pointer, bytes, false)
  const unmap = () => {
    if (buffer.detached) return
    // The memory goes to a buffer that nobody can reach, and `buffer` with all its views is empty.
    buffer.transfer()
    libc.munmap(pointer, BigInt(bytes))
  }
  return { buffer, unmap }
}

function native(): Native {
  loaded ??= load()
  return loaded
}

function load(): Native {
  const is64Bit = ['x64', 'arm64', 'riscv64', 'loong64', 'ppc64', 's390x'].includes(process.arch)
  if (process.platform !== 'linux' || !is64Bit)
    throw unavailable(`${process.platform}/${process.arch} is not 64-bit Linux`)
  const ffi = loadNodeFfi()
  if (ffi === undefined)
    throw unavailable(
      'this Node has no node:ffi; take 26.1 or newer, without --no-experimental-ffi',
    )
  try {
    return { ffi, libc: bind(ffi) }
  } catch (cause) {
    throw unavailable('node:ffi is not allowed here; start Node with --allow-ffi', cause)
  }
}

function bind(ffi: NodeFfi) {
  return ffi.dlopen(null, definitions).functions
}

function unavailable(reason: string, cause?: unknown): TransportError {
  const message = `shared memory cannot be used: ${reason}; or use /unix/… instead of /shm/…`
  return new TransportError('TRANSPORT_UNAVAILABLE', message, { cause, kind: 'usage' })
}

function unreachableMemory(cause: unknown): TransportError {
  const reason =
    'the memory of the peer cannot be opened; run both as one user in one PID namespace'
  return unavailable(reason, cause)
}

function exhausted(): TransportError {
  const message = 'the system gives no shared memory; close streams or raise its limits'
  return new TransportError('TRANSPORT_EXHAUSTED', message, { kind: 'recoverable' })
}
