// A frame sink that only counts, and hears of the close.

import type { FrameSink } from '@myelin/wire'

export interface FrameCounts {
  any(): void
  close(code: number): void
}

export function frameReader({ any, close }: FrameCounts): FrameSink {
  return {
    pingReceived: any,
    pongReceived: any,
    settingsReceived: any,
    closeReceived: (code) => close(code),
    keyUpdateReceived: any,
    defineTypeReceived: any,
    messageReceived: any,
    messagePartReceived: any,
    streamReceived: any,
    streamResetReceived: any,
    streamStopReceived: any,
    maxDataReceived: any,
    maxStreamDataReceived: any,
    maxStreamsReceived: any,
  }
}
