// Bounds on one log line. Fields may hold what a peer sent, so no field can make a line endless.

import { assert, kib } from '@myelin/base'

/** Characters of one text that are written; the rest is counted. */
export const logTextLengthMax = 4 * kib

/** Entries of one array, map or object that are written. */
export const logEntriesMax = 64

/** Nesting below a field. */
export const logDepthMax = 5

/** Values of one event over all depths; with it the product of the other bounds does not matter. */
export const logValuesMax = 512

/** Bytes shown as hex: an agent id or a hash. Longer ones may be content and show as their length. */
export const logBytesShownMax = 32

/** Errors followed along `cause`. */
export const logCausesMax = 5

assert(logEntriesMax < logValuesMax, 'one full array must fit an event')
