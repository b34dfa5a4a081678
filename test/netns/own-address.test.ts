/**
 * `ghostport knock -R`: the address of the client as web services outside see it, with the services that are asked by
 * default. Their names lead to a host of this test. The real fwknopd opens for the address.
 *
 *     client 10.9.0.1, fd09::1 ──── outside 10.9.0.2, fd09::2   the services, and fwknopd
 */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { DEFAULT_SERVICES } from '../../src/client/own-address/services.ts'
import { startFwknopd } from '../interop/client-fwknopd.ts'
import { ghostportCommand } from '../support/daemon.ts'
import { DnsServer } from '../support/dns-server.ts'
import { type Host, Network, netnsUnavailable, type Outcome, type Program } from '../support/netns.ts'
import { type OwnAddressServices, startServices, withHosts } from '../support/own-address-service.ts'

const OUTSIDE = '10.9.0.2'
const KEYS = ['--key-rijndael', 'sesame', '--key-hmac', 'latch'] as const
const names = DEFAULT_SERVICES.map(({ host }) => host)
const [first = '', second = '', third = '', fourth = ''] = names

describe('the own address', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let services: OwnAddressServices
  let fwknopd: Program
  let ran: string

  before(async () => {
    net = await Network.create()
    client = await net.host('client')
    const outside = await net.host('outside')
    await net.link(client, ['10.9.0.1/24', 'fd09::1/64'], outside, [`${OUTSIDE}/24`, 'fd09::2/64'])
    const more = { 'liar.example': '198.51.100.9', 'page.example': '<html>', 'good.example': 'peer' }
    services = await startServices(net, outside, {
      ...Object.fromEntries(names.map((name) => [name, 'peer'])),
      ...more,
    })
    await outside.listen([{ protocol: 'tcp', port: 22, banner: 'ssh' }])
    ran = join(net.directory(), 'ran')
    const stanza = [
      ['SOURCE', 'ANY'],
      ['KEY', 'sesame'],
      ['HMAC_KEY', 'latch'],
      ['REQUIRE_SOURCE_ADDRESS', 'Y'],
      ['ENABLE_CMD_EXEC', 'Y'],
    ] as const
    fwknopd = await startFwknopd(net, outside, [stanza])
    for (const port of [80, 443])
      outside.must(['iptables', '-I', 'INPUT', '-p', 'tcp', '--dport', `${port}`, '-j', 'ACCEPT'])
  })
  after(() => net?.close())

  /** Knocks from the client, for which each name of a service leads outside. */
  function knock(...argv: readonly string[]): Outcome {
    const hosts = withHosts(
      [OUTSIDE, 'fd09::2'],
      [...names, 'liar.example', 'page.example', 'good.example', 'outside.example'],
    )
    const server = argv.includes('-D') ? [] : ['-D', OUTSIDE]
    const base = ['knock', '--no-rc-file', ...server, ...KEYS, '--https-ca-file', services.authority]
    return client.run([...hosts, ...ghostportCommand(...base, ...argv)])
  }
  /** The address that a packet asks for, which is not sent. */
  function asksFor(...argv: readonly string[]): { readonly source: string; readonly notes: string } {
    const { status, stdout, stderr } = knock('-A', 'tcp/22', '-T', '--json', ...argv)
    assert.equal(status, 0, stderr)
    return { source: JSON.parse(stdout).request.source, notes: stderr }
  }
  const url = (...hosts: readonly string[]) => hosts.map((host) => `https://${host}/`).join()

  it('is what two services say, and no third is asked', async () => {
    const { source, notes } = asksFor('-R')
    assert.equal(source, '10.9.0.1')
    assert.match(notes, /your address is 10\.9\.0\.1, as https:\/\/\S+ and https:\/\/\S+ say/)
    for (const name of [first, second]) await services.program.says(new RegExp(`asked ${name.replaceAll('.', '\\.')}/`))
    const { output } = services.program
    assert.ok(!output.includes(`asked ${third}/`) && !output.includes(`asked ${fourth}/`), output)
    assert.ok(!/by (?!nobody)/.test(output), 'no service learns what asks it')
  })
  it('is an IPv6 address where the server has no other', () => {
    assert.equal(asksFor('-R', '-6', '-D', 'outside.example').source, 'fd09::1')
    assert.equal(asksFor('-R', '-D', 'fd09::2').source, 'fd09::1')
  })
  it('the door opens for it, on the real fwknopd', async () => {
    const { status, stdout, stderr } = knock('-A', 'tcp/22', '-R', '--wait')
    assert.equal(status, 0, `${stderr}\n${fwknopd.output}`)
    assert.match(stdout, /tcp\/22 for 10\.9\.0\.1$/m)
    assert.equal(await client.tcp(OUTSIDE, 22), 'ssh')
  })
  it('is in a command message too, where fwknop’s own client leaves it empty', async () => {
    const { status, stderr } = knock('-R', '-C', `/usr/bin/touch ${ran}`)
    assert.equal(status, 0, stderr)
    for (let tries = 0; !existsSync(ran); tries++) {
      assert.ok(tries < 150, fwknopd.output.slice(-2_000))
      await delay(20)
    }
  })
  it('one that lies is outvoted, and told', () => {
    const { source, notes } = asksFor('--resolve-url', url('liar.example', 'good.example', first))
    assert.equal(source, '10.9.0.1')
    assert.match(notes, /https:\/\/liar\.example\/ says 198\.51\.100\.9/)
  })
  it('one that answers with a page is passed over', () => {
    assert.equal(asksFor('--resolve-url', url('page.example', 'good.example', first)).source, '10.9.0.1')
  })
  it('a single service that the user names decides', () => {
    const { source, notes } = asksFor('--resolve-url', 'good.example')
    assert.equal(source, '10.9.0.1')
    assert.match(notes, /as https:\/\/good\.example\/ says/)
  })
  it('where no two agree, nothing is sent, and each is told', () => {
    const { status, stdout, stderr } = knock('-A', 'tcp/22', '--resolve-url', url('liar.example', 'good.example'))
    assert.equal(status, 69)
    assert.equal(stdout, '')
    assert.match(stderr, /no 2 services agree \(.*liar\.example\/ says 198\.51\.100\.9.*\[OWN_ADDRESS_UNKNOWN\]/s)
  })
  it('by plain HTTP, with a warning', () => {
    const { source, notes } = asksFor('--resolve-http-only')
    assert.equal(source, '10.9.0.1')
    assert.match(notes, /as http:\/\/.*plain HTTP is not authenticated/s)
  })
  it('by DNS, with a warning', async () => {
    const dns = await DnsServer.start(client, { 'me.example': '203.0.113.7' })
    const { source, notes } = asksFor('--resolve-dns', 'me.example@127.0.0.1')
    assert.equal(source, '203.0.113.7')
    assert.match(notes, /as DNS server 127\.0\.0\.1 says.*DNS is not authenticated/s)
    for (let tries = 0; dns.queries.length === 0 && tries < 100; tries++) await delay(10)
    assert.deepEqual(dns.queries, ['A me.example'])
  })
  it('a named address makes all of it unnecessary', () => {
    const before = services.program.output
    assert.equal(asksFor('-R', '-a', '192.0.2.1').source, '192.0.2.1')
    assert.equal(services.program.output, before)
  })
  it('a wrong command line asks nobody', () => {
    const before = services.program.output
    assert.equal(knock('-R').status, 64)
    assert.equal(services.program.output, before)
  })
  it('a service that nobody vouches for is not asked', () => {
    const hosts = withHosts([OUTSIDE], ['good.example'])
    const argv = ['knock', '--no-rc-file', '-D', OUTSIDE, ...KEYS, '-A', 'tcp/22', '--resolve-url', 'good.example']
    const { status, stderr } = client.run([...hosts, ...ghostportCommand(...argv)])
    assert.equal(status, 69)
    assert.match(stderr, /from no authority that is trusted here/)
  })
})
