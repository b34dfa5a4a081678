/**
 * The policy of a host that has none (docs/POLICY.md), under real nftables: what is closed, what a knock opens, which
 * sources count as forged, and what lives on. Each is asserted by a connection, over IPv4 and IPv6.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseTcpTable } from '../../src/firewall/nftables/connections.ts'
import type { HostPolicy } from '../../src/host/policy/policy.ts'
import { REMOVE_TABLE, renderPolicy, renderSessions } from '../../src/host/policy/render.ts'
import { addressBytes, type IpAddress } from '../../src/packet/address.ts'
import { port } from '../../src/units.ts'
import { Daemon, ghostportCommand, knock, stanza } from '../support/daemon.ts'
import { addresses, createLab, families, type Lab } from '../support/firewall-lab.ts'
import { POLICY } from '../support/host-policy.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'

const skip = netnsUnavailable()
const tcp = (...numbers: number[]) => numbers.map((number) => ({ protocol: 'tcp', port: port(number) }) as const)

function load(host: Host, text: string): void {
  host.must(['nft', '-f', '-'], { input: text })
}

describe('the policy of a host', { skip }, () => {
  let lab: Lab
  before(async () => {
    lab = await createLab()
  })
  after(() => lab?.[Symbol.asyncDispose]())

  const reach = (at: string, to: number, from = lab.c1) => from.tcp(at, to, { timeoutMs: 300 })
  /** Packets that the last rule of a chain dropped. */
  const dropped = (chain: string): number => {
    const listing = lab.server.must(['nft', 'list', 'chain', 'inet', 'ghostport_policy', chain])
    return Number(/counter packets (\d+) bytes \d+ drop\n\t\}/.exec(listing)?.[1])
  }
  /** Packets that a chain logged. The log itself belongs to the machine, and no namespace reads it. */
  const logged = (chain: string): number => {
    const listing = lab.server.must(['nft', 'list', 'chain', 'inet', 'ghostport_policy', chain])
    return Number(/log prefix "DROP [A-Z ]*" counter packets (\d+)/.exec(listing)?.[1])
  }

  it('lets sessions live on that are older than it, though nothing tracked them', async () => {
    const sessions = await Promise.all(families.map((family) => lab.c1.connect(addresses[family].forC1, 22)))
    const outward = await Promise.all(families.map((family) => lab.server.connect(addresses[family].inner, 8443)))
    const table = (name: string) => parseTcpTable(readFileSync(`/proc/thread-self/net/${name}`, 'latin1'))
    load(lab.server, renderPolicy({ ...POLICY, out: [] }) + renderSessions([...table('tcp'), ...table('tcp6')]))
    for (const session of [...sessions, ...outward]) {
      assert.equal(await session.echoes(), true)
      await session.close()
    }
    for (const family of families) assert.equal(await reach(addresses[family].forC1, 22), 'timeout')
  })

  for (const family of families) {
    const at = addresses[family]

    it(`IPv${family}: closes every port, and opens those that it names, for those that it names`, async () => {
      load(lab.server, renderPolicy(POLICY))
      for (const to of [22, 25, 80, 9999]) assert.equal(await reach(at.forC1, to), 'timeout', `${to}`)
      assert.equal(await lab.c1.udp(at.forC1, 53), 'timeout')
      const before = [logged('input'), dropped('input')]
      assert.equal(await reach(at.forC1, 22), 'timeout')
      assert.ok(logged('input') > Number(before[0]) && dropped('input') > Number(before[1]))

      const length = family === 4 ? 32 : 128
      load(
        lab.server,
        renderPolicy({
          ...POLICY,
          allow: [...tcp(80), { protocol: 'udp', port: port(53) }],
          allowFrom: [{ network: { prefix: at.c2, length }, ports: tcp(22) }],
        }),
      )
      assert.equal(await reach(at.forC1, 80), 'web')
      assert.equal(await lab.c1.udp(at.forC1, 53), 'dns')
      assert.equal(await reach(at.forC1, 22), 'timeout')
      assert.equal(await reach(at.forC2, 22, lab.c2), 'ssh')
      assert.equal(await reach(at.forC2, 25, lab.c2), 'timeout')
      // All ports of a source, all of an interface.
      load(lab.server, renderPolicy({ ...POLICY, allowFrom: [{ network: { prefix: at.c2, length }, ports: [] }] }))
      assert.equal(await reach(at.forC2, 25, lab.c2), 'mail')
      load(lab.server, renderPolicy({ ...POLICY, trusted: ['eth0' as never] }))
      assert.equal(await reach(at.forC1, 25), 'mail')
      assert.equal(await reach(at.forC2, 25, lab.c2), 'timeout')
    })

    it(`IPv${family}: loopback is open, and leaves no line in the log`, async () => {
      load(lab.server, renderPolicy({ ...POLICY, out: [] }))
      const before = ['input', 'output', 'spoofed', 'invalid'].map(dropped)
      assert.equal(await lab.server.tcp(family === 4 ? '127.0.0.1' : '::1', 22), 'ssh')
      assert.equal(await lab.server.tcp(at.forC1, 22), 'ssh')
      assert.deepEqual(['input', 'output', 'spoofed', 'invalid'].map(dropped), before)
    })

    it(`IPv${family}: a forged source is dropped before any port is looked at`, async () => {
      const forge = (address: string): void => {
        lab.c1.must([
          'ip',
          'address',
          'add',
          `${address}/${family === 4 ? 32 : 128}`,
          'dev',
          'eth0',
          ...(family === 6 ? ['nodad'] : []),
        ])
      }
      const elsewhere = family === 4 ? '10.2.0.77' : 'fd02::77'
      const own = at.forC2
      const martian = family === 4 ? '240.0.0.1' : undefined
      load(lab.server, renderPolicy({ ...POLICY, allow: tcp(80) }))
      for (const source of [elsewhere, own, ...(martian === undefined ? [] : [martian])]) {
        forge(source)
        const before = [dropped('spoofed'), logged('spoofed')]
        assert.equal(await lab.c1.tcp(at.forC1, 80, { source, timeoutMs: 300 }), 'timeout', source)
        assert.ok(dropped('spoofed') > Number(before[0]), `${source} was not taken for forged`)
      }
      assert.ok(logged('spoofed') > 0)
      // Any way back is enough for a host with several; its own addresses are never enough.
      load(lab.server, renderPolicy({ ...POLICY, allow: tcp(80), reversePath: 'loose' }))
      const count = dropped('spoofed')
      await lab.c1.tcp(at.forC1, 80, { source: elsewhere, timeoutMs: 300 })
      assert.equal(dropped('spoofed'), count)
      for (const reversePath of ['loose', 'off'] as const) {
        load(lab.server, renderPolicy({ ...POLICY, allow: tcp(80), reversePath }))
        await lab.c1.tcp(at.forC1, 80, { source: own, timeoutMs: 300 })
        assert.ok(dropped('spoofed') > 0, `own address, ${reversePath}`)
      }
      for (const source of [elsewhere, own, ...(martian === undefined ? [] : [martian])])
        lab.c1.must(['ip', 'address', 'delete', `${source}/${family === 4 ? 32 : 128}`, 'dev', 'eth0'])
    })

    it(`IPv${family}: neighbours find each other again after they have forgotten each other`, async () => {
      load(lab.server, renderPolicy({ ...POLICY, allow: tcp(80), out: tcp(8443) }))
      for (const host of [lab.c1, lab.server, lab.inner]) host.must(['ip', `-${family}`, 'neigh', 'flush', 'all'])
      assert.equal(await lab.c1.tcp(at.forC1, 80, { timeoutMs: 3000 }), 'web')
      for (const host of [lab.c1, lab.server, lab.inner]) host.must(['ip', `-${family}`, 'neigh', 'flush', 'all'])
      assert.equal(await lab.server.tcp(at.inner, 8443, { timeoutMs: 3000 }), `inner for ${at.near}`)
    })

    it(`IPv${family}: ping is answered within a limit, or not at all`, async () => {
      const answered = (requests: number) =>
        Number(lab.c1.must([process.execPath, '-e', echoScript(at.forC1, requests)]))
      load(lab.server, renderPolicy(POLICY))
      assert.equal(answered(3), 3)
      const many = answered(100)
      assert.ok(many >= 15 && many < 60, `${many} of 100`)
      load(lab.server, renderPolicy({ ...POLICY, ping: false }))
      assert.equal(answered(3), 0)
    })

    it(`IPv${family}: what this host begins goes anywhere, or only where the policy says`, async () => {
      load(lab.server, renderPolicy(POLICY))
      await lab.inner.listen([{ protocol: 'tcp', port: 7000, banner: 'seven' }])
      assert.equal(await lab.server.tcp(at.inner, 7000), 'seven')
      load(lab.server, renderPolicy({ ...POLICY, out: tcp(8443) }))
      assert.equal(await lab.server.tcp(at.inner, 7000, { timeoutMs: 300 }), 'timeout')
      assert.equal(await lab.server.tcp(at.inner, 8443), `inner for ${at.near}`)
      assert.ok(logged('output') > 0)
      await lab.inner.unlisten('tcp', 7000)
    })

    it(`IPv${family}: what it passes on is dropped, or left alone`, async () => {
      load(lab.server, renderPolicy(POLICY))
      assert.equal(await reach(at.inner, 8443), 'timeout')
      load(lab.server, renderPolicy({ ...POLICY, forward: 'leave' }))
      assert.equal(await reach(at.inner, 8443), `inner for ${at.c1}`)
    })
  }

  it('an invalid packet is dropped and logged as such', async () => {
    load(lab.server, renderPolicy({ ...POLICY, allow: tcp(22) }))
    const before = [dropped('invalid'), logged('invalid')]
    // A reset for a connection that never was.
    lab.c1.must([process.execPath, '-e', resetScript('10.1.0.2', '10.1.0.1')])
    assert.ok(dropped('invalid') > Number(before[0]) && logged('invalid') > Number(before[1]))
  })

  for (const mode of ['mark', 'gate'] as const)
    it(`a knock opens a port, in ${mode} mode, for its sender, to this host and through it`, async () => {
      const settings = [
        'ENABLE_IPT_FORWARDING Y',
        `FIREWALL_MODE ${mode}`,
        ...(mode === 'gate' ? ['PROTECTED_PORTS tcp/22'] : []),
        'CONNTRACK_MARK 0x400000',
      ]
      const daemon = await Daemon.start(lab.net, lab.server, {
        access: stanza(['OPEN_PORTS tcp/22, tcp/8443', 'FW_ACCESS_TIMEOUT 3', 'NAT_TARGETS 10.3.0.2:8443']),
        server: settings,
      })
      try {
        const show = ghostportCommand('policy', 'show', '-c', daemon.path('fwknopd.conf'), '--forward', 'drop')
        load(lab.server, lab.server.must(show))
        assert.doesNotMatch(
          lab.server.must(
            ghostportCommand(
              'serve',
              '--exit-parse-config',
              '-c',
              daemon.path('fwknopd.conf'),
              '-a',
              daemon.path('access.conf'),
            ),
          ),
          /HOST_/,
        )
        for (const family of families) {
          const at = addresses[family]
          assert.equal(await reach(at.forC1, 22), 'timeout')
          knock(lab.c1, at.forC1, '-A', 'tcp/22', '-s')
          await lab.c1.until('ssh', { protocol: 'tcp', address: at.forC1, port: 22 })
          assert.equal(await reach(at.forC2, 22, lab.c2), 'timeout')
          const session = await lab.c1.connect(at.forC1, 22)
          await lab.c1.until('timeout', { protocol: 'tcp', address: at.forC1, port: 22 })
          assert.equal(await session.echoes(), true)
          await session.close()
        }
        knock(lab.c1, '10.1.0.1', '-A', 'tcp/8443', '-s', '-N', '10.3.0.2:8443')
        await lab.c1.until('inner for 10.1.0.2', { protocol: 'tcp', address: '10.1.0.1', port: 8443 })
        assert.equal(await reach('10.2.0.1', 8443, lab.c2), 'timeout')
      } finally {
        await daemon.stop()
        lab.server.must(['nft', 'delete table inet ghostport'])
      }
    })

  it('is replaced, and removed, in one step each; without a table that is no error', () => {
    load(lab.server, renderPolicy(POLICY))
    load(lab.server, renderPolicy(POLICY))
    lab.server.must(['nft', REMOVE_TABLE])
    lab.server.must(['nft', REMOVE_TABLE])
    assert.doesNotMatch(lab.server.must(['nft', 'list', 'tables']), /ghostport_policy/)
  })
})

