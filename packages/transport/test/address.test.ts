import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TransportError } from '@myelin/transport'
import {
  addressError,
  addressFaults,
  ipcAddress,
  ipcPath,
  memoryName,
  parseAddress,
  pipePath,
  quicEndpoint,
  shmAddress,
  shmPath,
  splitPeer,
  tcpAddress,
  tcpEndpoint,
  tlsEndpoint,
  udpAddress,
  udpEndpoint,
  websocketEndpoint,
} from '../src/address.ts'

const peer = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA'

test('tcp addresses give host, port and family', () => {
  for (const [address, host, port, family] of [
    ['/ip4/192.0.2.1/tcp/4001', '192.0.2.1', 4001, 4],
    ['/ip6/2001:db8::1/tcp/0', '2001:db8::1', 0, 6],
    ['/dns/example.org/tcp/65535', 'example.org', 65_535, 0],
    ['/dns4/a_b.example.org./tcp/1', 'a_b.example.org.', 1, 4],
    ['/dns6/xn--bcher-kva.example/tcp/1', 'xn--bcher-kva.example', 1, 6],
    [`/ip4/192.0.2.1/tcp/4001/p2p/${peer}`, '192.0.2.1', 4001, 4],
  ] as const) {
    assert.deepEqual(tcpEndpoint(address), { ok: true, value: { host, port, family } }, address)
  }
})

test('tls and websocket addresses give their endpoint, in one canonical spelling', () => {
  const ip = { host: '192.0.2.1', port: 443, family: 4 }
  const name = { host: 'agent.example', port: 1, family: 0 }
  const serverName = 'front.example'
  for (const [text, kind, address, endpoint] of [
    ['/ip4/192.0.2.1/tcp/443/tls', 'tls', '/ip4/192.0.2.1/tcp/443/tls', ip],
    [
      '/dns/agent.example/tcp/1/tls/sni/front.example',
      'tls',
      '/dns/agent.example/tcp/1/tls/sni/front.example',
      { ...name, serverName },
    ],
    [
      '/ip4/192.0.2.1/tcp/443/ws',
      'websocket',
      '/ip4/192.0.2.1/tcp/443/ws',
      { ...ip, isTls: false },
    ],
    [
      `/ip4/192.0.2.1/tcp/443/wss/p2p/${peer}`,
      'websocket',
      '/ip4/192.0.2.1/tcp/443/tls/ws',
      { ...ip, isTls: true },
    ],
    [
      '/dns/agent.example/tcp/1/tls/sni/front.example/ws/',
      'websocket',
      '/dns/agent.example/tcp/1/tls/sni/front.example/ws',
      { ...name, serverName, isTls: true },
    ],
  ] as const) {
    const parsed = parseAddress(text)
    assert.ok(parsed.ok, text)
    assert.equal(parsed.value.kind, kind)
    assert.equal(parsed.value.address, address)
    assert.deepEqual(kind === 'tls' ? tlsEndpoint(text) : websocketEndpoint(text), {
      ok: true,
      value: endpoint,
    })
  }
})

test('quic addresses give ip, port and family, and are no udp addresses', () => {
  for (const [address, host, port, family] of [
    ['/ip4/192.0.2.1/udp/4001/quic-v1', '192.0.2.1', 4001, 4],
    [`/ip6/2001:db8::1/udp/0/quic-v1/p2p/${peer}`, '2001:db8::1', 0, 6],
  ] as const) {
    assert.deepEqual(quicEndpoint(address), { ok: true, value: { host, port, family } }, address)
    assert.deepEqual(udpEndpoint(address), { ok: false, fault: 'address_unsupported' })
  }
  const plain = quicEndpoint('/ip4/192.0.2.1/udp/1')
  assert.deepEqual(plain, { ok: false, fault: 'address_unsupported' })
})

test('udp addresses give ip, port and family, and are no tcp addresses', () => {
  for (const [address, host, port, family] of [
    ['/ip4/192.0.2.1/udp/4001', '192.0.2.1', 4001, 4],
    ['/ip6/2001:db8::1/udp/0', '2001:db8::1', 0, 6],
    [`/ip4/239.1.2.3/udp/65535/p2p/${peer}`, '239.1.2.3', 65_535, 4],
  ] as const) {
    assert.deepEqual(udpEndpoint(address), { ok: true, value: { host, port, family } }, address)
    assert.deepEqual(tcpEndpoint(address), { ok: false, fault: 'address_unsupported' })
    assert.equal(udpAddress(host, port), address.replace(/\/p2p.*/, ''))
  }
  assert.deepEqual(udpEndpoint('/ip4/192.0.2.1/tcp/1'), { ok: false, fault: 'address_unsupported' })
})

