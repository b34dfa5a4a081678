/**
 * The Debian package on a Debian that boots: installed, started, renewed while a grant is live, removed, installed
 * again, purged. A client outside tries the port all the time.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { debianPackage, projectVersion } from '../../support/debian-packages.ts'
import type { DebianName } from '../../support/debian-root.ts'
import { CLIENT, HostLab, hostLabUnavailable, SERVER, STRANGER } from '../../support/host-lab.ts'
import { opensToKnocks, rebootAndWait } from '../traffic.ts'

const OWN = projectVersion()
const NEWER = '99.0'
const fileOf = (version: string) => basename(debianPackage('ghostport', version))

/** The commands of an administrator, at the console: the port is closed meanwhile. */
class Administrator {
  readonly #lab: HostLab
  constructor(lab: HostLab) {
    this.#lab = lab
  }

  /** @returns what is printed. @throws AssertionError unless it succeeds. */
  must(command: string): string {
    const { status, stdout, stderr } = this.#lab.console(command)
    assert.equal(status, 0, `# ${command}\n${stdout}${stderr}`)
    return stdout + stderr
  }

  succeeds(command: string): boolean {
    return this.#lab.console(command).status === 0
  }

  /** From the file in /root. */
  install(version: string): string {
    return this.must(`cd /root && apt-get install -y --allow-downgrades ./${fileOf(version)}`)
  }