const NATIVE = `
const koffi = require(${JSON.stringify(fileURLToPath(import.meta.resolve('koffi')))})
const libc = koffi.load('libc.so.6')
const socket = libc.func('int socket(int, int, int)'), recv = libc.func('long recv(int, void *, size_t, int)')
const sendto = libc.func('long sendto(int, void *, size_t, int, void *, uint)')
function checksum(bytes) {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) sum += bytes.readUInt16BE(i)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}
`

/** Sends a TCP reset by a raw socket. */
function resetScript(from: string, to: string): string {
  return `${NATIVE}
const ip = (text) => Buffer.from(text.split('.').map(Number))
const tcp = Buffer.alloc(20)
tcp.writeUInt16BE(4444, 0); tcp.writeUInt16BE(22, 2); tcp.writeUInt32BE(7, 4); tcp[12] = 0x50; tcp[13] = 4
tcp.writeUInt16BE(checksum(Buffer.concat([ip('${from}'), ip('${to}'), Buffer.from([0, 6, 0, 20]), tcp])), 16)
const address = Buffer.concat([Buffer.from([2, 0, 0, 0]), ip('${to}'), Buffer.alloc(8)])
const fd = socket(2, 3, 6)
if (fd < 0 || sendto(fd, tcp, 20, 0, address, 16) !== 20) process.exit(1)
`
}

