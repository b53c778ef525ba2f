// node:ffi, where this Node has it and this process may use it (Node 26.1, Linux and others; not under
// --no-experimental-ffi, nor under --permission without --allow-ffi).

export type NodeFfi = typeof import('node:ffi')

/** Undefined where there is none. Never throws for want of it. */
export function loadNodeFfi(): NodeFfi | undefined {
  const emit = process.emitWarning
  const pass = emit as (...parts: readonly unknown[]) => void
  // Node warns, as it loads the module, that it is experimental. We know; other warnings pass.
  process.emitWarning = (...parts: readonly unknown[]) => {
    if (parts[1] !== 'ExperimentalWarning') pass.apply(process, [...parts])
  }
  try {
    return process.getBuiltinModule('node:ffi')
  } catch {
    return undefined
  } finally {
    process.emitWarning = emit
  }
}
