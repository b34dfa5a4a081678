/**
 * FIREWALL iptables when something goes wrong: half of a change fails, the lock is held, the clock is set, others
 * change the rules. The hosts are those of `../support/firewall-lab.ts`.
 */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { grantId, type Opening } from '../../src/access/grant.ts'
import { defaultChains } from '../../src/config/server/firewall-settings.ts'
import type { KernelFirewall, Mended } from '../../src/firewall/firewall.ts'
import { createIptablesFirewall, type IptablesOptions } from '../../src/firewall/iptables/iptables.ts'
import { familyOf, type IpAddress } from '../../src/packet/address.ts'
import { sinceBoot } from '../../src/system/since-boot.ts'
import { port, seconds } from '../../src/units.ts'
import { granted, grantFor, live } from '../contract/firewall.ts'
import { anyGrant } from '../support/any-grant.ts'
import { Daemon, ghostportCommand, knock, stanza } from '../support/daemon.ts'
import { addresses, createLab, type Lab } from '../support/firewall-lab.ts'
import { dropByIptables, forgetIptables } from '../support/iptables-host.ts'
import { netnsUnavailable } from '../support/netns.ts'

const { c1, c2, forC1 } = addresses[4]
const ssh: Opening = { kind: 'access', protocol: 'tcp', port: port(22) }
const ghost: Opening = { kind: 'ghost', protocol: 'tcp', publicPort: port(80), localPort: port(22) }

/** Of openings whose doors may contradict each other, the first. */
function isAlone(opening: Opening, i: number, all: readonly Opening[]): boolean {
  return opening.kind === 'access' || all.findIndex(({ kind }) => kind !== 'access') === i
}

function isIpv4(opening: Opening): boolean {
  const shown = opening.kind === 'access' || opening.kind === 'ghost' ? 'none' : opening.translation
  const addresses = [
    ...(typeof shown === 'object' ? [shown.snat] : []),
    ...('destination' in opening && opening.destination !== undefined ? [opening.destination] : []),
    ...(opening.kind === 'forward' ? [opening.target.address] : []),
    ...(opening.kind === 'divert' ? [opening.target] : []),
    ...(opening.kind === 'transit' ? opening.to.map(({ network }) => network.prefix) : []),
  ]
  return addresses.every((address) => familyOf(address) === 4)
}

