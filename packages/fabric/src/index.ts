/**
 * The agent's API: send, request, stream, broadcast; and the coordinator that hands tasks to workers. Agents
 * are created by `createAgent` of @myelin/node.
 *
 * ```ts
 * import type { Agent } from '@myelin/fabric'
 *
 * async function greet(alice: Agent, bob: string): Promise<void> {
 *   alice.handle('status-update', ({ payload, from }) => console.log(from, payload.state))
 *   await alice.send(bob, 'data', new TextEncoder().encode('hello'))
 *   const answer = await alice.request(bob, 'echo', new Uint8Array([1, 2, 3]))
 *   console.log(answer.payload)
 *   for await (const { payload } of alice.messages('data')) console.log(payload.length)
 * }
 * console.log(greet.name)
 * ```
 */

export { AddressBook, type KnownPeer } from './address-book.ts'
export {
  type Agent,
  type BroadcastOutcome,
  type DeliveryOptions,
  type Handler,
  type PeerEvent,
  type PeerInfo,
  type PeerTarget,
  type Received,
  reply,
  type SendOptions,
  type Traffic,
  TypedReply,
} from './agent.ts'
export { type BackoffOptions, backoffMs } from './backoff.ts'
export { CircuitBreaker, type CircuitOptions, type CircuitState } from './circuit-breaker.ts'
export {
  Coordinator,
  type CoordinatorEvent,
  type CoordinatorOptions,
  type WorkerInfo,
} from './coordinator.ts'
export {
  type CoordinatorClient,
  connectCoordinator,
  type WorkLoopOptions,
  workLoop,
} from './coordinator-client.ts'
export type {
  DatagramChannel,
  DatagramStats,
  GroupOptions,
  GroupStats,
  MulticastGroup,
  OwnedGroup,
  ReceivedDatagram,
  ReceivedFromGroup,
} from './datagrams/ports.ts'
export type { DeliveryCounts } from './delivery-receiver.ts'
export type { OutboxOptions } from './delivery-sender.ts'
export type { ConnectOptions } from './dialer.ts'
export type { DispatchCounts } from './dispatcher.ts'
export type { DoorwayCounts } from './doorway.ts'
export { FabricError, type FabricErrorCode, Refusal } from './errors.ts'
export { type DeliveryStats, Fabric, type FabricParts } from './fabric.ts'
export type { HealthFault } from './health.ts'
export { Keeper, type KeeperParts, type KeepOptions } from './keeper.ts'
export type { EvictionReason, PoolOptions, PoolStats } from './pool.ts'
export { type BoardCounts, type ReportVerdict, TaskBoard } from './task-board.ts'
