/**
 * A server that is a gateway: FORWARD_ALL, DISABLE_DNAT and FORCE_NAT in all combinations, on both firewalls of the
 * kernel. The hosts are those of `../support/firewall-lab.ts`. Each case says which ports of which hosts answer the
 * client, and as whom the inner host sees it.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Opening, Translated } from '../../src/access/grant.ts'
import type { KernelFirewall } from '../../src/firewall/firewall.ts'
import { createIptablesFirewall } from '../../src/firewall/iptables/iptables.ts'
import { createNftablesFirewall } from '../../src/firewall/nftables/nftables.ts'
import type { IpAddress } from '../../src/packet/address.ts'
import { type Port, port } from '../../src/units.ts'
import { granted, grantFor, live } from '../contract/firewall.ts'
import { Daemon, dropByDefault, knock, stanza } from '../support/daemon.ts'
import { addresses, createLab, families, type Lab } from '../support/firewall-lab.ts'
import { dropByIptables, forgetIptables } from '../support/iptables-host.ts'
import { netnsUnavailable } from '../support/netns.ts'

const EVERY = { first: port(1), last: port(65_535) }

for (const kind of ['nftables', 'iptables'] as const)
  describe(`a gateway, by ${kind}`, { skip: netnsUnavailable() }, () => {
    let lab: Lab
    before(async () => {
      lab = await createLab()
      await lab.inner.listen([{ protocol: 'tcp', port: 22, banner: 'inner ssh for %peer' }])
    })
    after(() => lab?.[Symbol.asyncDispose]())

    const made: KernelFirewall[] = []
    afterEach(async () => {
      for (const firewall of made.splice(0)) await firewall.close()
    })

    const prepare = (): void => {
      forgetIptables(lab.server)
      if (kind === 'iptables') dropByIptables(lab.server, 'nft')
      else dropByDefault(lab.server)
    }
    const another = async (): Promise<KernelFirewall> => {
      const nftables = createNftablesFirewall({ mode: { kind: 'mark' } })
      assert.ok(nftables.ok)
      made.push(nftables.value)
      if (kind === 'iptables') made.push(createIptablesFirewall({ program: 'iptables-nft' }))
      const firewall = made.at(-1)
      assert.ok(firewall)
      firewall.watch({ onMended: () => {} })
      assert.deepEqual(await firewall.install(), { ok: true, value: undefined })
      return firewall
    }
    const make = (): Promise<KernelFirewall> => {
      prepare()
      return another()
    }
    const reach = (address: string, to: number): Promise<string> => lab.c1.tcp(address, to, { timeoutMs: 300 })

    for (const family of families) {
      const at = addresses[family]
      const host = { prefix: at.inner, length: family === 4 ? 32 : 128 }
      const net = { prefix: (family === 4 ? '10.3.0.0' : 'fd03::') as IpAddress, length: family === 4 ? 24 : 64 }
      const anywhere = { prefix: (family === 4 ? '0.0.0.0' : '::') as IpAddress, length: 0 }
      const shown = (as: Translated): string => (as === 'none' ? at.c1 : at.near)

      for (const as of ['none', 'masquerade', { snat: at.near as IpAddress }] as const) {
        const name = typeof as === 'object' ? 'a given source' : as
        it(`IPv${family}: anywhere, ${name}: every port of the inner host, no port of the server, for its seconds`, async () => {
          const firewall = await make()
          const open: Opening = { kind: 'transit', to: [{ network: anywhere, ports: EVERY }], translation: as }
          assert.equal(await reach(at.inner, 8443), 'timeout')
          await granted({ firewall }, grantFor(at.c1, [open], 4))
          assert.equal(await reach(at.inner, 8443), `inner for ${shown(as)}`)
          assert.equal(await reach(at.inner, 22), `inner ssh for ${shown(as)}`)
          assert.equal(await lab.c1.udp(at.inner, 8443), `inner for ${shown(as)}`)
          assert.equal(await reach(at.forC1, 22), 'timeout')
          assert.equal(await lab.c2.tcp(at.inner, 8443, { timeoutMs: 200 }), 'timeout')
          assert.deepEqual(
            (await live({ firewall })).map(({ grant }) => grant.openings),
            [[open]],
          )
          const session = await lab.c1.connect(at.inner, 8443)
          await lab.c1.until('timeout', { protocol: 'tcp', address: at.inner, port: 8443 })
          assert.equal(await session.echoes(), true, 'what it let in lives on')
        })
      }

      it(`IPv${family}: only where NAT_TARGETS leads`, async () => {
        const firewall = await make()
        const to = [
          { network: net, ports: { first: port(8000), last: port(9000) } },
          { network: host, ports: { first: port(53), last: port(53) }, protocol: 'udp' as const },
        ]
        await granted({ firewall }, grantFor(at.c1, [{ kind: 'transit', to, translation: 'none' }]))
        assert.equal(await reach(at.inner, 8443), `inner for ${at.c1}`)
        assert.equal(await reach(at.inner, 22), 'timeout')
        assert.equal((await live({ firewall })).length, 1)
        const again = grantFor(at.c1, [
          { kind: 'transit', to: [{ network: anywhere, ports: EVERY }], translation: 'none' },
        ])
        const [other] = await firewall.open([again])
        assert.ok(other !== undefined && !other.ok && other.failure.code === 'FIREWALL_REFUSED')
      })

      it(`IPv${family}: every port of the server leads to the inner host, and a ghost service still to the server`, async () => {
        const firewall = await make()
        const divert: Opening = { kind: 'divert', target: at.inner, translation: 'masquerade' }
        await granted({ firewall }, grantFor(at.c1, [divert], 4))
        const ghost: Opening = { kind: 'ghost', protocol: 'tcp', publicPort: port(81), localPort: port(25) }
        await granted({ firewall }, grantFor(at.c1, [ghost], 4))
        assert.equal(await reach(at.forC1, 8443), `inner for ${at.near}`)
        assert.equal(await reach(at.forC1, 22), `inner ssh for ${at.near}`)
        assert.equal(await reach(at.forC1, 81), 'mail')
        assert.equal(await reach(at.inner, 22), 'timeout', 'not at its own address')
        assert.equal(await lab.c2.tcp(at.forC2, 8443, { timeoutMs: 200 }), 'timeout')
        // The ghost service was granted later, and so ends later.
        for (const port of [8443, 81]) await lab.c1.until('timeout', { protocol: 'tcp', address: at.forC1, port })
      })
    }

    it('a grant is found again after a restart, and what it opened stays open', async () => {
      const first = await make()
      const { c1, inner } = addresses[4]
      const openings: readonly Opening[] = [
        {
          kind: 'transit',
          to: [{ network: { prefix: inner, length: 32 }, ports: { first: 22 as Port, last: 22 as Port } }],
          translation: 'masquerade',
        },
        { kind: 'divert', target: inner, translation: 'masquerade' },
      ]
      const grant = grantFor(c1, openings, 60)
      await granted({ firewall: first }, grant)
      await first.close()
      const second = await another()
      assert.deepEqual(
        second.kept().grants.map((kept) => kept.grant),
        [grant],
      )
      assert.match(await reach(inner, 22), /inner ssh/)
      await second.revoke([grant.id])
      assert.equal(await reach(inner, 22), 'timeout')
      assert.equal(await reach('10.1.0.1', 8443), 'timeout')
    })

    it('where every port leads to the inner host, the next knock still reaches this one, by UDP and by TCP', async () => {
      prepare()
      for (const protocol of ['udp', 'tcp'])
        if (kind === 'nftables')
          lab.server.must(['nft', 'add', 'rule', 'inet', 'filter', 'input', protocol, 'dport', '62201', 'accept'])
        else
          for (const program of ['iptables-nft', 'ip6tables-nft'])
            lab.server.must([program, '-A', 'INPUT', '-p', protocol, '--dport', '62201', '-j', 'ACCEPT'])
      const daemon = await Daemon.start(lab.net, lab.server, {
        server: [
          ...(kind === 'iptables' ? ['FIREWALL iptables'] : []),
          ...['ENABLE_IPT_FORWARDING Y', 'ENABLE_UDP_SERVER Y', 'ENABLE_TCP_SERVER Y'],
        ],
        access: stanza(['FORWARD_ALL Y', 'FORCE_MASQUERADE Y', 'NAT_TARGETS 0.0.0.0/0, ::/0']),
      })
      for (const family of families) {
        const { forC1, inner } = addresses[family]
        const again = async (by: 'udp' | 'tcp'): Promise<void> => {
          const target = family === 4 ? `${inner}:22` : `[${inner}]:22`
          const verdict = await daemon.verdictAfter(() =>
            knock(lab.c1, forC1, '-P', by, '-s', '-A', 'tcp/22', '-N', target),
          )
          assert.deepEqual([verdict.verdict, verdict['via']], ['granted', by === 'udp' ? 'udp-socket' : 'tcp-server'])
        }
        await again('udp')
        assert.match(await reach(forC1, 8443), /^inner for/, 'every port leads there')
        await again('tcp')
        await again('udp')
        assert.match(await reach(forC1, 8443), /^inner for/)
      }
      await daemon.stop()
    })

    it('the SPA gateway of access.conf, by a knock', async () => {
      prepare()
      const daemon = await Daemon.start(lab.net, lab.server, {
        server: [...(kind === 'iptables' ? ['FIREWALL iptables'] : []), 'ENABLE_IPT_FORWARDING Y', 'CAPTURE packet'],
        access: stanza([
          'FORWARD_ALL Y',
          'FORCE_MASQUERADE Y',
          'DISABLE_DNAT Y',
          'NAT_TARGETS 10.3.0.0/24',
          'FW_ACCESS_TIMEOUT 3',
        ]),
      })
      const verdict = await daemon.verdictAfter(() => knock(lab.c1, '10.1.0.1', '-s', '-A', 'tcp/22'))
      assert.equal(verdict['grant'], 'through→10.3.0.0/24~masquerade', JSON.stringify(verdict))
      assert.equal(await reach('10.3.0.2', 8443), 'inner for 10.3.0.1')
      assert.equal(await reach('10.2.0.2', 22), 'timeout', 'NAT_TARGETS does not lead there')
      assert.equal(await reach('10.1.0.1', 22), 'timeout')
      await delay(3_200)
      assert.equal(await reach('10.3.0.2', 8443), 'timeout')
      await daemon.stop()
    })
  })
