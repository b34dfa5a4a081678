/**
 * Every kind of door of the nftables firewall, beside every kind of host, tried by connecting. Topology in
 * `../support/firewall-lab.ts`: c1 is granted, c2 is not.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { ForwardOpening, Opening } from '../../src/access/grant.ts'
import { type CoexistenceMode, DEFAULT_MARK } from '../../src/config/server/firewall-settings.ts'
import type { Firewall, KernelFirewall } from '../../src/firewall/firewall.ts'
import type { Finding } from '../../src/firewall/host/findings.ts'
import { hostRules } from '../../src/firewall/host/host-rules.ts'
import { createNftablesFirewall } from '../../src/firewall/nftables/nftables.ts'
import type { IpAddress } from '../../src/packet/address.ts'
import { port } from '../../src/units.ts'
import { grantFor } from '../contract/firewall.ts'
import { addresses, createLab, families, type Lab } from '../support/firewall-lab.ts'
import { netnsUnavailable } from '../support/netns.ts'

const skip = netnsUnavailable()
const quick = { timeoutMs: 250 }

let lab: Lab
if (skip === false) {
  before(async () => {
    lab = await createLab()
  })
  after(() => lab[Symbol.asyncDispose]())
}

/** The administrator's rules before ghostport; everybody may see the web server. */
const hosts: Readonly<Record<string, { mode: CoexistenceMode; prepare: () => void }>> = {
  'mark mode beside a default drop of plain nft': {
    mode: { kind: 'mark' },
    prepare: () => {
      lab.server.must(['nft', '-f', '-'], {
        input: `table inet filter {
          chain input { type filter hook input priority filter; policy drop;
            ct state established,related accept; iif lo accept; meta l4proto icmpv6 accept; tcp dport 80 accept; }
          chain forward { type filter hook forward priority filter; policy drop; }
        }`,
      })
      const chain = (name: string) => ({ family: 'inet', table: 'filter', chain: name }) as const
      admit(hostRules({ kind: 'nft', chains: [chain('input'), chain('forward')] }, DEFAULT_MARK))
    },
  },
  'mark mode beside a default drop of iptables-nft': {
    mode: { kind: 'mark' },
    prepare: () => {
      for (const program of ['iptables-nft', 'ip6tables-nft']) {
        const rules = [
          '-P INPUT DROP',
          '-P FORWARD DROP',
          '-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT',
          '-A INPUT -i lo -j ACCEPT',
          '-A INPUT -p tcp --dport 80 -j ACCEPT',
          ...(program.startsWith('ip6') ? ['-A INPUT -p icmpv6 -j ACCEPT'] : []),
        ]
        for (const rule of rules) lab.server.must([program, ...rule.split(' ')])
      }
      admit(hostRules({ kind: 'iptables' }, DEFAULT_MARK))
    },
  },
  'gate mode before a host that lets all in': {
    mode: {
      kind: 'gate',
      protectedPorts: [
        { protocol: 'tcp', port: port(22) },
        { protocol: 'tcp', port: port(25) },
        { protocol: 'udp', port: port(53) },
      ],
    },
    prepare: () => {},
  },
}

function admit(rules: ReturnType<typeof hostRules>): void {
  for (const { lines } of rules) for (const line of lines) lab.server.must(line.split(' '))
}

const ssh = { protocol: 'tcp', port: port(22) } as const
const access = (protocol: 'tcp' | 'udp', number: number): Opening => ({ kind: 'access', protocol, port: port(number) })
const ghost = (from: number, to: number): Opening => ({
  kind: 'ghost',
  protocol: 'tcp',
  publicPort: port(from),
  localPort: port(to),
})
const forward = (
  protocol: 'tcp' | 'udp',
  from: number,
  address: IpAddress,
  translation: ForwardOpening['translation'],
): Opening => ({
  kind: 'forward',
  protocol,
  publicPort: port(from),
  target: { address, port: port(8443) },
  translation,
})

