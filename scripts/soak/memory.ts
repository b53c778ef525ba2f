// What this process holds, after a collection, so that garbage is not taken for a leak.

export interface MemorySample {
  readonly heapBytes: number
  /** Buffers outside of the heap. */
  readonly externalBytes: number
  readonly rssBytes: number
}

export async function memorySample(): Promise<MemorySample> {
  const { gc } = globalThis as { gc?: () => void }
  // Finalizers of the first collection free what the second one finds.
  for (let i = 0; i < 2; i += 1) {
    gc?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { heapUsed, external, rss } = process.memoryUsage()
  return { heapBytes: heapUsed, externalBytes: external, rssBytes: rss }
}
