import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as transport from '@myelin/transport'

test('the package exports these values and no others', () => {
  assert.deepEqual(Object.keys(transport).sort(), [
    'MemoryNetwork',
    'MemoryStream',
    'TransportError',
    'addressFaults',
    'dialWithDeadline',
    'ipc',
    'ipcAddress',
    'ipcPath',
    'memory',
    'memoryDatagram',
    'memoryName',
    'parseAddress',
    'pinOf',
    'pipePath',
    'quic',
    'quicEndpoint',
    'shm',
    'shmAddress',
    'shmPath',
    'splitPeer',
    'tcp',
    'tcpAddress',
    'tcpEndpoint',
    'tls',
    'tlsEndpoint',
    'tlsGroups',
    'tlsSuites',
    'transports',
    'udp',
    'udpAddress',
    'udpEndpoint',
    'unnamedAddress',
    'websocket',
    'websocketEndpoint',
  ])
})
