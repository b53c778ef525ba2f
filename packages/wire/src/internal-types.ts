// Message types that the library itself speaks, below those of applications: they carry acknowledged messages
// (docs/protocol.md §8) and say that a session is left for another. Their numbers are fixed like those of the
// built-in types; an application neither sends nor handles nor registers them.

/** Acknowledged messages: one message, or what the receiver must know of the sender's sequence. */
export const deliveryTypeName = 'delivery'
/** What became of acknowledged messages. */
export const deliveryAckTypeName = 'delivery-ack'
/** A request: nothing new follows in this session. */
export const handoverTypeName = 'handover'
/** Agreements on channels and groups of datagrams (docs/protocol.md §12). */
export const datagramControlTypeName = 'datagram-control'

export const internalTypes: ReadonlyMap<string, number> = new Map([
  [deliveryTypeName, 6],
  [deliveryAckTypeName, 7],
  [handoverTypeName, 8],
  [datagramControlTypeName, 9],
])
