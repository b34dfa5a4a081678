/**
 * `ghostport serve` with FIREWALL iptables, and real knocks; the hosts are those of `../support/firewall-lab.ts`. The
 * server drops by default, by iptables.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Daemon, knock, stanza } from '../support/daemon.ts'
import { createLab, type Lab } from '../support/firewall-lab.ts'
import { dropByIptables, forgetIptables, type Variant } from '../support/iptables-host.ts'
import { netnsUnavailable } from '../support/netns.ts'

const SERVER = '10.1.0.1'
const SERVER6 = 'fd01::1'
const FOR_OTHER = '10.2.0.1'
/** Long enough for the checks, short enough to wait for. */
const LIFETIME = 3
const SLACK = 8

for (const variant of ['nft', 'legacy'] satisfies readonly Variant[])
  describe(`ghostport serve with iptables-${variant}`, { skip: netnsUnavailable() }, () => {
    let lab: Lab
    let daemon: Daemon
    const server = [
      'FIREWALL iptables',
      `FIREWALL_EXE /usr/sbin/iptables-${variant}`,
      'ENABLE_IPT_LOCAL_NAT Y',
      'ENABLE_IPT_FORWARDING Y',
    ]
    const access = stanza([`FW_ACCESS_TIMEOUT ${LIFETIME}`, 'NAME phone', 'NAT_TARGETS local:22, 10.3.0.0/24:8443'])

    before(async () => {
      lab = await createLab()
      forgetIptables(lab.server)
      dropByIptables(lab.server, variant)
      daemon = await Daemon.start(lab.net, lab.server, { server, access })
    })
    after(() => lab?.[Symbol.asyncDispose]())

    async function granted(at: string, ...argv: readonly string[]): Promise<void> {
      const verdict = await daemon.verdictAfter(() => knock(lab.c1, at, ...argv))
      assert.equal(verdict.verdict, 'granted', JSON.stringify(verdict))
    }
    const rules = (program = 'iptables'): string => lab.server.must([`${program}-${variant}-save`])

    for (const [at, program] of [
      [SERVER, 'iptables'],
      [SERVER6, 'ip6tables'],
    ] as const)
      it(`opens ${at} tcp/22 for its seconds, to the one who knocked, and leaves no rule behind`, async () => {
        assert.equal(await lab.c1.tcp(at, 22, { timeoutMs: 200 }), 'timeout')
        const asked = performance.now()
        await granted(at, '-s', '-A', 'tcp/22')
        const session = await lab.c1.connect(at, 22)
        assert.equal(await lab.c2.tcp(FOR_OTHER, 22, { timeoutMs: 200 }), 'timeout')
        const [line = ''] = rules(program)
          .split('\n')
          .filter((one) => one.startsWith('-A FWKNOP_INPUT '))
        assert.match(
          line,
          /-p tcp -m tcp --dport 22 -m time --datestop \S+ -m comment --comment _exp_\d{10} .* -j ACCEPT$/,
        )
        await lab.c1.until('timeout', { protocol: 'tcp', address: at, port: 22 })
        assert.ok(performance.now() - asked > LIFETIME * 1000 - 100, 'it ended too soon')
        assert.ok(performance.now() - asked < (LIFETIME + SLACK) * 1000, 'it ended too late')
        assert.equal(await session.echoes(), true, 'what it let in lives on')
        assert.doesNotMatch(rules(program), /-A FWKNOP_INPUT/)
      })

    it('a ghost service: ssh where the others see the web server, and its own port stays shut', async () => {
      lab.server.must([`iptables-${variant}`, '-A', 'INPUT', '-p', 'tcp', '--dport', '80', '-j', 'ACCEPT'])
      await granted(SERVER, '-s', '-A', 'tcp/22', '--nat-local', '--nat-port', '80')
      assert.equal(await lab.c1.tcp(SERVER, 80), 'ssh')
      assert.equal(await lab.c1.tcp(SERVER, 22, { timeoutMs: 200 }), 'timeout')
      assert.equal(await lab.c2.tcp(FOR_OTHER, 80), 'web')
      await lab.c1.until('web', { protocol: 'tcp', address: SERVER, port: 80 })
    })

    it('a forward reaches the inner host, and nothing else there', async () => {
      await granted(SERVER, '-s', '-A', 'tcp/443', '-N', '10.3.0.2:8443')
      assert.equal(await lab.c1.tcp(SERVER, 443), 'inner for 10.1.0.2')
      assert.equal(await lab.c1.tcp('10.3.0.2', 8443, { timeoutMs: 200 }), 'timeout')
      assert.equal(await lab.c2.tcp(FOR_OTHER, 443, { timeoutMs: 200 }), 'timeout')
    })

    it('the kernel ends what is open when the server was killed, and the next server finds the grant meanwhile', async () => {
      const asked = performance.now()
      await granted(SERVER, '-s', '-A', 'tcp/22', '-f', '12')
      await daemon.restart('SIGKILL')
      const [grant] = daemon.status().grants
      assert.deepEqual([grant?.for, grant?.open, grant?.name], ['10.1.0.2', ['tcp/22'], 'phone'])
      assert.equal(await lab.c1.tcp(SERVER, 22), 'ssh')
      await daemon.stop('SIGKILL')
      assert.equal(await lab.c1.tcp(SERVER, 22), 'ssh')
      await lab.c1.until('timeout', { protocol: 'tcp', address: SERVER, port: 22 })
      assert.ok(performance.now() - asked < (12 + SLACK) * 1000)
      assert.match(rules(), /-A FWKNOP_INPUT/, 'nobody removed the rule: the kernel does not match it')
      await daemon.again()
      assert.doesNotMatch(rules(), /-A FWKNOP_INPUT/)
      assert.deepEqual(daemon.status().grants, [])
    })

    it('with ENABLE_DESTINATION_RULE a grant counts only at the address that was knocked at', async () => {
      daemon.configure({ server: [...server, 'ENABLE_DESTINATION_RULE Y'], access })
      await daemon.restart()
      await granted(SERVER, '-s', '-A', 'tcp/22', '-f', '60')
      await granted(SERVER, '-s', '-A', 'tcp/22', '--nat-local', '--nat-port', '81', '-f', '60')
      for (const port of [22, 81]) {
        assert.equal(await lab.c1.tcp(SERVER, port), 'ssh')
        assert.equal(await lab.c1.tcp(FOR_OTHER, port, { timeoutMs: 200 }), 'timeout')
      }
      await daemon.restart('SIGKILL')
      assert.deepEqual(
        daemon
          .status()
          .grants.flatMap(({ open }) => open)
          .sort(),
        ['tcp/22@10.1.0.1', 'tcp/81@10.1.0.1→22'],
      )
      assert.equal(await lab.c1.tcp(SERVER, 81), 'ssh')
    })

    it('FORCE_NAT leads to an inner host also where only ENABLE_IPT_LOCAL_NAT is Y', async () => {
      daemon.configure({
        server: [...server.slice(0, 2), 'ENABLE_IPT_LOCAL_NAT Y'],
        access: stanza(['FORCE_NAT 10.3.0.2 8443']),
      })
      await daemon.restart()
      await granted(SERVER, '-s', '-A', 'tcp/444')
      assert.equal(await lab.c1.tcp(SERVER, 444), 'inner for 10.1.0.2')
      assert.equal(await lab.c2.tcp(FOR_OTHER, 444, { timeoutMs: 200 }), 'timeout')
    })

    it('with FLUSH_IPT_AT_EXIT a stop ends all; with FLUSH_IPT_AT_INIT a start does, also after a kill', async () => {
      await daemon.stop()
      const flushing = await Daemon.start(lab.net, lab.server, {
        server: [...server.slice(0, 2), 'FLUSH_IPT_AT_EXIT Y', 'FLUSH_IPT_AT_INIT Y'],
        access,
      })
      const saved = (): string => lab.server.must([`iptables-${variant}-save`])
      const open = async (): Promise<void> => {
        const verdict = await flushing.verdictAfter(() => knock(lab.c1, SERVER, '-s', '-A', 'tcp/22', '-f', '60'))
        assert.equal(verdict.verdict, 'granted', JSON.stringify(verdict))
        assert.match(saved(), /-A FWKNOP_INPUT .*_exp_/)
      }
      await open()
      await flushing.restart('SIGKILL')
      assert.deepEqual(flushing.status().grants, [])
      assert.doesNotMatch(saved(), /_exp_/)
      await open()
      await flushing.stop()
      assert.doesNotMatch(saved(), /FWKNOP/)
    })
  })
