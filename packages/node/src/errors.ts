// The errors of node. All codes with their mends: docs/reference/errors.md.

import { MyelinError } from '@myelin/base'

export type NodeErrorCode =
  | 'NODE_CONFIGURATION'
  | 'NODE_HOME'
  | 'NODE_JOIN'
  /** The other end of a control socket broke the protocol, or a parameter of a call is wrong. */
  | 'NODE_CONTROL'
  | 'NODE_DAEMON_ABSENT'
  | 'NODE_DAEMON_RUNS'
  /** A peer is not trusted, or not known by that name. */
  | 'NODE_PEER'
  /** A worker thread could not start, or died. */
  | 'NODE_WORKER'

export class NodeError extends MyelinError<NodeErrorCode> {}
