// Where the control endpoint of a home is.

import { join, resolve } from 'node:path'
import { ipcAddress } from '@myelin/transport'

/** The multiaddr of the socket of the daemon that lives in `home`. */
export function controlAddress(home: string): string {
  return ipcAddress(join(resolve(home), 'control.sock'))
}
