/**
 * What can be tried of the recipes for OpenWrt and Alpine without these systems: the rule for fw4 in the kernel’s
 * nftables, with a knock; the smallest configuration; the syntax of the scripts.
 *
 *   client 10.9.0.1 ── 10.9.0.2 router, whose firewall has the form of fw4’s: “wan” rejects
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Daemon, knock, SERVER, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'

const packaging = join(import.meta.dirname, '..', '..', 'packaging')
const RULE = join(packaging, 'openwrt/files/20-ghostport.nft')

describe('a router with the recipe for OpenWrt', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let router: Host
  let daemon: Daemon
  let includes: string

  /** As fw4 writes it at each reload: it empties its own table, and no other. */
  const loadFirewall = () =>
    router.must(['nft', '-f', '-'], {
      input: `table inet fw4
flush table inet fw4
table inet fw4 {
  chain input {
    type filter hook input priority filter; policy drop;
    include "${includes}/chain-pre/input/*.nft"
    iif "lo" accept
    ct state established,related accept
    jump input_wan
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    include "${includes}/chain-pre/forward/*.nft"
    ct state established,related accept
  }
  chain input_wan {
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept
    meta l4proto tcp reject with tcp reset
    reject
  }
}
`,
    })
  const reaches = () => client.tcp(SERVER, 22, { timeoutMs: 1000 })

  before(async () => {
    net = await Network.create()
    ;[client, router] = [await net.host('client'), await net.host('router')]
    await net.link(client, ['10.9.0.1/24'], router, [`${SERVER}/24`])
    await router.listen([{ protocol: 'tcp', port: 22, banner: 'ssh' }])
    includes = net.directory()
    for (const chain of ['input', 'forward']) {
      mkdirSync(join(includes, 'chain-pre', chain), { recursive: true })
      copyFileSync(RULE, join(includes, 'chain-pre', chain, '20-ghostport.nft'))
    }
    loadFirewall()
    const smallest = readFileSync(join(packaging, 'openwrt/files/fwknopd.conf'), 'utf8')
      .split('\n')
      .filter((line) => /^(?!PCAP_INTF|REPLAY_DB|CONTROL_SOCKET)[A-Z]/.test(line))
    assert.deepEqual(
      smallest.map((line) => line.split(/\s+/)[0]),
      ['FIREWALL_MODE', 'MAX_GRANTS'],
    )
    daemon = await Daemon.start(net, router, {
      server: smallest.map((line) => line.replace(/;$/, '')),
      access: stanza(['FW_ACCESS_TIMEOUT 20']),
    })
  })
  after(() => net?.close())

  it('is shut to strangers, and opens to a knock', async () => {
    assert.equal(await reaches(), 'refused')
    const verdict = await daemon.verdictAfter(() => knock(client, SERVER, '-A', 'tcp/22', '-s'))
    assert.equal(verdict.verdict, 'granted', JSON.stringify(verdict))
    assert.match(await reaches(), /^ssh/)
  })

  it('has a firewall about which ghostport warns of nothing', () => {
    assert.deepEqual(daemon.status()['warnings'], [])
  })

  it('keeps the grant when fw4 reloads', async () => {
    loadFirewall()
    assert.match(await reaches(), /^ssh/)
    assert.match(
      router.must(['nft', 'list', 'chain', 'inet', 'fw4', 'forward']),
      /ct mark .*accept comment "ghostport: granted"/,
    )
  })
})

describe('the scripts of the recipes', () => {
  for (const file of [
    'openwrt/files/ghostport.init',
    'alpine/ghostport.initd',
    'alpine/ghostport.pre-install',
    'alpine/APKBUILD',
  ])
    it(`${file} is a shell script`, () => {
      const { status, stderr } = spawnSync('sh', ['-n', join(packaging, file)], { encoding: 'utf8' })
      assert.equal(status, 0, stderr)
    })

  it('name the files that the package has', () => {
    const { bin, man, version } = JSON.parse(readFileSync(join(packaging, '..', 'package.json'), 'utf8'))
    for (const file of ['openwrt/files/ghostport.init', 'openwrt/Makefile', 'alpine/ghostport.initd'])
      assert.ok(readFileSync(join(packaging, file), 'utf8').includes(bin.ghostport), file)
    assert.ok(readFileSync(join(packaging, 'openwrt/Makefile'), 'utf8').includes(`${bin.gpgdir} $(1)/usr/bin/gpgdir`))
    const recipe = readFileSync(join(packaging, 'alpine/APKBUILD'), 'utf8')
    for (const page of man) assert.ok(recipe.includes(page.split('/').at(-1)), page)
    assert.ok(recipe.includes(`pkgver=${version}\n`))
    assert.ok(readFileSync(join(packaging, 'openwrt/Makefile'), 'utf8').includes(`PKG_VERSION:=${version}\n`))
  })
})