/** Sends so many echo requests at once, and prints how many were answered within half a second. */
function echoScript(to: string, requests: number): string {
  const six = to.includes(':')
  const bytes = Buffer.from(addressBytes(to as IpAddress)).toString('hex')
  return `${NATIVE}
const echo = Buffer.alloc(8)
echo[0] = ${six ? 128 : 8}; echo.writeUInt16BE(process.pid & 0xffff, 4); echo.writeUInt16BE(checksum(echo), 2)
const to = Buffer.from('${bytes}', 'hex')
const address = ${six ? 'Buffer.concat([Buffer.from([10, 0, 0, 0, 0, 0, 0, 0]), to, Buffer.alloc(4)])' : 'Buffer.concat([Buffer.from([2, 0, 0, 0]), to, Buffer.alloc(8)])'}
const fd = socket(${six ? '10, 3, 58' : '2, 3, 1'})
for (let i = 0; i < ${requests}; i++) if (sendto(fd, echo, 8, 0, address, address.length) !== 8) process.exit(1)
let answers = 0
const inbox = Buffer.alloc(2000)
const until = performance.now() + 500
while (performance.now() < until) {
  const length = Number(recv(fd, inbox, inbox.length, 0x40))
  if (length <= 0) continue
  const at = ${six ? 0 : '(inbox[0] & 15) * 4'}
  if (inbox[at] === ${six ? 129 : 0} && inbox.readUInt16BE(at + 4) === (process.pid & 0xffff)) answers++
}
console.log(answers)
`
}

