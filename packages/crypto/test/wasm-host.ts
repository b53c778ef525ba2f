import type { WebAssemblyHost } from '../src/chacha-wasm.ts'

/** WebAssembly, of which the types of Node say nothing. */
export const webAssembly: WebAssemblyHost = Reflect.get(globalThis, 'WebAssembly')

/** What a module exports, once it is compiled. */
export function exportsOf<Exports>(bytes: Uint8Array): Exports {
  const { exports } = new webAssembly.Instance(new webAssembly.Module(bytes))
  return exports as Exports
}
