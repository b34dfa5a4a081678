/**
 * `ghostport outside --knock`: what a knock changes for strangers, and for the one who knocks. A ghost service changes
 * nothing for strangers, during the knock too, by our own scan and by nmap.
 *
 *   client 10.9.0.1, stranger 10.9.0.66 (one host) ── 10.9.0.2 server: ghostport, a web server on 80, ssh on 22
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Daemon, dropByDefault, ghostportCommand, keys, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable, type Outcome } from '../support/netns.ts'

const SERVER = '10.9.0.2'
const STRANGER = '10.9.0.66'

const base64 = (text: string): string => Buffer.from(text).toString('base64')

describe('a knock, seen from outside', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let folder: string

  before(async () => {
    net = await Network.create()
    ;[client, server] = [await net.host('client'), await net.host('server')]
    await net.link(client, ['10.9.0.1/24', `${STRANGER}/24`], server, [`${SERVER}/24`])
    folder = net.directory()
    dropByDefault(server)
    server.must(['nft', 'insert', 'rule', 'inet', 'filter', 'input', 'tcp', 'dport', '80', 'accept'])
    await server.listen([{ protocol: 'tcp', port: 22, banner: 'SSH-2.0-test' }])
    assert.ok(server.start(['python3', '-m', 'http.server', '80'], { cwd: folder }).pid)
    await client.until('open', { protocol: 'tcp', address: SERVER, port: 80 })
    await Daemon.start(net, server, {
      server: ['ENABLE_IPT_LOCAL_NAT Y'],
      access: stanza(['FW_ACCESS_TIMEOUT 60']),
    })
    const common = `SPA_SERVER ${SERVER}\nACCESS tcp/22\nKEY_BASE64 ${base64(keys.key)}\nHMAC_KEY_BASE64 ${base64(keys.hmac)}\n`
    writeFileSync(
      join(folder, 'rc'),
      `[ghost]\n${common}ALLOW_IP source\nNAT_LOCAL Y\nNAT_PORT 80\nFW_TIMEOUT 4\n` +
        `[plain]\n${common}ALLOW_IP source\nFW_TIMEOUT 4\n` +
        `[slow]\n${common}ALLOW_IP source\nNAT_LOCAL Y\nNAT_PORT 80\nFW_TIMEOUT 40\n` +
        `[other]\n${common}ALLOW_IP 10.9.0.99\nFW_TIMEOUT 2\n` +
        `[wrong]\n${common.replace(base64(keys.key), base64('no'))}ALLOW_IP source\n`,
      { mode: 0o600 },
    )
    writeFileSync(join(folder, 'web.txt'), 'tcp/80\n')
  })
  after(() => net?.close())

  const outside = (...argv: readonly string[]): Outcome =>
    client.run(ghostportCommand('outside', SERVER, '--rc-file', 'rc', '-p', '22,80,443', ...argv), {
      ...{ cwd: folder, timeoutMs: 180_000 },
    })
  const fast = ['--timeout', '0.5'] as const

  it('of a ghost service: strangers see the same before, during and after it', () => {
    const said = outside('--knock', 'ghost', '--from', STRANGER, '--expect', 'web.txt', '--save', 's.xml', ...fast)
    assert.equal(said.status, 0, said.stdout + said.stderr)
    assert.match(said.stdout, /the same: before the knock and during it\nthe same: before the knock and after it\n/)
    assert.match(said.stdout, /during the knock:\nas expected by web\.txt/)
    assert.doesNotMatch(said.stderr, /warning/)
    assert.doesNotMatch(readFileSync(join(folder, 's-during.xml'), 'utf8'), /SSH/)
    const ndiff = client.run(['ndiff', 's-before.xml', 's-during.xml'], { cwd: folder })
    assert.equal(ndiff.status, 0, ndiff.stdout + ndiff.stderr)
  })

  it('of a ghost service: the one who knocks sees the door, and is told that others do not', () => {
    const { status, stdout, stderr } = outside('--knock', 'ghost', '--json', ...fast)
    assert.equal(status, 0, stdout + stderr)
    const told = JSON.parse(stdout)
    assert.deepEqual(told.vantage, [{ address: SERVER, from: '10.9.0.1', vantage: 'granted' }])
    assert.deepEqual(told.doors, [
      { address: SERVER, kind: 'service', protocol: 'tcp', ports: '80', before: '', after: 'SSH-2.0-test' },
    ])
    assert.deepEqual([told.proven, told.during.differences, told.after.differences], [true, [], []])
    assert.match(told.warnings.join(), /not what a stranger sees/)
  })

  it('of a plain door: only the one who knocks sees it, and it is shut again afterwards', () => {
    const stranger = outside('--knock', 'plain', '--from', STRANGER, ...fast)
    assert.equal(stranger.status, 0, stranger.stdout + stranger.stderr)
    const own = outside('--knock', 'plain', ...fast)
    assert.equal(own.status, 0, own.stdout + own.stderr)
    assert.match(own.stdout, /the door, which is open for this address:\n {2}tcp\/22: filtered → open\n/)
    // Looked at too early, it is open still.
    const early = outside('--knock', 'plain', '--after', '0', ...fast)
    assert.equal(early.status, 1)
    assert.match(early.stdout, /different: before the knock → after it\n10\.9\.0\.2\n {2}tcp\/22: filtered → open\n/)
  })

  it('of a door that strangers see: it differs', () => {
    // A mistake in the rules of the host: a knock lets everybody in.
    server.must(['nft', '-f', '-'], {
      input: `table inet filter {
        set leak { type inet_service; flags dynamic, timeout; timeout 4s; }
        chain leaking { type filter hook prerouting priority -5; udp dport 62201 add @leak { 22 }; }
      }
      insert rule inet filter input tcp dport @leak accept\n`,
    })
    const said = outside('--knock', 'plain', '--from', STRANGER, ...fast)
    assert.equal(said.status, 1, said.stdout + said.stderr)
    assert.match(said.stdout, /different: before the knock → during it\n10\.9\.0\.2\n {2}tcp\/22: filtered → open\n/)
    assert.match(said.stdout, /the same: before the knock and after it/)
    server.must(['nft', 'delete', 'chain', 'inet', 'filter', 'leaking'])
  })

  it('by nmap: strangers see the same too', () => {
    const said = outside('--knock', 'slow', '--from', STRANGER, '--nmap', '--after', '0', '--save', 'n.xml')
    assert.equal(said.status, 0, said.stdout + said.stderr)
    assert.match(said.stdout, /the same: before the knock and during it/)
    assert.match(readFileSync(join(folder, 'n-during.xml'), 'utf8'), /scanner="nmap"/)
    assert.match(said.stdout, /tcp\/80: open/)
  })

  it('that opens nothing ends with 2, and one for another address is said to be unproven', () => {
    const wrong = outside('--knock', 'wrong', ...fast)
    assert.equal(wrong.status, 2, wrong.stdout + wrong.stderr)
    assert.match(wrong.stderr, /\[PORT_NOT_OPEN\]/)
    const other = outside('--knock', 'other', ...fast)
    assert.equal(other.status, 0, other.stdout + other.stderr)
    assert.match(other.stderr, /nothing shows from here that the knock opened anything/)
    const none = outside('--knock', 'nobody', ...fast)
    assert.equal(none.status, 2)
    assert.equal(none.stdout, '')
  })
})
