/** The units under the systemd of a Debian that boots: what it restarts, and what lives on meanwhile. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { debianPackage } from '../../support/debian-packages.ts'
import type { DebianName } from '../../support/debian-root.ts'
import { CLIENT, HostLab, hostLabUnavailable, SERVER, STRANGER } from '../../support/host-lab.ts'

export function describeUnits(debian: DebianName): void {
  describe(`the units on ${debian}`, { skip: hostLabUnavailable() }, () => {
    let lab: HostLab

    before(async () => {
      lab = await HostLab.boot(debian)
      must(`cd /root && apt-get install -y ./${basename(debianPackage('ghostport'))}`)
      must("umask 077; printf 'FIREWALL_MODE gate;\nPROTECTED_PORTS tcp/22;\n' > /etc/fwknop/fwknopd.conf")
      const pair = must(`ghostport keygen --pair --json --server ${SERVER.four} --name myserver --open tcp/22`)
      const { access_conf: access, fwknoprc } = JSON.parse(pair) as { access_conf: string; fwknoprc: string }
      writeFileSync(join(lab.home, '.fwknoprc'), fwknoprc.replace(/^\[.*\]$/m, '[myserver]'), { mode: 0o600 })
      must(`umask 077; cat > /etc/fwknop/access.conf <<'END-OF-FILE'\n${access}FW_ACCESS_TIMEOUT 120\nEND-OF-FILE`)
      must('systemctl enable --now ghostport')
    })
    after(() => lab?.close())

    function must(command: string): string {
      const { status, stdout, stderr } = lab.console(command)
      assert.equal(status, 0, `# ${command}\n${stdout}${stderr}`)
      return stdout
    }
    const property = (name: string): string => must(`systemctl show --property=${name} --value ghostport`).trim()
    const secondsLeft = (): number => JSON.parse(must('ghostport status --json')).grants[0].secondsLeft

    async function until(what: string, isSo: () => boolean, deadlineMs = 30_000): Promise<void> {
      for (const deadline = performance.now() + deadlineMs; !isSo(); await delay(100))
        assert.ok(
          performance.now() < deadline,
          `${what}: not after ${deadlineMs} ms\n${must('journalctl -u ghostport -n 30')}`,
        )
    }

    it('restart a server that hangs, and a live grant goes on', async () => {
      assert.equal(property('WatchdogUSec'), '1min')
      must('mkdir -p /run/systemd/system/ghostport.service.d')
      must("printf '[Service]\\nWatchdogSec=4\\n' > /run/systemd/system/ghostport.service.d/short.conf")
      must('systemctl daemon-reload && systemctl restart ghostport')
      lab.must('ghostport knock myserver --wait')
      const session = await lab.login()
      const left = secondsLeft()
      const warden = property('MainPID')
      // Well, for several times as long as systemd waits.
      await delay(10_000)
      assert.deepEqual([property('NRestarts'), property('MainPID')], ['0', warden])
      must(`kill -STOP ${warden}`)
      await until('a new server', () => property('NRestarts') === '1' && property('ActiveState') === 'active')
      assert.notEqual(property('MainPID'), warden)
      const told = must('journalctl -u ghostport -o cat')
      assert.match(told, /watchdog timeout/i)
      // Any other signal could leave a core file.
      assert.match(told, /Main process exited, code=killed, status=9\/KILL/)
      assert.ok(await lab.ssh(SERVER.four, CLIENT.four))
      assert.equal(await lab.ssh(SERVER.four, STRANGER.four, 700), false)
      const after = secondsLeft()
      assert.ok(after < left && after > left - 40, `${left} s, then ${after} s`)
      await session.must('true')
      await session.close()
      must('rm -r /run/systemd/system/ghostport.service.d && systemctl daemon-reload && systemctl restart ghostport')
    })
  })
}