test('a unix path is one component with its slashes percent-encoded', () => {
  assert.deepEqual(ipcPath('/unix/%2Frun%2Fmy%20agent.sock'), {
    ok: true,
    value: '/run/my agent.sock',
  })
  assert.equal(ipcAddress('/run/my agent.sock'), '/unix/%2Frun%2Fmy%20agent.sock')
})

test('an shm address is that of its socket under a name of our own', () => {
  const parsed = parseAddress(`/shm/%2frun%2Fa.sock/ipfs/${peer}`)
  assert.deepEqual(parsed, {
    ok: true,
    value: { kind: 'shm', address: '/shm/%2Frun%2Fa.sock', peer, path: '/run/a.sock' },
  })
  assert.equal(shmAddress('/run/a.sock'), '/shm/%2Frun%2Fa.sock')
  assert.deepEqual(shmPath(shmAddress('/run/my agent')), { ok: true, value: '/run/my agent' })
  for (const [address, fault] of [
    ['/shm/', 'address_malformed'],
    ['/shm/run/agent.sock', 'address_malformed'],
    ['/shm/agent.sock', 'address_path'],
    ['/shm/%2Frun%00', 'address_path'],
    [`/shm/%2Fa/p2p/nobody`, 'address_peer'],
    ['/shm/%2Fa/tcp/1', 'address_unsupported'],
  ] as const)
    assert.deepEqual(parseAddress(address), { ok: false, fault }, address)
  assert.deepEqual(shmPath('/unix/%2Fa'), { ok: false, fault: 'address_unsupported' })
  assert.deepEqual(ipcPath('/shm/%2Fa'), { ok: false, fault: 'address_unsupported' })
})

test('an address is read into its canonical spelling, without the peer', () => {
  const parsed = parseAddress(`/ip6/2001:DB8:0::1/tcp/80/ipfs/${peer}`)
  assert.deepEqual(parsed, {
    ok: true,
    value: {
      kind: 'tcp',
      address: '/ip6/2001:db8::1/tcp/80',
      peer,
      endpoint: { host: '2001:db8::1', port: 80, family: 6 },
    },
  })
})

test('each fault of an address has its name', () => {
  for (const [address, fault] of [
    ['', 'address_empty'],
    [`/dns4/${'a.'.repeat(600)}b/tcp/1`, 'address_long'],
    ['localhost:4001', 'address_slash'],
    ['tcp://localhost:4001', 'address_slash'],
    ['/ip4/localhost/tcp/1', 'address_malformed'],
    ['/ip4/1.2.3/tcp/1', 'address_malformed'],
    ['/ip4/1.2.3.4/tcp', 'address_malformed'],
    ['/unix/run/agent.sock', 'address_malformed'],
    ['/unix/%zz', 'address_malformed'],
    ['/ip4/1.2.3.4/tcp/65536', 'address_port'],
    ['/ip4/1.2.3.4/tcp/080', 'address_port'],
    ['/ip4/1.2.3.4/tcp/-1', 'address_port'],
    ['/ip4/1.2.3.4/tcp/http', 'address_port'],
    ['/dns4/exa mple.org/tcp/1', 'address_host'],
    ['/dns4/bücher.example/tcp/1', 'address_host'],
    ['/dns4/-a.example/tcp/1', 'address_host'],
    ['/dns4/a..b/tcp/1', 'address_host'],
    [`/dns4/${'a'.repeat(64)}.example/tcp/1`, 'address_host'],
    ['/unix/agent.sock', 'address_path'],
    ['/unix/%2Frun%2F', 'address_path'],
    ['/unix/%2Frun%00', 'address_path'],
    ['/memory/a%2Fb', 'address_name'],
    [`/memory/${'a'.repeat(129)}`, 'address_name'],
    ['/ip4/1.2.3.4/tcp/1/p2p/nobody', 'address_peer'],
    ['/ip4/1.2.3.4', 'address_unsupported'],
    ['/ip4/1.2.3.4/udp/1/quic', 'address_unsupported'],
    ['/dns4/example.org/udp/1/quic-v1', 'address_unsupported'],
    ['/ip4/1.2.3.4/udp/1/quic-v1/webtransport', 'address_unsupported'],
    ['/dns4/agent.example/udp/1', 'address_unsupported'],
    ['/ip4/1.2.3.4/udp/65536', 'address_port'],
    ['/ip4/1.2.3.4/tcp/1/ws/tls', 'address_unsupported'],
    ['/ip4/1.2.3.4/tcp/1/tls/wss', 'address_unsupported'],
    ['/ip4/1.2.3.4/tcp/1/sni/agent.example', 'address_unsupported'],
    ['/ip4/1.2.3.4/udp/1/tls', 'address_unsupported'],
    ['/ip4/1.2.3.4/tcp/1/tls/sni/1.2.3.4', 'address_host'],
    ['/ip4/1.2.3.4/tcp/1/tls/sni/agent.example.', 'address_host'],
    ['/ip4/1.2.3.4/tcp/1/tls/sni/a%2Fb/ws', 'address_host'],
    ['/dns4/a..b/tcp/1/wss', 'address_host'],
    ['/ip4/1.2.3.4/tcp/65536/wss', 'address_port'],
    [`/p2p/${peer}`, 'address_unsupported'],
    [`/ip4/1.2.3.4/tcp/1/p2p/${peer}/p2p-circuit`, 'address_unsupported'],
    ['/', 'address_unsupported'],
  ] as const) {
    assert.deepEqual(parseAddress(address), { ok: false, fault }, address)
  }
})