  /** Gate mode for ssh. The client gets its half as the stanza “myserver”. */
  configure(): void {
    this.must("umask 077; printf 'FIREWALL_MODE gate;\\nPROTECTED_PORTS tcp/22;\\n' > /etc/fwknop/fwknopd.conf")
    const pair = this.must(`ghostport keygen --pair --json --server ${SERVER.four} --name myserver --open tcp/22`)
    const { access_conf: access, fwknoprc } = JSON.parse(pair) as { access_conf: string; fwknoprc: string }
    writeFileSync(join(this.#lab.home, '.fwknoprc'), fwknoprc.replace(/^\[.*\]$/m, '[myserver]'), { mode: 0o600 })
    this.must(`umask 077; cat > /etc/fwknop/access.conf <<'END-OF-FILE'\n${access}END-OF-FILE`)
  }

  warden(): number {
    return Number(this.must('systemctl show --property=MainPID --value ghostport'))
  }

  grants(): readonly { readonly secondsLeft: number }[] {
    return JSON.parse(this.must('ghostport status --json')).grants
  }
}

/** What the client with a grant, and a stranger, find at the port while `act` runs. */
async function watched(
  lab: HostLab,
  act: () => unknown,
): Promise<{ readonly granted: boolean[]; readonly stranger: boolean[] }> {
  const granted: boolean[] = []
  const stranger: boolean[] = []
  let isOver = false
  const looking = (async () => {
    while (!isOver) {
      const [mine, theirs] = await Promise.all([
        lab.ssh(SERVER.four, CLIENT.four, 1500),
        lab.ssh(SERVER.four, STRANGER.four, 300),
      ])
      granted.push(mine)
      stranger.push(theirs)
      await delay(50)
    }
  })()
  await act()
  isOver = true
  await looking
  return { granted, stranger }
}

export function describePackage(debian: DebianName): void {
  describe(`the package on ${debian}`, { skip: hostLabUnavailable() }, () => {
    let lab: HostLab
    let host: Administrator

    before(async () => {
      lab = await HostLab.boot(debian, [], [debianPackage('ghostport', NEWER)])
      host = new Administrator(lab)
    })
    after(() => lab?.close())

    it('starts nothing and enables nothing when it is installed', async () => {
      const said = host.install(OWN)
      assert.match(said, /Nothing runs yet, and no port is closed/)
      assert.equal(lab.console('systemctl is-active ghostport').stdout, 'inactive\n')
      assert.equal(lab.console('systemctl is-enabled ghostport').stdout, 'disabled\n')
      assert.ok(!host.succeeds('nft list table inet ghostport'))
      assert.ok(await lab.ssh(SERVER.four, STRANGER.four))
    })

    it('serves: a knock from outside opens the port', async () => {
      host.configure()
      host.must('systemctl enable --now ghostport')
      await opensToKnocks(lab)
      const user = host.must('ps -o user:20= -p $(pgrep -f "^ghostport: receiver")').trim()
      // A user that systemd makes for the receiver alone.
      assert.match(user, /^ghostport-receiver$|^6[1-9]\d{3}$/)
    })

    it('keeps a live grant while it is renewed, and lets nobody else in', async () => {
      lab.must('ghostport knock myserver --wait')
      const session = await lab.login()
      const old = host.warden()
      const before = host.grants()
      const { granted, stranger } = await watched(lab, async () => {
        const said = await session.must(`cd /root && apt-get install -y ./${fileOf(NEWER)}`)
        assert.match(said, /Setting up ghostport \(99\.0\)/)
      })
      assert.ok(granted.length >= 5, `${granted.length} looks`)
      assert.ok(
        granted.every((open) => open),
        JSON.stringify(granted),
      )
      assert.ok(
        stranger.every((open) => !open),
        JSON.stringify(stranger),
      )
      assert.notEqual(host.warden(), old)
      const after = host.grants()
      assert.equal(after.length, before.length)
      assert.ok(Number(after[0]?.secondsLeft) < Number(before[0]?.secondsLeft))
      assert.match(host.must('ghostport version'), /^ghostport 99\.0/)
      await delay(1000 * (Number(after[0]?.secondsLeft) + 1))
      assert.equal(await lab.ssh(), false, 'the grant lives longer than before')
    })

    it('has no process that runs deleted files after that, so nothing is left for needrestart', () => {
      const deleted = host.must(
        "for p in /proc/[0-9]*; do readlink $p/exe; done 2>/dev/null | grep -c 'ghostport.*deleted' || true",
      )
      assert.equal(deleted.trim(), '0')
    })

    it('does not restart into a configuration that the new version does not take', async () => {
      const old = host.warden()
      host.must('cp -p /etc/fwknop/access.conf /root/good && echo OPEN_PROTS tcp/22 >> /etc/fwknop/access.conf')
      const said = host.install(OWN)
      assert.match(said, /does not take the configuration, so the server was NOT restarted/)
      assert.match(said, /access\.conf:\d+: .*OPEN_PORTS/)
      assert.equal(host.warden(), old)
      await opensToKnocks(lab)
      host.must('cp -p /root/good /etc/fwknop/access.conf && systemctl restart ghostport')
      await opensToKnocks(lab)
    })

    it('does not start a server that was stopped, and keeps it enabled', () => {
      host.must('systemctl stop ghostport')
      host.install(NEWER)
      assert.equal(lab.console('systemctl is-active ghostport').stdout, 'inactive\n')
      assert.equal(lab.console('systemctl is-enabled ghostport').stdout, 'enabled\n')
    })

    it('serves after a reboot', async () => {
      await rebootAndWait(lab)
      await opensToKnocks(lab)
    })

    it('leaves another unit of that name alone, and says so', async () => {
      host.must(
        "sed 's,^ExecStart=.*,ExecStart=/bin/sleep infinity,; s,^Type=.*,Type=exec,; /^Watchdog/d' /usr/lib/systemd/system/ghostport.service > /etc/systemd/system/ghostport.service",
      )
      host.must('systemctl daemon-reload && systemctl restart ghostport')
      const theirs = host.warden()
      const said = host.install(OWN)
      assert.match(said, /\/etc\/systemd\/system\/ghostport\.service is used in place of the unit of this package/)
      assert.equal(host.warden(), theirs)
      host.must('rm /etc/systemd/system/ghostport.service && systemctl daemon-reload && systemctl restart ghostport')
      await opensToKnocks(lab)
    })

    it('stops when it is removed, takes the gate away, and says what is open', async () => {
      host.must('ghostport unit --gate > /etc/systemd/system/ghostport-gate.service')
      host.must('systemctl daemon-reload && systemctl enable ghostport-gate')
      // A client's process goes on.
      host.must('systemd-run --unit=client /usr/lib/ghostport/node -e "setInterval(() => {}, 1e6)"')
      const said = host.must('apt-get remove -y ghostport')
      assert.match(said, /The table “inet ghostport” is gone/)
      assert.match(said, /now tcp\/22 is open to everybody/)
      assert.match(said, /ghostport-gate\.service is disabled now/)
      assert.ok(!host.succeeds('nft list table inet ghostport'))
      assert.ok(!host.succeeds("pgrep -f '^ghostport: '"))
      host.must('systemctl is-active client && systemctl stop client')
      assert.ok(await lab.ssh(SERVER.four, STRANGER.four))
      host.must('test -e /etc/fwknop/access.conf && test -e /var/lib/ghostport/replay.db')
    })

    it('is installed again with its configuration, and starts nothing before it is told to', async () => {
      host.install(OWN)
      assert.equal(lab.console('systemctl is-active ghostport').stdout, 'inactive\n')
      assert.ok(await lab.ssh(SERVER.four, STRANGER.four))
      host.must('systemctl start ghostport')
      await opensToKnocks(lab)
    })

    it('stops at its removal also a server that somebody started by hand', async () => {
      host.must('systemctl stop ghostport')
      host.must(
        'cd / && (setsid ghostport serve >/dev/null 2>&1 &) ; for i in 1 2 3 4 5 6 7 8 9; do sleep 1; ghostport status && exit; done',
      )
      await opensToKnocks(lab)
      host.must('apt-get remove -y ghostport')
      assert.ok(!host.succeeds("pgrep -f '^ghostport: '"))
      assert.ok(await lab.ssh(SERVER.four, STRANGER.four))
    })

    it('leaves nothing at a purge but files of the administrator, and the user', () => {
      host.must('cd / && sha256sum /etc/fwknop/fwknopd.conf > /var/lib/ghostport/installed-files')
      const said = host.must('apt-get purge -y ghostport')
      assert.match(said, /\/etc\/fwknop stays/)
      assert.equal(host.must('ls /etc/fwknop'), 'access.conf\n')
      for (const path of [
        '/var/lib/ghostport',
        '/var/cache/ghostport',
        '/run/ghostport',
        '/usr/lib/ghostport',
        '/usr/share/ghostport',
      ])
        assert.ok(!host.succeeds(`test -e ${path}`), path)
      assert.equal(host.must('find /etc/systemd/system -name ghostport.service'), '')
      assert.match(host.must('getent passwd ghostport'), /nologin$/m)
    })

    it('takes back what init changed and nobody confirmed, before it goes', async () => {
      // What the tests above left, as an administrator would have it.
      host.must('rm -r /etc/fwknop /etc/systemd/system/ghostport-gate.service && systemctl daemon-reload')
      assert.match(host.install(OWN), /Next: ghostport init$/m)
      const session = await lab.login()
      await session.must(`ghostport init --yes --no-wait --server ${SERVER.four} --hide tcp/22`)
      assert.equal(await lab.ssh(SERVER.four, STRANGER.four, 1500), false)
      host.must('systemctl is-active ghostport ghostport-undo.timer')
      const said = host.must('apt-get purge -y ghostport')
      assert.match(said, /Taking back what ghostport init changed and nobody confirmed/)
      assert.ok(await lab.ssh(SERVER.four, STRANGER.four))
      assert.ok(!host.succeeds("pgrep -f '^ghostport: '"))
      assert.equal(
        host.must(
          'find /etc/systemd/system /etc/fwknop -name "*ghostport*" -o -name "*.conf" -path "*fwknop*" 2>/dev/null || true',
        ),
        '',
      )
      assert.ok(!host.succeeds('nft list table inet ghostport'))
    })
  })
}
