// What may carry the sessions of a swarm on one machine.

/** Where the coordinator listens, by what carries the sessions. */
export const listenAddresses = {
  tcp: () => '/ip4/127.0.0.1/tcp/0',
  websocket: () => '/ip4/127.0.0.1/tcp/0/ws',
  quic: () => '/ip4/127.0.0.1/udp/0/quic-v1',
  ipc: (path: string) => `/unix/${encodeURIComponent(path)}`,
  shm: (path: string) => `/shm/${encodeURIComponent(path)}`,
} as const

export type SwarmTransport = keyof typeof listenAddresses

export const swarmTransports = Object.keys(listenAddresses) as readonly SwarmTransport[]
