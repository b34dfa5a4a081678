/**
 * `ghostport policy` on a Debian that boots, by an administrator who has nothing but ssh. The policy is refused where
 * it would lock out. The timer and a reboot take it back. Once confirmed, it outlives reboots and `nftables.service`.
 * The port is never open meanwhile.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { DebianName } from '../support/debian-root.ts'
import { HostLab, hostLabUnavailable, SERVER, type Session, STRANGER } from '../support/host-lab.ts'
import { allPortsAreShut, shutWhileItBoots } from './outside.ts'
import { opensToKnocks, rebootAndWait, shutToStrangers } from './traffic.ts'

export function describePolicy(debian: DebianName): void {
  describe(`the policy of a host, on ${debian}`, { skip: hostLabUnavailable() }, () => {
    let lab: HostLab
    let session: Session

    before(async () => {
      lab = await HostLab.boot(debian)
      session = await lab.login()
    })
    after(() => lab?.close())

    const must = (command: string): string => {
      const { status, stdout, stderr } = lab.console(command)
      assert.equal(status, 0, `# ${command}\n${stdout}${stderr}`)
      return stdout
    }
    const hasTable = (): boolean => lab.console('nft list table inet ghostport_policy').status === 0
    const isOpen = (): Promise<boolean> => lab.ssh(SERVER.four, STRANGER.four, 700)
    /** Logs in by a knock, also where the port is open to all. */
    const knockedSession = async (): Promise<Session> => {
      lab.must('ghostport knock myserver --wait')
      for (let tries = 0; tries < 50 && grants() === 0; tries++) await delay(100)
      return await lab.login()
    }
    const grants = (): number => JSON.parse(must('ghostport status --json')).grants.length
    const grantsEnd = async (): Promise<void> => {
      for (let tries = 0; tries < 100; tries++) {
        if (grants() === 0) return
        await delay(300)
      }
      assert.fail('a grant of ten seconds does not end')
    }

    it('is refused while nothing shows that one gets in again, and changes nothing', async () => {
      await session.must('npm install -g --ignore-scripts /root/ghostport-*.tgz')
      await session.must('mkdir -p -m 700 /etc/fwknop')
      await session.must('cp "$(npm root -g)/ghostport/packaging/fwknopd.conf" /etc/fwknop/')
      const pair = await session.must(
        `ghostport keygen --pair --json --server ${SERVER.four} --name myserver --open tcp/22`,
      )
      const { access_conf: access, fwknoprc } = JSON.parse(pair) as { access_conf: string; fwknoprc: string }
      const rc = fwknoprc.replace(/^\[.*\]$/m, '[myserver]')
      writeFileSync(join(lab.home, '.fwknoprc'), rc, { mode: 0o600 })
      must(`umask 077; cat > /etc/fwknop/access.conf <<'END-OF-FILE'\n${access}FW_ACCESS_TIMEOUT 10\nEND-OF-FILE`)
      must('ghostport unit > /etc/systemd/system/ghostport.service')
      must('systemctl daemon-reload && systemctl enable --now ghostport')
      const refused = await session.run('ghostport policy install')
      assert.equal(refused.status, 78, refused.stdout)
      assert.match(refused.stdout, /no knock opened it.*--allow-from 192\.0\.2\.77,tcp\/22 \[POLICY_LOCKS_OUT\]/s)
      const confirm = await session.run('ghostport policy install --confirm')
      assert.equal(confirm.status, 1)
      assert.match(confirm.stdout, /no policy waits.*\[NOT_CONFIRMED\]/)
      assert.ok(!hasTable() && (await isOpen()))
      assert.equal(must('ls /run/ghostport-policy /etc/ghostport 2>/dev/null; true'), '')
    })

    it('comes into force from a session that a knock opened, and the older sessions live on', async () => {
      const knocked = await knockedSession()
      await grantsEnd()
      const said = await knocked.must('env -u SSH_CONNECTION ghostport policy install --revert-after 40')
      assert.match(said, /in force.*taken back at 20\d\d-.*Knock, log in a second time.*install --confirm/s)
      await shutToStrangers(lab)
      await session.must('true')
      const same = await knocked.run('ghostport policy install --confirm')
      assert.equal(same.status, 1)
      assert.match(same.stdout, /older than the policy/)
      const waits = JSON.parse(lab.console('ghostport doctor --only DEAD_MAN --json').stdout).checks[0].findings[0]
      assert.deepEqual([waits.severity, waits.command], ['warning', 'ghostport policy install --confirm'])
      assert.match(
        (await knocked.run('ghostport policy install --confirm --allow tcp/80')).stdout,
        /--allow has no effect with --confirm/,
      )
      await opensToKnocks(lab)
      await knocked.close()
    })

    it('is taken back at its time, though systemd was reloaded and the terminal is gone', async () => {
      await delay(15_000)
      must('systemctl daemon-reload')
      const next = must('systemctl show ghostport-undo.timer -p ActiveState')
      assert.match(next, /active/)
      assert.equal(await isOpen(), false, 'too early')
      for (let tries = 0; tries < 60 && hasTable(); tries++) await delay(500)
      assert.ok(!hasTable(), 'not taken back')
      assert.ok(await isOpen())
      assert.notEqual((await session.run('ghostport policy install --confirm')).status, 0)
      assert.equal(must('ls /run/ghostport-policy /etc/ghostport 2>/dev/null; true'), '')
    })

    it('is taken back by a reboot while it is not confirmed', async () => {
      const knocked = await knockedSession()
      await knocked.must('ghostport policy install')
      assert.equal(await isOpen(), false)
      await reboot()
      assert.ok(await isOpen())
      assert.ok(!hasTable())
      assert.equal(must('ls /run/ghostport-policy 2>/dev/null; true'), '')
    })

    it('is taken back at once where the administrator says so', async () => {
      const knocked = await knockedSession()
      await knocked.must('ghostport policy install')
      await knocked.must('ghostport policy install --revert')
      assert.ok(!hasTable() && (await isOpen()))
      assert.equal((await knocked.run('ghostport policy install --revert')).status, 1)
      assert.equal(must('systemctl list-units --all --no-pager "ghostport-undo*" --no-legend').trim(), '')
    })

    it('is taken back, or installed by a second run, where the first was killed at any moment', async () => {
      const knocked = await knockedSession()
      for (const seconds of [0.2, 0.4, 0.6, 0.8, 1, 1.2, 1.5, 2]) {
        await knocked.run(`timeout -s KILL ${seconds} ghostport policy install --revert-after 30`)
        // What is in force has a timer.
        if (hasTable()) must('systemctl is-active ghostport-undo.timer')
        await knocked.must('ghostport policy install --revert-after 30')
        assert.equal(await isOpen(), false)
        await knocked.must('ghostport policy install --revert')
        assert.ok(!hasTable() && (await isOpen()), `after ${seconds} s`)
        assert.equal(must('ls /run/ghostport-policy 2>/dev/null; true'), '')
      }
    })

    it('is kept once a new session confirms it', async () => {
      const knocked = await knockedSession()
      await grantsEnd()
      await knocked.must('ghostport policy install')
      const second = await knockedSession()
      assert.match(await second.must('ghostport policy install --confirm'), /kept: \/etc\/ghostport\/policy\.nft/)
      assert.equal(must('systemctl is-enabled ghostport-policy').trim(), 'enabled')
      assert.equal(must('systemctl is-active ghostport-policy').trim(), 'active')
      assert.notEqual(lab.console('systemctl is-active ghostport-undo.timer').status, 0)
      assert.equal(must('stat -c %a /etc/ghostport/policy.nft').trim(), '600')
      await knocked.must('true')
      session = second
      await opensToKnocks(lab)
      assert.doesNotMatch(must('ghostport serve --exit-parse-config 2>&1'), /warning/)
    })

    it('is what the audit finds, by the rules and by the kernel', () => {
      const { stdout, stderr } = lab.console('ghostport policy audit --json')
      const { status, families, differences, opens, unknown } = JSON.parse(stdout)
      assert.deepEqual([differences, opens, unknown, stderr], [[], [], [], ''])
      assert.deepEqual(
        families.map(({ filtered }: { filtered: string }) => filtered),
        ['yes', 'yes'],
      )
      assert.equal(status, 0)
    })

    it('comes back by itself where somebody flushed all rules', async () => {
      must('systemctl is-active ghostport-policy-watch')
      for (const act of ['nft flush ruleset', 'nft delete table inet ghostport_policy', 'nft flush ruleset']) {
        const began = performance.now()
        must(act)
        for (let tries = 0; tries < 100 && !hasTable(); tries++) await delay(20)
        assert.ok(hasTable() && performance.now() - began < 1000, `after ${act}`)
        await shutToStrangers(lab, `after ${act}`)
      }
      // By what the kernel tells, and not by starting again and again.
      assert.equal(must('systemctl show -P NRestarts ghostport-policy-watch').trim(), '0')
      await session.must('true')
      await opensToKnocks(lab)
      assert.match(must('journalctl -b -t ghostport-policy'), /another program removed the table of the policy/)
      // Also where the watch itself was killed, and sees no event.
      must('systemctl kill -s KILL ghostport-policy-watch; nft flush ruleset')
      for (let tries = 0; tries < 200 && !hasTable(); tries++) await delay(50)
      await shutToStrangers(lab, 'after a flush that nobody saw')
    })

    it('is missed by the doctor where somebody flushed all rules, and its command brings it back', async () => {
      must('systemctl stop ghostport-policy-watch')
      const doctor = () => JSON.parse(lab.console('ghostport doctor --only POLICY --json').stdout).checks[0]
      assert.equal(doctor().answer, 'good')
      must('nft flush ruleset')
      const [finding] = doctor().findings
      assert.match(finding.text, /not in force/)
      must(finding.command)
      assert.equal(doctor().answer, 'good')
      await shutToStrangers(lab)
      must('systemctl start ghostport-policy-watch')
    })

    it('outlives nftables.service, whose file flushes everything', async () => {
      for (const command of ['start', 'reload', 'restart', 'stop', 'start', 'restart']) {
        must(`systemctl ${command} nftables`)
        assert.ok(hasTable(), `after ${command}`)
        assert.equal(await isOpen(), false, `after ${command}`)
      }
      must('systemctl reload ghostport-policy')
      await opensToKnocks(lab)
    })

    it('is there before the network at each boot, also beside nftables.service', async () => {
      for (const command of ['disable', 'enable']) {
        must(`systemctl ${command} nftables`)
        await shutWhileItBoots(lab)
      }
    })

    it('shows no open port to nmap, of all there are, over IPv4 and IPv6', async () => {
      await allPortsAreShut(lab)
    })

    it('goes back to the confirmed one where a change of it is not confirmed', async () => {
      const knocked = await knockedSession()
      await knocked.must('ghostport policy install --allow tcp/22 --revert-after 30')
      assert.equal(await isOpen(), true)
      // Nothing puts a policy back before it is confirmed, or taken back.
      must('nft flush ruleset')
      await delay(1500)
      assert.ok(!hasTable())
      for (let tries = 0; tries < 80 && (await isOpen()); tries++) await delay(500)
      assert.equal(await isOpen(), false)
      assert.equal(must('systemctl is-active ghostport-policy').trim(), 'active')
      assert.doesNotMatch(must('cat /etc/ghostport/policy.nft'), /--allow tcp\/22/)
      // And by a reboot.
      await knocked.must('ghostport policy install --allow tcp/22')
      assert.equal(await isOpen(), true)
      await shutAfterReboot()
    })

    it('is removed, with all of its files, and says what is open then', async () => {
      const said = must('ghostport policy remove 2>&1')
      assert.match(said, /warning: now tcp\/22 is open to everybody/)
      assert.match(said, /inet ghostport_policy.*ghostport-policy\.service.*nftables\.service\.d.*policy\.nft/s)
      assert.ok(!hasTable() && (await isOpen()))
      assert.equal(must('ls -d /etc/ghostport /etc/systemd/system/nftables.service.d 2>/dev/null; true'), '')
      must('systemctl restart nftables; nft flush ruleset; sleep 1')
      assert.ok(!hasTable())
      assert.equal(
        must('systemctl list-units --all --no-legend "ghostport-policy*" | grep -v not-found; true').trim(),
        '',
      )
      assert.match(must('ghostport policy remove'), /There was no policy/)
      const shown = must('ghostport audit show')
      assert.match(shown, /policy install {2}by uid 0[\s\S]*\+ .*policy drop/)
      assert.match(shown, /policy install --revert {2}by uid 0/)
      assert.match(shown, /policy install --confirm {2}by uid 0.*\n.*\+ \/etc\/ghostport\/policy\.nft/)
      assert.match(shown, /policy remove {2}by uid 0[\s\S]*- .*policy drop/)
    })

    it('is refused beside ufw, with what to do there', async () => {
      must('ufw allow 22/tcp && ufw --force enable')
      const { status, stdout, stderr } = lab.console('ghostport policy install --allow tcp/80')
      assert.equal(status, 78)
      assert.match(stderr, /ufw manages the firewall of this host.*\[POLICY_CONFLICT\]/)
      assert.match(stdout, /before6\.rules.*ufw allow 80\/tcp.*ufw default deny incoming/s)
      assert.ok(!hasTable())
      must('ufw --force disable')
    })

    /** Until ssh answers again. */
    async function reboot(): Promise<void> {
      await rebootAndWait(lab)
      await lab.reachable()
      session = await lab.login()
    }

    async function shutAfterReboot(): Promise<void> {
      await rebootAndWait(lab)
      await opensToKnocks(lab)
    }
  })
}
