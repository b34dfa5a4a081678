import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hostOf, unitsText } from '../../../test/support/host-of-values.ts'
import { known, notKnown } from '../known.ts'
import { isForOthers, lookAtListening } from './listening.ts'
import { parseProcess } from './processes.ts'
import { parseSocketTable } from './socket-table.ts'
import { judgeSshd, parseListen, sshPorts } from './sshd.ts'
import { parseUnits } from './systemd.ts'

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'
const row = (local: string, peer: string, state: string, inode: number): string =>
  `   0: ${local} ${peer} ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0000000000000000 100 0 0 10 0\n`
const TCP = `${HEAD}${row('00000000:0016', '00000000:0000', '0A', 11)}${row('0200000A:0016', '0100000A:D431', '01', 12)}${row('0100007F:1538', '00000000:0000', '0A', 13)}`
const SIX = '0'.repeat(32)
const TCP6 = `${HEAD}${row(`${SIX}:0016`, `${SIX}:0000`, '0A', 14)}${row('0000000000000000FFFF00000200000A:0016', '0000000000000000FFFF00000100000A:D432', '01', 15)}`
const UDP = `${HEAD}${row('00000000:F2F9', '00000000:0000', '07', 16)}${row('00000000:0000', '00000000:0000', '07', 17)}${row('0200000A:0035', '0100000A:1111', '01', 18)}`

describe('the tables of sockets', () => {
  it('say who listens and who is connected; a mapped address is IPv4', () => {
    const rows = [...parseSocketTable(TCP, 'tcp', 4, 'LE'), ...parseSocketTable(TCP6, 'tcp', 6, 'LE')]
    assert.deepEqual(
      rows.map(({ family, local, peer, state, inode }) => [
        family,
        `${local.address} ${local.port}`,
        `${peer.address} ${peer.port}`,
        state,
        inode,
      ]),
      [
        [4, '0.0.0.0 22', '0.0.0.0 0', 'listening', '11'],
        [4, '10.0.0.2 22', '10.0.0.1 54321', 'established', '12'],
        [4, '127.0.0.1 5432', '0.0.0.0 0', 'listening', '13'],
        [6, ':: 22', ':: 0', 'listening', '14'],
        [6, '10.0.0.2 22', '10.0.0.1 54322', 'established', '15'],
      ],
    )
    assert.deepEqual(parseSocketTable('nonsense\n', 'tcp', 4), [])
  })

  it('a process may have any name', () => {
    assert.deepEqual(parseProcess('7 (a) b (c)) S 3 7 7 0'), { pid: 7, name: 'a) b (c)', parent: 3 })
    assert.equal(parseProcess(''), undefined)
  })
})

const files = {
  '/proc/self/net/tcp': TCP,
  '/proc/self/net/tcp6': TCP6,
  '/proc/self/net/udp': UDP,
  '/proc/5/stat': '5 (sshd) S 1 5 5',
  '/proc/6/stat': '6 (postgres) S 1 6 6',
}
const links = { '/proc/5/fd/3': 'socket:[11]', '/proc/5/fd/4': 'socket:[14]', '/proc/6/fd/9': 'socket:[13]' }

describe('listening services', () => {
  it('are those that wait, with the programs that hold them', () => {
    const found = lookAtListening(hostOf({ files, links }))
    assert.ok(found.known)
    assert.deepEqual(
      found.value.map(({ protocol, family, address, port, programs }) => [
        `${protocol}${family} ${address} ${port}`,
        programs.known && programs.value.map(({ pid, name }) => `${name} ${pid}`).join(),
      ]),
      [
        ['tcp4 0.0.0.0 22', 'sshd 5'],
        ['tcp4 127.0.0.1 5432', 'postgres 6'],
        ['tcp6 :: 22', 'sshd 5'],
        ['udp4 0.0.0.0 62201', ''],
      ],
    )
    assert.deepEqual(found.value.map(isForOthers), [true, false, true, true])
  })
})

describe('the ssh server', () => {
  const listening = lookAtListening(hostOf({ files, links }))
  const socket = known(
    parseUnits(unitsText({ 'ssh.socket': { ActiveState: 'active', Listen: '[::]:2222 (Stream)' } })) ?? new Map(),
  )

  it('is found by its program, or by the socket of systemd', () => {
    const held = judgeSshd(listening, notKnown('no systemd'))
    assert.ok(held.known)
    assert.deepEqual(sshPorts(held.value), [22])
    const both = judgeSshd(listening, socket)
    assert.ok(both.known)
    assert.deepEqual(sshPorts(both.value), [2222, 22])
  })

  it('is not known where programs are not, unless systemd tells all there is', () => {
    assert.ok(listening.known)
    const hidden = known(listening.value.map((each) => ({ ...each, programs: notKnown('only root may see') })))
    assert.deepEqual(judgeSshd(hidden, notKnown('no systemd')), { known: false, because: 'only root may see' })
    assert.deepEqual(judgeSshd(known([]), notKnown('no systemd')), { known: true, value: [] })
  })

  it('what systemd listens on is read', () => {
    assert.deepEqual(
      ['0.0.0.0:22 (Stream)', '[fd00::1]:22 (Stream)', '/run/x.sock (Stream)', '0.0.0.0:53 (Datagram)'].map((text) =>
        parseListen(text).map(({ address, port }) => `${address} ${port}`),
      ),
      [['0.0.0.0 22'], ['fd00::1 22'], [], []],
    )
  })
})
