// The errors of node. All codes with their mends: docs/reference/errors.md.

import { MyelinError } from '@myelin/base'

export type NodeErrorCode = 'NODE_CONFIGURATION' | 'NODE_HOME' | 'NODE_JOIN'

export class NodeError extends MyelinError<NodeErrorCode> {}
