/**
 * `ghostport init --policy yes` on a Debian that boots: one rehearsal, one dead-man switch, one confirmation and one
 * way back for the gate and the policy. Nothing answers afterwards but what was named, over IPv4 and IPv6.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { DebianName } from '../support/debian-root.ts'
import { type HostLab, hostLabUnavailable, SERVER, STRANGER } from '../support/host-lab.ts'
import { InitLab } from './init.ts'
import { allPortsAreShut, shutWhileItBoots } from './outside.ts'
import { opensToKnocks, shutToStrangers } from './traffic.ts'

const WEB = 80
const OTHER = 8081
const POLICY = '--policy yes --allow tcp/80'
/** What init says after the steps of the policy. */
const STEPS = [
  'wrote /etc/ghostport/policy.nft',
  'wrote /etc/systemd/system/ghostport-policy.service',
  'wrote /etc/systemd/system/ghostport-policy-watch.service',
  'wrote /etc/systemd/system/nftables.service.d/ghostport-policy.conf',
  'systemctl start ghostport-policy.service',
  'the policy lets the sessions live on',
] as const

export function describeInitPolicy(debian: DebianName): void {
  describe(`ghostport init with a policy on ${debian}`, { skip: hostLabUnavailable() }, () => {
    let init: InitLab
    let lab: HostLab
    const must = (command: string): string => {
      const { status, stdout, stderr } = lab.console(command)
      assert.equal(status, 0, `# ${command}\n${stdout}${stderr}`)
      return stdout
    }
    const serve = (): void => {
      for (const port of [WEB, OTHER]) {
        const code = `require('node:net').createServer((s) => s.end('hello\\n')).listen(${port}, '::')`
        must(`systemd-run --quiet --unit=web-${port} node -e "${code}"`)
        must(`for i in $(seq 50); do ss -Hltn sport = :${port} | grep -q . && exit; sleep 0.1; done; exit 1`)
      }
    }
    /** Whether a stranger reaches them: WEB and OTHER, each over IPv4 and IPv6. */
    const reached = async (): Promise<readonly boolean[]> =>
      await Promise.all(
        [WEB, OTHER].flatMap((port) =>
          (['four', 'six'] as const).map(
            async (family) =>
              (await lab.client.tcp(SERVER[family], port, { source: STRANGER[family], timeoutMs: 700 })).trim() ===
              'hello',
          ),
        ),
      )
    const isClosed = async (when: string): Promise<void> => {
      await shutToStrangers(lab, when)
      assert.deepEqual(await reached(), [true, true, false, false], when)
    }
    const isAsBefore = async (): Promise<void> => {
      await init.isAsBefore()
      assert.deepEqual(await reached(), [true, true, true, true])
      assert.notEqual(lab.console('nft list table inet ghostport_policy').status, 0)
    }

    before(async () => {
      init = await InitLab.boot(debian)
      lab = init.lab
      serve()
    })
    after(() => lab?.close())

    it('offers it, and changes nothing by that', async () => {
      const offered = JSON.parse(await init.session.must('ghostport init --plan --json --no-rehearsal'))
      assert.equal(offered.policy.state, 'offered')
      const ports = offered.policy.shuts.map(({ port }: { readonly port: number }) => port)
      assert.ok(ports.includes(WEB) && ports.includes(OTHER) && !ports.includes(22), String(ports))
      const planned = JSON.parse(await init.session.must(`ghostport init --plan --json ${POLICY}`))
      assert.deepEqual([planned.policy.state, planned.way, planned.rehearsal.good], ['planned', 'gate', true])
      assert.match(planned.rehearsal.scenes.map(({ what }: { what: string }) => what).join(), /nobody gets in at any/)
      const refused = await init.session.run('ghostport init --plan --policy yes --hide tcp/80')
      assert.match(refused.stdout, /ssh uses tcp\/22.*--hide tcp\/80,tcp\/22 \[POLICY_LOCKS_OUT\]/)
      await init.isUnchanged()
    })

    it('asks for it in the dialogue, and which ports stay open', async () => {
      const typed = `tcp/22\\n${SERVER.four}\\ny\\n\\ntcp/80\\nn\\n`
      const said = await init.session.run(
        `(sleep 2; printf '${typed}'; sleep 20) | script -qec 'ghostport init --no-rehearsal' /dev/null`,
      )
      assert.match(said.stdout, /has no policy that drops by default.*Programs listen on .*tcp\/80 \(MainThread\)/)
      assert.match(said.stdout, /warning: tcp\/8081 \(MainThread\) is open now, and is shut then/)
      assert.match(said.stdout, /lets everybody in at tcp\/80/)
      assert.match(said.stdout, /Nothing was changed/)
      await init.isUnchanged()
    })

    for (const step of STEPS)
      it(`killed after “${step}”: --revert takes back what was done`, async () => {
        await init.killedAfter(step, POLICY)
        await init.session.must('ghostport init --revert')
        await isAsBefore()
      })

    it('shuts all ports but those that were named, and the session lives on', async () => {
      await init.shut(POLICY)
      await isClosed('while it waits')
      await init.session.must('true')
      must('systemctl restart nftables')
      await isClosed('after a restart of nftables.service')
      await init.session.must('true')
      assert.match(lab.console('systemctl is-enabled ghostport-policy').stdout, /disabled/)
      assert.match(lab.console('systemctl is-active ghostport-policy-watch').stdout, /inactive/)
    })

    it('is taken back by a reboot before the confirmation', async () => {
      await init.session.reboot()
      await lab.reachable()
      init.session = await lab.login()
      serve()
      await isAsBefore()
    })

    it('is confirmed by one knock and login, the policy too', async () => {
      await init.shut(POLICY)
      const session = await init.knockAndLogIn()
      await init.says('Confirmed by the login')
      init.session = session
      assert.equal(must('systemctl is-enabled ghostport ghostport-gate ghostport-policy'), 'enabled\n'.repeat(3))
      await isClosed('after the confirmation')
      await opensToKnocks(lab)
      assert.match(await init.session.must(`ghostport init --yes ${POLICY}`), /Nothing has to be changed/)
      assert.match(await init.session.must('ghostport init --yes'), /Nothing has to be changed/)
      assert.doesNotMatch(must('ghostport serve --exit-parse-config 2>&1'), /warning/)
      const audit = JSON.parse(must('ghostport policy audit --json'))
      assert.deepEqual([audit.differences, audit.opens, audit.status], [[], [], 0])
    })

    it('is in force before the network at each boot', async () => {
      await shutWhileItBoots(lab, { ports: [22, OTHER] })
      serve()
      await allPortsAreShut(lab, [WEB])
      must('nft flush ruleset')
      for (let tries = 0; tries < 20 && (await reached())[2] === true; tries++) await delay(50)
      await isClosed('after a flush of all rules')
      await opensToKnocks(lab)
    })

    it('hides ssh also without the policy', async () => {
      must('ghostport policy remove')
      await shutToStrangers(lab, 'without the policy')
      assert.deepEqual(await reached(), [true, true, true, true])
      init.session = await init.knockAndLogIn()
      await init.session.must(`ghostport init --yes ${POLICY} --no-rehearsal --no-wait`)
      await isClosed('with the policy again')
      init.session = await init.knockAndLogIn()
      await init.session.must('ghostport init --confirm')
    })

    it('is taken off the host by uninstall', async () => {
      assert.match(await init.session.must('ghostport uninstall --plan'), /tcp\/22 is open to everybody/)
      await init.session.must('ghostport uninstall --yes')
      await isAsBefore()
    })
  })
}