for (const [name, { mode, prepare }] of Object.entries(hosts)) {
  describe(name, { skip }, () => {
    const started = async (): Promise<KernelFirewall & AsyncDisposable> => {
      lab.server.must(['nft', 'flush', 'ruleset'])
      prepare()
      const made = createNftablesFirewall({ mode })
      assert.ok(made.ok)
      const firewall = made.value
      assert.deepEqual(await firewall.install(), { ok: true, value: undefined })
      return Object.assign(firewall, { [Symbol.asyncDispose]: () => firewall.close() })
    }

    test('has nothing to warn of', async () => {
      await using firewall = await started()
      assert.deepEqual(await firewall.hostFindings({ ports: [ssh], forwarding: true }), { ok: true, value: [] })
    })

    for (const family of families) {
      const at = addresses[family]
      const opened = async (firewall: Firewall, openings: readonly Opening[], lifetime = 30): Promise<void> => {
        assert.deepEqual(await firewall.open([grantFor(at.c1, openings, lifetime)]), [{ ok: true, value: undefined }])
      }

      test(`IPv${family}: several ports, of both protocols`, async () => {
        await using firewall = await started()
        assert.equal(await lab.c1.tcp(at.forC1, 22, quick), 'timeout')
        assert.equal(await lab.c1.udp(at.forC1, 53, quick), 'timeout')
        await opened(firewall, [access('tcp', 22), access('udp', 53)])
        assert.equal(await lab.c1.tcp(at.forC1, 22), 'ssh')
        assert.equal(await lab.c1.udp(at.forC1, 53), 'dns')
        assert.equal(await lab.c1.tcp(at.forC1, 25, quick), 'timeout')
        assert.equal(await lab.c2.tcp(at.forC2, 22, quick), 'timeout')
        assert.equal(await lab.c2.udp(at.forC2, 53, quick), 'timeout')
      })

      test(`IPv${family}: a ghost for one, the web server for the other, in the same moment`, async () => {
        await using firewall = await started()
        assert.equal(await lab.c1.tcp(at.forC1, 80), 'web')
        await opened(firewall, [ghost(80, 22)])
        const [granted, stranger, direct] = await Promise.all([
          lab.c1.tcp(at.forC1, 80),
          lab.c2.tcp(at.forC2, 80),
          lab.c1.tcp(at.forC1, 22, quick),
        ])
        assert.deepEqual([granted, stranger, direct], ['ssh', 'web', 'timeout'])
      })

      test(`IPv${family}: connections outlive the grant that let them in; new ones do not get in`, async () => {
        await using firewall = await started()
        await opened(firewall, [access('tcp', 22), ghost(80, 25), forward('tcp', 443, at.inner, 'masquerade')], 1)
        const kept = await Promise.all([22, 80, 443].map((number) => lab.c1.connect(at.forC1, number)))
        await lab.c1.until('web', { protocol: 'tcp', address: at.forC1, port: 80 })
        assert.equal(await lab.c1.tcp(at.forC1, 22, quick), 'timeout')
        for (const connection of kept) assert.equal(await connection.echoes(), true)
        for (const connection of kept) await connection.close()
      })

      test(`IPv${family}: a way to an inner host is none to the server’s own closed ports`, async () => {
        await using firewall = await started()
        const own = (number: number, address: string, at: number): Opening => ({
          kind: 'forward',
          protocol: 'tcp',
          publicPort: port(number),
          target: { address: address as IpAddress, port: port(at) },
          translation: 'none',
        })
        // By the address that c1 sees, and by one on the far side; beside a ghost of the same service, which must pass.
        const ways = [own(443, at.forC1, 25), own(444, at.near, 25), ghost(80, 25)]
        await opened(firewall, ways, 1)
        await opened(firewall, ways)
        await lab.c1.until('mail', { protocol: 'tcp', address: at.forC1, port: 80 })
        assert.equal(await lab.c1.tcp(at.forC1, 443, quick), 'timeout')
        assert.equal(await lab.c1.tcp(at.forC1, 444, quick), 'timeout')
        assert.equal(await lab.c1.tcp(at.forC1, 80), 'mail')
      })

      for (const [how, translation, seen] of [
        ['as it comes', 'none', at.c1],
        ['masqueraded', 'masquerade', at.near],
        // Not an address of the interface that masquerading would take.
        ['behind a given address', { snat: at.forC1 as IpAddress }, at.forC1],
      ] as const) {
        test(`IPv${family}: an inner host through a public port, ${how}`, async () => {
          await using firewall = await started()
          await opened(firewall, [
            forward('tcp', 443, at.inner, translation),
            forward('udp', 443, at.inner, translation),
          ])
          assert.equal(await lab.c1.tcp(at.forC1, 443), `inner for ${seen}`)
          assert.equal(await lab.c1.udp(at.forC1, 443), `inner for ${seen}`)
          assert.notEqual(await lab.c2.tcp(at.forC2, 443, quick), `inner for ${seen}`)
          // The host's own rules decide about the way to the inner host itself: mark mode beside a drop keeps it shut.
          if (mode.kind === 'mark') assert.equal(await lab.c1.tcp(at.inner, 8443, quick), 'timeout')
        })
      }
    }
  })
}