describe('FIREWALL iptables in trouble', { skip: netnsUnavailable() }, () => {
  let lab: Lab
  before(async () => {
    lab = await createLab()
  })
  after(() => lab?.[Symbol.asyncDispose]())

  async function installed(options: IptablesOptions = {}, variant: 'nft' | 'legacy' = 'nft'): Promise<KernelFirewall> {
    forgetIptables(lab.server)
    dropByIptables(lab.server, variant)
    const firewall = createIptablesFirewall({ program: `iptables-${variant}`, ...options })
    assert.deepEqual(await firewall.install(), { ok: true, value: undefined })
    return firewall
  }
  const saved = (variant = 'nft'): string => lab.server.must([`iptables-${variant}-save`])
  const reach = (): Promise<string> => lab.c1.tcp(forC1, 22, { timeoutMs: 200 })

  for (const variant of ['nft', 'legacy'] as const)
    it(`${variant}: where the table nat refuses, the table filter is put right again, and other grants open`, async () => {
      const dnat = { ...defaultChains.dnat, from: 'NO_SUCH_CHAIN' }
      const firewall = await installed({ chains: { ...defaultChains, dnat } }, variant)
      const results = await firewall.open([grantFor(c1, [ghost]), grantFor(c2, [ssh]), grantFor(c1, [ssh])])
      assert.deepEqual(
        results.map((result) => (result.ok ? 'ok' : result.failure.code)),
        ['FIREWALL_REFUSED', 'ok', 'ok'],
      )
      assert.doesNotMatch(saved(variant), /ctorigdstport/)
      assert.equal(await reach(), 'ssh')
      assert.equal((await live({ firewall })).length, 2)
      await firewall.close()
    })

  it('a chain that another program removed comes back, with every grant, at the event of the kernel', async () => {
    const firewall = await installed()
    const told: Mended[] = []
    firewall.watch({ onMended: (mended) => told.push(mended) })
    await granted({ firewall }, grantFor(c1, [ssh]))
    await delay(1_100)
    lab.server.must(['iptables-nft', '-D', 'INPUT', '-j', 'FWKNOP_INPUT'])
    const gone = performance.now()
    while (told.length === 0 && performance.now() - gone < 5_000) await delay(20)
    assert.deepEqual(
      told.map(({ grants, outcome }) => [grants, outcome.ok]),
      [[1, true]],
    )
    assert.equal(await reach(), 'ssh')
    await firewall.close()
  })

  for (const variant of ['nft', 'legacy'] as const)
    it(`${variant}: a rule in fwknop’s form that no grant has is removed and told, and nothing else changes`, async () => {
      const firewall = await installed({ lookInterval: 200 }, variant)
      const told: Mended[] = []
      firewall.watch({ onMended: (mended) => told.push(mended) })
      await granted({ firewall }, grantFor(c1, [ssh], 60))
      const before = saved(variant)
      const insert = (...rule: string[]) => lab.server.must([`iptables-${variant}`, '-I', 'FWKNOP_INPUT', ...rule])
      insert('2', '-s', c2, '-p', 'tcp', '--dport', '22', '-m', 'comment', '--comment', '_exp_1234', '-j', 'ACCEPT')
      const added = performance.now()
      while (told.length === 0 && performance.now() - added < 10_000) await delay(20)
      assert.deepEqual(
        told.map(({ change, grants, outcome, strays }) => [change.how, grants, outcome.ok, strays]),
        [['added', 1, true, [{ chain: 'FWKNOP_INPUT', rule: 2, until: 1234 }]]],
      )
      const rules = (text: string) => text.split('\n').filter((line) => line.startsWith('-A'))
      assert.deepEqual(rules(saved(variant)), rules(before))
      assert.equal(await reach(), 'ssh')
      await firewall.close()
    })

  for (const [variant, next] of [
    ['nft', 'the next grant'],
    ['legacy', 'the next look'],
  ] as const)
    it(`${variant}: a program killed after its work, for a grant that is then refused: ${next} shuts the door`, async () => {
      const folder = lab.net.directory()
      const there = (name: string): string => join(folder, name)
      for (const name of [`iptables-${variant}`, `ip6tables-${variant}`]) {
        symlinkSync(`/usr/sbin/${name}-save`, there(`${name}-save`))
        const restore = `#!/bin/bash
if [ -e ${there('kill')} ]; then mv ${there('kill')} ${there('fail')}; /usr/sbin/${name}-restore "$@"; kill -9 $$; fi
[ -e ${there('fail')} ] && exit 1
exec /usr/sbin/${name}-restore "$@"
`
        writeFileSync(there(`${name}-restore`), restore, { mode: 0o755 })
      }
      const firewall = await installed({ program: there(`iptables-${variant}`) }, variant)
      const told: Mended[] = []
      firewall.watch({ onMended: (mended) => told.push(mended) })
      writeFileSync(there('kill'), '')
      const [refused] = await firewall.open([grantFor(c1, [ssh], 60)])
      assert.equal(refused?.ok, false)
      assert.equal(await reach(), 'ssh', 'the killed program has opened')
      rmSync(there('fail'))
      if (next === 'the next grant') await granted({ firewall }, grantFor(c2, [ssh], 60))
      else for (let i = 0; i < 30 && (await reach()) === 'ssh'; i++) await delay(100)
      assert.equal(await reach(), 'timeout')
      assert.deepEqual(told, [], 'no other program did it')
      await firewall.close()
    })

  for (const damage of [['-D', 'INPUT', '-j', 'FWKNOP_INPUT'], ['-F', 'FWKNOP_INPUT'], ['-F']])
    it(`legacy: after iptables ${damage.join(' ')} the next grant brings back all`, async () => {
      const firewall = await installed({}, 'legacy')
      await granted({ firewall }, grantFor(c1, [ssh]))
      lab.server.must(['iptables-legacy', ...damage])
      if (damage.length === 1) dropByIptables(lab.server, 'legacy')
      // Opened again, it changes a rule that is gone, or one behind a jump that is gone.
      await granted({ firewall }, grantFor(c1, [ssh], 60))
      assert.equal(await reach(), 'ssh')
      await firewall.close()
    })

  for (const variant of ['nft', 'legacy'] as const)
    it(`${variant}: rules of others in our chains live through everything but FLUSH_IPT_AT_INIT`, async () => {
      const program = `iptables-${variant}`
      forgetIptables(lab.server)
      dropByIptables(lab.server, variant)
      const stranger = ['-s', c2, '-p', 'tcp', '--dport', '25', '-m', 'comment', '--comment', 'it\'s "others"']
      lab.server.must([program, '-N', 'FWKNOP_INPUT'])
      lab.server.must([program, '-A', 'FWKNOP_INPUT', ...stranger, '-j', 'ACCEPT'])
      const inChain = (): readonly string[] =>
        saved(variant)
          .split('\n')
          .filter((line) => line.startsWith('-A FWKNOP_INPUT'))
      const [listed] = inChain()
      assert.ok(listed !== undefined)
      const make = (options: IptablesOptions = {}): KernelFirewall => createIptablesFirewall({ program, ...options })
      const first = make({ lookInterval: 200 })
      assert.deepEqual(await first.install(), { ok: true, value: undefined })
      assert.equal(await lab.c2.tcp(addresses[4].forC2, 25), 'mail')
      const told: Mended[] = []
      first.watch({ onMended: (mended) => told.push(mended) })
      await granted({ firewall: first }, grantFor(c1, [ssh], 60))
      // Another rule of others between ours, and one more grant.
      lab.server.must([program, '-A', 'FWKNOP_INPUT', '-p', 'udp', '--dport', '9', '-j', 'DROP'])
      await granted({ firewall: first }, grantFor(c2, [ssh], 60))
      assert.equal(inChain().length, 4)
      await delay(1_500)
      assert.equal(told.length, 0, 'rules of others are no damage')
      lab.server.must([program, '-D', 'INPUT', '-j', 'FWKNOP_INPUT'])
      while (told.length === 0) await delay(20)
      assert.deepEqual(
        told.map(({ outcome, grants }) => [outcome.ok, grants]),
        [[true, 2]],
      )
      assert.equal(inChain().length, 4)
      assert.equal(inChain()[0], listed)
      await first.close()

      // As after kill -9: the next one tells its own rules from those of others.
      const second = make()
      assert.deepEqual(await second.install(), { ok: true, value: undefined })
      assert.equal(second.kept().grants.length, 2)
      assert.equal(inChain().length, 4)
      assert.equal(inChain()[0], listed)
      assert.equal(await reach(), 'ssh')
      assert.equal(await lab.c2.tcp(addresses[4].forC2, 25), 'mail')
      assert.deepEqual(await second.revoke([grantFor(c1, [ssh]).id]), { ok: true, value: undefined })
      assert.deepEqual([inChain().length, inChain()[0], await reach()], [3, listed, 'timeout'])
      await second.close()

      const flushing = make({ flushAtStart: true })
      assert.deepEqual(await flushing.install(), { ok: true, value: undefined })
      assert.deepEqual([inChain(), flushing.kept().grants], [[], []])
      assert.equal(await lab.c2.tcp(addresses[4].forC2, 25, { timeoutMs: 200 }), 'timeout')
      await flushing.close()
    })

  for (const prepend of [false, true])
    it(`shows its rules as the commands that make them, with ENABLE_RULE_PREPEND ${prepend ? 'Y' : 'N'}`, async () => {
      const firewall = await installed({ prepend })
      await granted({ firewall }, grantFor(c1, [ssh], 60))
      const listed = await firewall.listing('commands')
      assert.ok(listed.ok)
      const [, how] = /^iptables -t filter (-[AI]) FWKNOP_INPUT -s 10\.1\.0\.2\/32 /m.exec(listed.value) ?? []
      assert.equal(how, prepend ? '-I' : '-A')
      await firewall.close()
    })

  it('when the clock is set, the kernel gets the new ends, and a start keeps no grant for longer', async () => {
    let shift = 0
    const clocks = { boot: () => sinceBoot('counted'), wall: () => Date.now() + shift }
    const firewall = await installed({ clocks, clockInterval: 50 })
    firewall.watch({ onMended: () => {} })
    await granted({ firewall }, grantFor(c1, [ssh], 60))
    const ends = (): number => Number(/_exp_(\d+)/.exec(saved())?.[1])
    const before = ends()
    shift = -3_600_000
    while (ends() === before) await delay(50)
    assert.ok(Math.abs(ends() - (before - 3600)) <= 1)
    await firewall.close()
    // Killed with an open door; then the clock is set back. The rule would live for an hour more.
    const next = createIptablesFirewall({
      program: 'iptables-nft',
      clocks: { boot: () => sinceBoot('counted') + 61_000, wall: () => Date.now() - 3_600_000 },
    })
    assert.deepEqual(await next.install(), { ok: true, value: undefined })
    assert.deepEqual(next.kept(), { grants: [], lost: 0 })
    assert.doesNotMatch(saved(), /_exp_/)
    await next.close()
    // A reboot starts the other clock anew; rules may have been saved over it. The wall clock decides.
    const rebooted = createIptablesFirewall({
      program: 'iptables-nft',
      clocks: { boot: () => 10, wall: () => Date.now() },
    })
    const soon = Math.ceil(Date.now() / 1000) + 20
    const record = '2|3|30|10.1.0.2|t22|alice|999999999'
    lab.server.must(
      ['iptables-nft', '-A', 'FWKNOP_INPUT', '-s', c1, '-p', 'tcp', '--dport', '22'].concat([
        '-m',
        'comment',
        '--comment',
        `_exp_${soon}`,
        '-m',
        'comment',
        '--comment',
        record,
        '-j',
        'ACCEPT',
      ]),
    )
    assert.deepEqual(await rebooted.install(), { ok: true, value: undefined })
    const [kept] = rebooted.kept().grants
    assert.ok(kept !== undefined && kept.remaining > 15_000 && kept.remaining <= 21_000, `${kept?.remaining} ms`)
    await rebooted.close()
    // A machine without a battery: its clock is a month late, and the other clock was far ahead before the boot.
    const late = createIptablesFirewall({
      program: 'iptables-nft',
      clocks: { boot: () => 10, wall: () => Date.now() - 30 * 86_400_000 },
    })
    assert.deepEqual(await late.install(), { ok: true, value: undefined })
    const [short] = late.kept().grants
    assert.ok(short !== undefined && short.remaining <= 30_000, `${short?.remaining} ms`)
    await late.close()
  })

  it('a rule whose comments lie keeps no server from starting, and none open for longer than it was granted', async () => {
    const soon = Math.ceil(Date.now() / 1000) + 1000
    const record = (end: number, lifetime = 30): string => `2|3|${lifetime}|10.1.0.2|t22|alice|${end}`
    const made = `-A FWKNOP_INPUT -s ${c1}/32 -m comment --comment _exp_${soon} -m comment --comment ${record(9e8)} -j ACCEPT`
    for (const [comments, lost] of [
      [['_exp_946684800000', record(9e8)], 0],
      [['_exp_-5', record(5)], 0],
      [['_exp_9999999999', record(9e14)], 0],
      [['_exp_9999999999', record(9e14, 9_999_999_999)], 1],
      [[`x\n${made}\n`], 0],
    ] as const) {
      forgetIptables(lab.server)
      dropByIptables(lab.server, 'nft')
      lab.server.must(['iptables-nft', '-N', 'FWKNOP_INPUT'])
      const said = comments.flatMap((comment) => ['-m', 'comment', '--comment', comment])
      lab.server.must(['iptables-nft', '-A', 'FWKNOP_INPUT', '-s', c2, '-p', 'tcp', '--dport', '22', ...said])
      const firewall = createIptablesFirewall({ program: 'iptables-nft' })
      assert.deepEqual(await firewall.install(), { ok: true, value: undefined }, comments.join())
      const { grants, lost: left } = firewall.kept()
      assert.ok(grants.length <= 1 && grants.every(({ remaining }) => remaining <= 30_000), comments.join())
      assert.equal(left, lost, comments.join())
      await granted({ firewall }, grantFor(c1, [ssh]))
      assert.equal(await reach(), 'ssh')
      await firewall.close()
    }
  })

  it('whatever a grant has, the kernel takes it and tells it as it was', async () => {
    const firewall = await installed({ maxGrants: 5_000 })
    const grants = fc
      .sample(anyGrant, 30)
      // Each for itself: two may contradict each other.
      .map((grant, i) => ({ ...grant, source: `192.0.2.${i + 1}` as IpAddress, lifetime: seconds(600) }))
      .map((grant) => ({ ...grant, openings: grant.openings.filter(isIpv4).filter(isAlone) }))
      .filter(({ openings }) => openings.length > 0)
      .map((grant) => ({ ...grant, id: grantId(grant.source, grant.openings) }))
    const results = await firewall.open(grants)
    const opened = grants.filter((_, i) => results[i]?.ok)
    assert.ok(opened.length > grants.length / 2, JSON.stringify(results.filter(({ ok }) => !ok).slice(0, 3)))
    const found = new Map((await live({ firewall })).map(({ grant }) => [grant.id, grant]))
    for (const grant of opened) assert.deepEqual(found.get(grant.id), grant)
    await firewall.close()
  })

  it('a program that others can change is not run', async () => {
    forgetIptables(lab.server)
    const folder = lab.net.directory()
    const program = join(folder, 'iptables')
    for (const name of [program, `${program}-save`, `${program}-restore`])
      writeFileSync(name, `#!/bin/sh\ntouch ${folder}/was-run\n`, { mode: 0o755 })
    chmodSync(`${program}-save`, 0o777)
    const conf = join(folder, 'fwknopd.conf')
    writeFileSync(conf, `FIREWALL iptables;\nFIREWALL_EXE ${program};\nREPLAY_DB ${folder}/state/replay.db;\n`)
    writeFileSync(join(folder, 'access.conf'), stanza([]), { mode: 0o600 })
    const words = ['serve', '--exit-parse-config', '-c', conf, '-a', join(folder, 'access.conf')]
    const { status, stderr } = lab.server.run(ghostportCommand(...words))
    assert.notEqual(status, 0)
    assert.match(stderr, /FIREWALL_EXE: .*iptables-save can be changed by others/)
    assert.equal(existsSync(join(folder, 'was-run')), false)
  })

  it('a grant beyond what iptables can express is refused, and so is one of a family without a program', async () => {
    const firewall = await installed({
      clocks: { boot: () => sinceBoot('counted'), wall: () => (2 ** 31 - 10) * 1000 },
    })
    const [late] = await firewall.open([grantFor(c1, [ssh], 60)])
    assert.ok(late !== undefined && !late.ok && /2038/.test(late.failure.detail))
    await firewall.close()
    const none = createIptablesFirewall({ program: '/nonexistent/iptables' })
    const started = await none.install()
    assert.ok(!started.ok && started.failure.code === 'FIREWALL_UNAVAILABLE')
    assert.match(started.failure.detail, /not installed/)
    await none.close()
  })

  it('legacy: waits for the lock of iptables, and refuses where it stays held, with nothing half open', async () => {
    forgetIptables(lab.server)
    dropByIptables(lab.server, 'legacy')
    // A /run of its own, so that no other program of this machine waits.
    const inside = ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /run && exec "$@"', 'sh']
    const daemon = await Daemon.start(lab.net, lab.server, {
      server: ['FIREWALL iptables', 'FIREWALL_EXE /usr/sbin/iptables-legacy'],
      access: stanza(['FW_ACCESS_TIMEOUT 60']),
      inside,
    })
    const hold = async (seconds: number): Promise<void> => {
      const lock = ['nsenter', '-t', String(daemon.pid), '-m', 'flock', '/run/xtables.lock']
      const holder = lab.server.start([...lock, 'sh', '-c', `echo held; sleep ${seconds}`])
      await holder.says(/held/)
    }
    await hold(2)
    const waited = await daemon.verdictAfter(() => knock(lab.c1, forC1, '-s', '-A', 'tcp/22'))
    assert.equal(waited.verdict, 'granted')
    assert.equal(await reach(), 'ssh')
    await hold(4)
    const late = await daemon.verdictAfter(() => knock(lab.c1, forC1, '-s', '-A', 'tcp/25', '-f', '2'))
    assert.equal(late.code, 'FIREWALL_UNAVAILABLE')
    assert.match(String(late['detail']), /iptables took \d s, and the grant was over by then/)
    // The rule for tcp/25 has ended: its removal may wait for the lock too, before the knock does.
    await hold(12)
    const refused = await daemon.verdictAfter(() => knock(lab.c1, forC1, '-s', '-A', 'tcp/25'))
    assert.equal(refused.code, 'FIREWALL_UNAVAILABLE')
    assert.match(JSON.stringify(refused), /lock of iptables/)
    assert.equal(await lab.c1.tcp(forC1, 25, { timeoutMs: 200 }), 'timeout')
    await delay(4_000)
    const again = await daemon.verdictAfter(() => knock(lab.c1, forC1, '-s', '-A', 'tcp/25'))
    assert.equal(again.verdict, 'granted')
    assert.equal(await lab.c1.tcp(forC1, 25), 'mail')
    await daemon.stop()
  })
})
