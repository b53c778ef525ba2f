// The bounds of guard.

/** Roles in a policy, and patterns in each of their lists. */
export const rolesMax = 64
export const patternsMax = 256
/** Peers whose rates are kept; the one quiet for longest is forgotten first. */
export const peersMax = 10_000
/** Security events kept in memory for `recent`. */
export const recentEventsMax = 256
/** Types whose verdict is cached for a peer. */
export const verdictsCachedMax = 1024
/** Refusals of one kind by one peer that are logged each second; the rest are only counted. */
export const refusalsLoggedPerSecond = 5

/** Rates that a peer may keep up, and what it may do at once (R073). */
export const defaultRates = {
  messagesPerSecond: 200_000,
  messagesBurst: 400_000,
  bytesPerSecond: 1_073_741_824,
  bytesBurst: 1_073_741_824,
} as const