test('an address of another form than asked for is unsupported there', () => {
  const fault = { ok: false, fault: 'address_unsupported' }
  assert.deepEqual(tcpEndpoint('/memory/a'), fault)
  assert.deepEqual(ipcPath('/memory/a'), fault)
  assert.deepEqual(tcpEndpoint('/ip4/127.0.0.1/tcp/1/tls'), fault)
  assert.deepEqual(tlsEndpoint('/ip4/127.0.0.1/tcp/1'), fault)
  assert.deepEqual(tlsEndpoint('/ip4/127.0.0.1/tcp/1/tls/ws'), fault)
  assert.deepEqual(websocketEndpoint('/ip4/127.0.0.1/tcp/1/tls'), fault)
  assert.deepEqual(memoryName('/ip4/127.0.0.1/tcp/1'), fault)
})

test('splitPeer takes the last peer id off and leaves any other text as it is', () => {
  for (const [text, address, id] of [
    [`/ip4/1.2.3.4/tcp/1/p2p/${peer}`, '/ip4/1.2.3.4/tcp/1', peer],
    [`/unix/%2Fa/ipfs/${peer}/`, '/unix/%2Fa', peer],
    [`/memory/a/p2p/x/p2p-circuit/p2p/${peer}`, '/memory/a/p2p/x/p2p-circuit', peer],
    [`/p2p/${peer}`, '', peer],
    ['/ip4/1.2.3.4/tcp/1', '/ip4/1.2.3.4/tcp/1', undefined],
    ['/memory/p2p', '/memory/p2p', undefined],
    ['nonsense', 'nonsense', undefined],
    ['', '', undefined],
  ] as const) {
    assert.deepEqual(splitPeer(text), id === undefined ? { address } : { address, peer: id }, text)
  }
})

test('a windows pipe path is made of the socket path, one pipe per path', () => {
  const pipe = (path: string) => pipePath(path, 'win32')
  const value = (text: string) => ({ ok: true, value: text })
  assert.deepEqual(pipe('/run/myelin/agent.sock'), value('\\\\.\\pipe\\run\\myelin\\agent.sock'))
  assert.deepEqual(pipe('C:\\myelin\\agent'), value('\\\\.\\pipe\\C:\\myelin\\agent'))
  assert.deepEqual(pipe('\\\\.\\pipe\\agent'), value('\\\\.\\pipe\\agent'))
  assert.deepEqual(pipe('\\\\?\\PIPE\\agent'), value('\\\\?\\PIPE\\agent'))
  assert.notDeepEqual(pipe('/a/b'), pipe('/a-b'))
  // CreateNamedPipe: the whole name has at most 256 characters; the prefix takes nine of them.
  assert.deepEqual(pipe(`/${'a'.repeat(247)}`), value(`\\\\.\\pipe\\${'a'.repeat(247)}`))
  assert.deepEqual(pipe(`/${'a'.repeat(248)}`), { ok: false, fault: 'address_path' })
})

test('on unix a pipe path is the path itself, and a windows path is refused', () => {
  assert.deepEqual(pipePath('/run/a.sock', 'linux'), { ok: true, value: '/run/a.sock' })
  assert.deepEqual(pipePath('C:\\a', 'darwin'), { ok: false, fault: 'address_path' })
})

test('the address of a socket leaves the zone of a link-local peer out', () => {
  assert.equal(tcpAddress('fe80::1%eth0', 80), '/ip6/fe80::1/tcp/80')
  assert.equal(tcpAddress('192.0.2.1', 80), '/ip4/192.0.2.1/tcp/80')
})

test('an address error shows the address cut and quoted, and names the mend', () => {
  const error = addressError(`evil\n${'x'.repeat(500)}`, 'address_slash')
  assert.ok(error instanceof TransportError)
  assert.equal(error.code, 'TRANSPORT_ADDRESS')
  assert.ok(error.message.length < 250)
  assert.ok(!error.message.includes('\n'))
  assert.ok(error.message.endsWith(addressFaults.address_slash))
})