describe('mark mode, without the rule that accepts the mark', { skip }, () => {
  test('says exactly which rules are missing, and with them it works', async () => {
    lab.server.must(['nft', 'flush', 'ruleset'])
    const made = createNftablesFirewall({ mode: { kind: 'mark' } })
    assert.ok(made.ok)
    const firewall = made.value
    await firewall.install()
    const found = async (): Promise<readonly Finding[]> => {
      const looked = await firewall.hostFindings({ ports: [ssh], forwarding: true })
      assert.ok(looked.ok)
      return looked.value
    }
    const [nothingDrops, ...more] = await found()
    assert.deepEqual(more, [])
    assert.match(nothingDrops?.text ?? '', /^tcp\/22 is open to everybody.*no rule of the host’s firewall drops it$/)

    for (const program of ['iptables-nft', 'ip6tables-nft']) lab.server.must([program, '-P', 'INPUT', 'DROP'])
    lab.server.must(['nft', 'add', 'table', 'inet', 'wall'])
    const chain = 'add chain inet wall in { type filter hook input priority 5 ; policy drop ; }'
    lab.server.must(['nft', ...chain.split(' ')])
    const codes = (await found()).map(({ code }) => code).toSorted()
    assert.deepEqual(codes, [
      ...['HOST_DROPS_MARK', 'HOST_DROPS_MARK', 'HOST_DROPS_MARK'],
      ...['HOST_DROPS_NEIGHBOURS', 'HOST_DROPS_NEIGHBOURS'],
    ])
    await firewall.open([grantFor(addresses[4].c1, [access('tcp', 22)])])
    assert.equal(await lab.c1.tcp('10.1.0.1', 22, quick), 'timeout')
    for (const { cure } of await found()) lab.server.must((cure ?? '').split(' '))
    assert.deepEqual(await found(), [])
    // The handshake's last packet passes these chains as well; it carries the mark of its connection.
    assert.equal(await lab.c1.tcp('10.1.0.1', 22), 'ssh')
    await firewall.close()
  })
})