describe('the file of the policy', { skip }, () => {
  /** Every part that a policy can have. */
  const FULL: HostPolicy = {
    mark: 0x8000_0000 as HostPolicy['mark'],
    allow: [...tcp(80, 443), { protocol: 'udp', port: port(53) }],
    allowFrom: [
      { network: { prefix: '192.0.2.0' as never, length: 24 }, ports: [] },
      {
        network: { prefix: '2001:db8::' as never, length: 32 },
        ports: [...tcp(22), { protocol: 'udp', port: port(1) }],
      },
    ],
    trusted: ['wg0' as never, 'br-1.2@x' as never],
    ping: false,
    reversePath: 'off',
    forward: 'leave',
    out: [...tcp(443), { protocol: 'udp', port: port(53) }],
  }
  for (const [name, policy] of [
    ['the plain one', POLICY],
    ['one with every part', FULL],
    ['one that lets nothing out', { ...FULL, out: [] }],
  ] as const)
    it(`${name} passes nft --check`, async () => {
      await using net = await Network.create()
      const host = await net.host('checks')
      host.must(['nft', '--check', '-f', '-'], { input: renderPolicy(policy) })
      const six = '000000000000000000000000'
      const rows = ['0100007F:0016 020000C0:C000', `${six}01000000:0016 ${six}02000000:C000`]
      const rest = '00000000:00000000 00:00000000 00000000 0 0 53370 1'
      const connections = parseTcpTable(rows.map((row, i) => `  ${i}: ${row} 01 ${rest}\n`).join(''), 'LE')
      assert.equal(connections.length, 2)
      host.must(['nft', '--check', '-f', '-'], { input: renderPolicy(policy) + renderSessions(connections) })
    })
})
