/**
 * Gate mode on a Debian that boots, whose own firewall lets everything in. A client outside knocks on the closed port
 * without a pause: while the host boots, and while ghostport is stopped, killed, or cannot start. The port never
 * answers, and the owner of a key gets in.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { CLIENT, HostLab, hostLabUnavailable, SERVER, STRANGER } from '../support/host-lab.ts'
import { isClosedDuring, whatIsSeen } from './outside.ts'

export function describeGate(debian: 'bookworm' | 'trixie'): void {
  describe(`gate mode on ${debian}`, { skip: hostLabUnavailable() }, () => {
    let lab: HostLab

    before(async () => {
      lab = await HostLab.boot(debian)
    })
    after(() => lab?.close())

    const must = (command: string): string => {
      const { status, stdout, stderr } = lab.console(command)
      assert.equal(status, 0, `# ${command}\n${stdout}${stderr}`)
      return stdout
    }

    /** The port opens for a knock, over both families. */
    async function knocks(): Promise<void> {
      lab.must(`ghostport knock -n ${SERVER.four} --wait`)
      assert.ok(await lab.ssh())
      lab.must(`ghostport knock -n ${SERVER.four} -D ${SERVER.six} --wait`)
      assert.ok(await lab.ssh(SERVER.six, CLIENT.six))
    }

    /** Reboots, and waits until ssh runs again and can be reached from one of these addresses. */
    async function reboot(until: () => boolean): Promise<void> {
      const before = lab.reboots
      lab.console('systemctl reboot')
      const deadline = performance.now() + 90_000
      while (lab.reboots === before || !until() || !(await isReachable())) {
        if (performance.now() > deadline) assert.fail(lab.console('systemctl --no-pager --failed').stdout)
        await delay(100)
      }
    }
    /** A new address cannot be used for a second. The gate lets a port pass that is not protected. */
    const isReachable = async (): Promise<boolean> =>
      (await lab.client.tcp(SERVER.four, 9, { source: CLIENT.four, timeoutMs: 300 })) === 'refused' &&
      (await lab.client.tcp(SERVER.six, 9, { source: CLIENT.six, timeoutMs: 300 })) === 'refused'
    const isActive = (...units: readonly string[]): boolean =>
      lab.console(`systemctl is-active ${units.join(' ')}`).stdout === 'active\n'.repeat(units.length)

    it('is set up while the port is open', async () => {
      must('npm install -g --ignore-scripts /root/ghostport-*.tgz')
      must('mkdir -p -m 700 /etc/fwknop')
      const { open } = await whatIsSeen(lab, () => {
        const settings = 'FIREWALL_MODE gate;\\nPROTECTED_PORTS tcp/22;\\n'
        must(`umask 077; printf '${settings}' > /etc/fwknop/fwknopd.conf`)
        const pair = must(`ghostport keygen --pair --json --server ${SERVER.four} --name myserver --open tcp/22`)
        const { access_conf: access, fwknoprc } = JSON.parse(pair) as { access_conf: string; fwknoprc: string }
        writeFileSync(join(lab.home, '.fwknoprc'), fwknoprc, { mode: 0o600 })
        must(`umask 077; cat > /etc/fwknop/access.conf <<'END-OF-FILE'\n${access}END-OF-FILE`)
        must('ghostport unit > /etc/systemd/system/ghostport.service')
      })
      // Proof that the probe can see an open port.
      assert.ok(open > 0)
      must('systemctl daemon-reload && systemctl enable --now ghostport')
      assert.match(must('journalctl -u ghostport -o cat --no-pager'), /at boot, tcp\/22 is open to everybody/)
      must('ghostport unit --gate > /etc/systemd/system/ghostport-gate.service')
      must('systemctl daemon-reload && systemctl enable ghostport-gate')
      await isClosedDuring(lab, knocks)
    })

    it('is closed during a whole boot, in which the network is up long before ghostport', async () => {
      must('mkdir -p /etc/systemd/system/ghostport.service.d')
      must("printf '[Service]\\nExecStartPre=/bin/sleep 2\\n' > /etc/systemd/system/ghostport.service.d/slow.conf")
      await isClosedDuring(lab, () => reboot(() => isActive('ghostport', 'ssh')), { atLeast: 100 })
      assert.doesNotMatch(must('journalctl -b -u ghostport -o cat --no-pager'), /at boot, tcp\/22/)
      assert.ok(isActive('ghostport-gate'))
      await knocks()
      must('rm -r /etc/systemd/system/ghostport.service.d && systemctl daemon-reload')
    })

    it('is not started by hand, and takes no grant away', async () => {
      await knocks()
      assert.notEqual(lab.console('systemctl restart ghostport-gate').status, 0)
      assert.ok(await lab.ssh())
    })

    it('stays closed when ghostport stops, and when both its processes are killed', async () => {
      await isClosedDuring(lab, async () => {
        must('systemctl stop ghostport')
        await delay(1_500)
        must('systemctl start ghostport')
        must('systemctl kill -s KILL --kill-who=all ghostport')
        await delay(300)
      })
      for (let tries = 0; tries < 100 && !isActive('ghostport'); tries++) await delay(100)
      await knocks()
    })

    it('boots, with the port closed, where ghostport cannot start', async () => {
      must('cp -p /etc/fwknop/access.conf /root/good && echo OPEN_PROTS tcp/22 >> /etc/fwknop/access.conf')
      await isClosedDuring(lab, () => reboot(() => isActive('ssh')), { atLeast: 100 })
      assert.ok(!isActive('ghostport'))
      must('cp -p /root/good /etc/fwknop/access.conf && systemctl start ghostport')
      await knocks()
    })

    it('is put back by ghostport when another program flushes the ruleset', async () => {
      must('nft flush ruleset')
      for (let tries = 0; tries < 50 && (await lab.ssh(SERVER.four, STRANGER.four)); tries++) await delay(20)
      await isClosedDuring(lab, () => delay(1_000))
    })
  })
}