describe('gate mode', { skip }, () => {
  test('has no way around by link-local addresses, by another of the server’s addresses, or by loopback’s', async () => {
    lab.server.must(['nft', 'flush', 'ruleset'])
    const made = createNftablesFirewall({
      mode: { kind: 'gate', protectedPorts: [{ protocol: 'tcp', port: port(22) }] },
    })
    assert.ok(made.ok)
    const linkLocal = /inet6 (fe80::[0-9a-f:]+)/.exec(
      lab.server.must(['ip', '-6', 'address', 'show', 'dev', 'eth1']),
    )?.[1]
    assert.ok(linkLocal)
    const around = [`${linkLocal}%eth0`, '10.1.0.1', 'fd01::1', '10.3.0.1']
    for (const address of around) assert.equal(await lab.c2.tcp(address, 22), 'ssh', `${address}, before`)
    await made.value.install()
    for (const address of around) assert.equal(await lab.c2.tcp(address, 22, quick), 'timeout', `${address}, gated`)
    assert.equal(await lab.server.tcp('127.0.0.1', 22), 'ssh')
    assert.equal(await lab.server.tcp('fd01::1', 22), 'ssh')
    await made.value.uninstall()
    assert.equal(await lab.c2.tcp('10.2.0.1', 22), 'ssh')
    await made.value.close()
  })

  for (const family of families) {
    const at = addresses[family]
    test(`IPv${family}: lets live what was connected before it, and lets nothing new in`, async () => {
      // Nothing tracks connections then.
      lab.server.must(['nft', 'flush', 'ruleset'])
      const [old, idle] = [await lab.c1.connect(at.forC1, 22), await lab.c1.connect(at.forC1, 22)]
      const made = createNftablesFirewall({
        mode: { kind: 'gate', protectedPorts: [{ protocol: 'tcp', port: port(22) }] },
      })
      assert.ok(made.ok)
      await made.value.install()
      assert.equal(await old.echoes(), true)
      assert.equal(await lab.c1.tcp(at.forC1, 22, quick), 'timeout')
      // Restoring the table, which watching does first, forgets neither.
      assert.ok(made.value.watch({ onMended: () => {} }).ok)
      assert.equal(await old.echoes(), true)
      assert.equal(await idle.echoes(), true)
      assert.equal(await lab.c1.tcp(at.forC1, 22, quick), 'timeout')
      for (const connection of [old, idle]) await connection.close()
      await made.value.close()
    })
  }

  test('leaves forwarded packets alone', async () => {
    lab.server.must(['nft', 'flush', 'ruleset'])
    const made = createNftablesFirewall({
      mode: { kind: 'gate', protectedPorts: [{ protocol: 'tcp', port: port(8443) }] },
    })
    assert.ok(made.ok)
    await made.value.install()
    assert.equal(await lab.c2.tcp('10.3.0.2', 8443), 'inner for 10.2.0.2')
    await made.value.close()
  })
})

describe('a gateway', { skip }, () => {
  for (const family of families) {
    const at = addresses[family]
    test(`IPv${family}: leads nobody astray who passes through to another host’s port of the same number`, async () => {
      lab.server.must(['nft', 'flush', 'ruleset'])
      const made = createNftablesFirewall({
        mode: { kind: 'gate', protectedPorts: [{ protocol: 'tcp', port: port(22) }] },
      })
      assert.ok(made.ok)
      const firewall = made.value
      await firewall.install()
      const grants = [
        grantFor(at.c1, [ghost(8443, 22)]),
        grantFor(at.c2, [forward('tcp', 8443, at.inner, 'masquerade')]),
      ]
      assert.deepEqual(
        await firewall.open(grants),
        grants.map(() => ({ ok: true, value: undefined })),
      )
      await lab.c1.listen([{ protocol: 'tcp', port: 8443, banner: 'c1 for %peer' }])
      assert.equal(await lab.c1.tcp(at.forC1, 8443), 'ssh')
      assert.equal(await lab.c1.tcp(at.inner, 8443), `inner for ${at.c1}`)
      assert.equal(await lab.c2.tcp(at.forC2, 8443), `inner for ${at.near}`)
      assert.equal(await lab.c2.tcp(at.c1, 8443), `c1 for ${at.c2}`)
      await lab.c1.unlisten('tcp', 8443)
      await firewall.close()
    })
  }
})
