/** The units under the systemd of a Debian that boots: what it restarts, and what lives on meanwhile. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { debianPackage } from '../../support/debian-packages.ts'
import type { DebianName } from '../../support/debian-root.ts'
import { CLIENT, HostLab, hostLabUnavailable, SERVER, STRANGER } from '../../support/host-lab.ts'

/** What systemd-analyze may say of the server’s own unit, which is root’s. */
const MOST_EXPOSED = 2.5

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

    it('have the receiver in a unit of its own, with next to no rights', async (test) => {
      const pid = (): number => JSON.parse(must('ghostport status --json')).receiver
      const instance = (): string =>
        must("systemctl list-units --plain --no-legend --state=running 'ghostport-receiver@*'").trim().split(' ')[0] ??
        ''
      assert.match(instance(), /^ghostport-receiver@/)
      assert.equal(must(`systemctl show -p MainPID --value '${instance()}'`).trim(), String(pid()))
      const exposure = (unit: string): number => {
        const told = must(`systemd-analyze security --no-pager '${unit}'`)
        return Number(/Overall exposure level for \S+: ([0-9.]+)/.exec(told)?.[1])
      }
      test.diagnostic(`receiver ${exposure(instance())}, server ${exposure('ghostport.service')}`)
      assert.ok(exposure(instance()) <= 1.5, `${exposure(instance())}`)
      assert.ok(exposure('ghostport.service') <= MOST_EXPOSED, `${exposure('ghostport.service')}`)

      // No memory of the server can be written and executed: also not of what it starts.
      const maps = must(`cat /proc/${property('MainPID')}/maps`)
      assert.doesNotMatch(maps, /^\S+ rwx/m)
      assert.equal(property('MemoryDenyWriteExecute'), 'yes')
      must('systemctl reload ghostport')

      const status = must(`cat /proc/${pid()}/status`)
      assert.match(status, /^Uid:\t(6[1-9]\d{3})\t\1\t\1\t\1$/m)
      for (const set of ['CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
        assert.match(status, new RegExp(`^${set}:\t0{16}$`, 'm'))
      assert.match(status, /^Seccomp:\t2$/m)
      assert.match(status, /^PPid:\t1$/m)
      // The capture sockets are of the host’s network. The receiver itself has none.
      assert.notEqual(must(`readlink /proc/${pid()}/ns/net`), must('readlink /proc/1/ns/net'))
      assert.equal(must("stat -c '%a %U' /run/ghostport-receiver.sock"), '600 root\n')

      // One that is killed, and one that hangs, is replaced.
      for (const signal of ['KILL', 'STOP']) {
        const before = pid()
        must(`kill -${signal} ${before}`)
        await until('another receiver', () => {
          const { receiver, capturing } = JSON.parse(must('ghostport status --json'))
          return capturing && receiver !== before && receiver !== null
        })
        assert.notEqual(lab.console(`kill -0 ${before}`).status, 0)
      }
      lab.must('ghostport knock myserver --wait')
      assert.ok(await lab.ssh())
      // None is left of those that ended, and none stays when the server stops.
      assert.equal(
        must("systemctl list-units --all --plain --no-legend 'ghostport-receiver@*'").trim().split('\n').length,
        1,
      )
      must('systemctl stop ghostport')
      await until('no receiver', () => lab.console("pgrep -f '^ghostport: receiver'").status !== 0)
      assert.notEqual(lab.console('test -e /run/ghostport-receiver.sock').status, 0)
      must('systemctl start ghostport')
    })

    it('start again as often as anybody likes: systemd gives up neither the server nor its sockets', async () => {
      for (let n = 0; n < 8; n++) must('systemctl restart ghostport')
      for (const unit of ['ghostport', 'ghostport-receiver.socket', 'ghostport-helper.socket'])
        assert.equal(must(`systemctl is-active ${unit}`), 'active\n')
      // Also with a systemd that begins anew, while the receiver is replaced and the files are read again.
      const warden = property('MainPID')
      for (let n = 0; n < 4; n++) {
        must(`systemctl daemon-reload && systemctl daemon-reexec && kill -HUP ${warden}`)
        lab.console("pkill -KILL -f '^ghostport: receiver'")
      }
      lab.must('ghostport knock myserver --wait')
      await until('the end of the reloads', () => property('ActiveState') === 'active')
      assert.equal(property('MainPID'), warden)
    })

    /** What another program may do to all rules of the host. */
    const FLUSHES = [
      'nft flush ruleset',
      'systemctl restart nftables',
      'systemctl reload nftables',
      'systemctl stop nftables',
      'ufw --force enable',
      'ufw reload',
      'ufw --force disable',
    ]
    const isOwned = debian !== 'bookworm'
    const mends = (): number => must('journalctl -u ghostport -o cat').match(/"firewall mended"/g)?.length ?? 0

    it(`${isOwned ? 'nobody can flush the table' : 'the table is mended'}: nft, nftables.service, ufw`, async () => {
      assert.equal(JSON.parse(must('ghostport status --json')).guard, isOwned ? 'owned' : 'watched')
      const text = must('ghostport status').split('\n')[0] ?? ''
      assert.equal(/no other program can change its table/.test(text), isOwned)
      must('systemctl enable --now nftables && ufw allow 22/tcp')
      lab.must('ghostport knock myserver --wait')
      const left = secondsLeft()
      const before = mends()
      for (const command of FLUSHES) {
        must(command)
        if (!isOwned)
          await until(
            `the table after ${command}`,
            () => lab.console('nft list chain inet ghostport gate').status === 0,
          )
        assert.equal(await lab.ssh(SERVER.four, STRANGER.four, 500), false, command)
        assert.ok(await lab.ssh(SERVER.four, CLIENT.four), command)
      }
      const after = secondsLeft()
      assert.ok(after <= left && after > left - 60, `${left} s, then ${after} s`)
      if (isOwned) assert.equal(mends(), before)
      else assert.ok(mends() > before)
    })

    it('the next server takes over a table whose owner was killed, with its grants', async () => {
      lab.must('ghostport knock myserver --wait')
      must('mkdir -p /run/systemd/system/ghostport.service.d')
      must(
        "printf '[Service]\\nRestart=no\\n' > /run/systemd/system/ghostport.service.d/once.conf && systemctl daemon-reload",
      )
      const left = secondsLeft()
      must('systemctl kill --signal=SIGKILL ghostport')
      await until('the end', () => property('ActiveState') === 'failed')
      assert.ok(await lab.ssh(SERVER.four, CLIENT.four))
      assert.equal(await lab.ssh(SERVER.four, STRANGER.four, 500), false)
      const flags = must('nft list table inet ghostport | grep flags | head -1 || true')
      if (isOwned) assert.match(flags, /^\tflags persist$/m)
      must(
        'rm -r /run/systemd/system/ghostport.service.d && systemctl daemon-reload && systemctl reset-failed && systemctl start ghostport',
      )
      const after = secondsLeft()
      assert.ok(after <= left && after > left - 40, `${left} s, then ${after} s`)
      assert.ok(await lab.ssh(SERVER.four, CLIENT.four))
      if (!isOwned) return
      assert.match(must('nft list table inet ghostport'), /^\tflags owner,persist$/m)
      const { status, stderr } = lab.console('nft delete table inet ghostport')
      assert.notEqual(status, 0)
      assert.match(stderr, /Operation not permitted/)
    })

    it('takes over a table without an owner, as an older version left it, in one step; and the way back', async () => {
      const own = (value: string): void => {
        must(
          `sed -i '/NFT_TABLE_OWNER/d' /etc/fwknop/fwknopd.conf && echo 'NFT_TABLE_OWNER ${value};' >> /etc/fwknop/fwknopd.conf`,
        )
      }
      lab.must('ghostport knock myserver --wait')
      for (const [value, guard] of [
        ['N', 'watched'],
        ['auto', isOwned ? 'owned' : 'watched'],
      ] as const) {
        own(value)
        const left = secondsLeft()
        const looks: boolean[] = []
        let isOver = false
        const looking = (async () => {
          while (!isOver) looks.push(await lab.ssh(SERVER.four, STRANGER.four, 200))
        })()
        must('systemctl restart ghostport')
        isOver = true
        await looking
        assert.ok(!looks.includes(true), 'open meanwhile')
        const status = JSON.parse(must('ghostport status --json'))
        assert.equal(status.guard, guard)
        assert.ok(status.grants[0].secondsLeft > left - 30)
        assert.ok(await lab.ssh(SERVER.four, CLIENT.four))
      }
      own('Y')
      const { status, stderr } = lab.console('systemctl restart ghostport')
      assert.equal(status === 0, isOwned, stderr)
      if (!isOwned)
        assert.match(must('journalctl -u ghostport -o cat -n 20'), /NFT_TABLE_OWNER Y: this host cannot make/)
      own('auto')
      must('systemctl reset-failed; systemctl restart ghostport')
    })

    it('the rules can be removed once the server is stopped, and not while it runs', async () => {
      assert.notEqual(lab.console('ghostport serve --fw-flush').status, 0)
      assert.equal(await lab.ssh(SERVER.four, STRANGER.four, 500), false)
      must('systemctl stop ghostport && ghostport serve --fw-flush')
      assert.notEqual(lab.console('nft list table inet ghostport').status, 0)
      assert.ok(await lab.ssh(SERVER.four, STRANGER.four))
      must('systemctl start ghostport')
      assert.equal(await lab.ssh(SERVER.four, STRANGER.four, 500), false)
    })
  })
}
