import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectionElements, parseTcpTable } from './connections.ts'

const header = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'
const row = (local: string, peer: string, state: string): string =>
  `   7: ${local} ${peer} ${state} 00000000:00000000 00:00000000 00000000     0        0 53370 1 0000000000000000 20 4 30 10 -1\n`
const peers = (text: string, order: 'LE' | 'BE' = 'LE') =>
  parseTcpTable(header + text, order).map(({ peer, peerPort, port }) => `${peer} ${peerPort} ${port}`)

test('who is connected to which port, as the kernel lists it', () => {
  assert.deepEqual(peers(row('0100010A:0016', '0200010A:C350', '01')), ['10.1.0.2 50000 22'])
  assert.deepEqual(peers(row('0A010001:0016', '0A010002:C350', '01'), 'BE'), ['10.1.0.2 50000 22'])
  const local = '000001FD000000000000000001000000:0016'
  assert.deepEqual(peers(row(local, '000001FD000000000000000002000000:0400', '01')), ['fd01::2 1024 22'])
})

test('an IPv4 peer of a socket for both families is an IPv4 peer', () => {
  const local = '0000000000000000FFFF00000100010A:0016'
  assert.deepEqual(peers(row(local, '0000000000000000FFFF00000200010A:C350', '01')), ['10.1.0.2 50000 22'])
})

test('what listens, begins or is over is no connection', () => {
  for (const state of ['02', '03', '06', '07', '09', '0A', '0B', '0C']) {
    assert.deepEqual(peers(row('0100010A:0016', '0200010A:C350', state)), [], state)
  }
  for (const state of ['04', '05', '08']) assert.equal(peers(row('0100010A:0016', '0200010A:C350', state)).length, 1)
  assert.deepEqual(peers('rubbish\n'), [])
})

test('each is one element, and there are never more than the sets hold', () => {
  const [connection] = parseTcpTable(row('0100010A:0016', '0200010A:C350', '01'), 'LE')
  assert.ok(connection)
  assert.deepEqual(connectionElements([connection, connection]), [{ set: 'known4', key: '10.1.0.2 . 50000 . 22' }])
  const many = Array.from({ length: 70_000 }, (_, i) => ({
    ...connection,
    peer: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`,
  }))
  assert.equal(connectionElements(many as (typeof connection)[]).length, 65_535)
})
