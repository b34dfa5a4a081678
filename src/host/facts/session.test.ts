import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type HostValues, hostOf } from '../../../test/support/host-of-values.ts'
import { encodeAttribute, encodeMessage, NLMSG_ERROR, readAttributes, readMessages } from '../../system/netlink.ts'
import { askForConnection, readMark } from './connection-mark.ts'
import { lookAtSession, parseSshConnection } from './session.ts'

const row = (local: string, peer: string, state: string, inode: number): string =>
  `   0: ${local} ${peer} ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0 100\n`
const TCP = `head\n${row('00000000:0016', '00000000:0000', '0A', 10)}${row('0200000A:0016', '0100000A:D431', '01', 11)}`
const stat = (pid: number, name: string, parent: number): Record<string, string> => ({
  [`/proc/${pid}/stat`]: `${pid} (${name}) S ${parent} 1 1`,
})
const MARKED = encodeMessage({ type: 0x100, flags: 0 }, new Uint8Array(4), [
  encodeAttribute(8, Uint8Array.of(0, 0x20, 0, 0)),
])
const TOLD = '10.0.0.1 54321 10.0.0.2 22'

async function session(values: HostValues): Promise<string> {
  const files = { '/proc/self/net/tcp': TCP, ...values.files }
  const found = await lookAtSession(hostOf({ netfilter: [MARKED], ...values, files, pid: 100 }))
  if (!found.known) return `not known: ${found.because}`
  if (found.value.kind === 'local') return 'local'
  const { connection, by, mark } = found.value
  const { peer, peerPort, local, localPort } = connection
  return `${peer} ${peerPort} ${local} ${localPort} by ${by}, mark ${mark.known ? String(mark.value) : mark.because}`
}

describe('the session', () => {
  const shell = { ...stat(100, 'node', 90), ...stat(90, 'bash', 80) }
  const sudo = {
    ...shell,
    ...stat(80, 'sudo', 70),
    ...stat(70, 'bash', 60),
    ...stat(60, 'sshd-session', 50),
    ...stat(50, 'sshd-session', 9),
  }
  const tmux = { ...shell, ...stat(80, 'tmux: server', 1), ...stat(1, 'systemd', 0) }
  const socket = { '/proc/50/fd/4': 'socket:[11]' }
  const stale = { SSH_CONNECTION: '10.0.0.1 1111 10.0.0.2 22' }
  for (const [what, values, wanted] of [
    [
      'is that of the ssh server among the parents',
      { files: sudo, links: socket },
      '10.0.0.1 54321 10.0.0.2 22 by parents, mark 2097152',
    ],
    [
      'what the parents say counts more',
      { files: sudo, links: socket, environment: stale },
      '10.0.0.1 54321 10.0.0.2 22 by parents, mark 2097152',
    ],
    [
      'is what the environment says, if such a connection exists',
      { files: tmux, environment: { SSH_CONNECTION: TOLD } },
      '10.0.0.1 54321 10.0.0.2 22 by SSH_CONNECTION, mark 2097152',
    ],
    [
      'is not that of an earlier login',
      { files: tmux, environment: stale },
      'not known: SSH_CONNECTION is that of an earlier login: this program runs in tmux: server',
    ],
    [
      'is not known of a connection that is gone',
      { files: shell, environment: stale },
      'not known: the connection that SSH_CONNECTION names does not exist on this host',
    ],
    [
      'is not known in tmux',
      { files: tmux },
      'not known: this program runs in tmux: server, which does not say who uses it',
    ],
    [
      'is not known where the server hides its sockets',
      { files: sudo },
      'not known: the ssh server that runs this program does not show its connection',
    ],
    ['is local at a console', { files: { ...shell, ...stat(80, 'login', 1) } }, 'local'],
  ] as const)
    it(what, async () => {
      assert.equal(await session(values), wanted)
    })

  it('of a connection that is not tracked has no mark', async () => {
    const gone = encodeMessage({ type: NLMSG_ERROR, flags: 0 }, new Uint8Array(new Int32Array([-2]).buffer), [])
    const denied = encodeMessage({ type: NLMSG_ERROR, flags: 0 }, new Uint8Array(new Int32Array([-1]).buffer), [])
    assert.deepEqual(readMark(gone), { known: true, value: undefined })
    assert.deepEqual(readMark(denied), {
      known: false,
      because: 'the kernel does not show the connection: EPERM, operation not permitted',
    })
    assert.equal(readMark(new Uint8Array(3)).known, false)
    assert.match(await session({ files: sudo, links: socket, netfilter: [gone] }), /mark undefined$/)
  })

  it('SSH_CONNECTION is read strictly', () => {
    assert.equal(parseSshConnection('fd00::1 54321 fd00::2 22')?.peer, 'fd00::1')
    for (const text of ['', '10.0.0.1 22', 'a b c d', '10.0.0.1 0 10.0.0.2 22', '10.0.0.1 1 10.0.0.2 99999'])
      assert.equal(parseSshConnection(text), undefined, text)
  })

  it('the kernel is asked by the answers of this host, also where the port was led elsewhere', () => {
    const connection = parseSshConnection(TOLD)
    assert.ok(connection)
    const [message] = [...readMessages(askForConnection(connection))]
    assert.equal(message?.type, 0x101)
    const tuple = readAttributes(message?.body.subarray(4) ?? new Uint8Array()).get(2)
    const ip = readAttributes(readAttributes(tuple ?? new Uint8Array()).get(1) ?? new Uint8Array())
    assert.deepEqual([...(ip.get(1) ?? [])], [10, 0, 0, 2])
    assert.deepEqual([...(ip.get(2) ?? [])], [10, 0, 0, 1])
  })
})
