// Bounds on what configuration files and variables may hold. An operator writes them, but a mistake (a log
// file named as configuration, a YAML bomb copied from somewhere) must end in a fault, not in a dead process.

import { assert, kib } from '@myelin/base'

/** Largest configuration file that is read: a thousand peers and room to spare. */
export const configurationFileBytesMax = 256 * kib

/** Deepest nesting of arrays and tables within a file. The settings themselves need three levels. */
export const nestingDepthMax = 32

/** Expansions of YAML aliases per file: enough for reuse, far too few for an entity bomb. */
export const yamlAliasesMax = 100

/** Faults that one load reports; the rest is counted. */
export const faultsMax = 100

/** Items of one list setting, unless the setting says less. */
export const listItemsMax = 1024

/** Characters of one text value. */
export const textLengthMax = 4 * kib

/** Characters of a refused value that a fault quotes. */
export const quotedLengthMax = 60

assert(quotedLengthMax < textLengthMax, 'a fault quotes less than a value may hold')
