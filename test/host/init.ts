/**
 * `ghostport init` on a Debian that boots, over ssh, as its administrator types it. Nobody is locked out, and what is
 * taken back is as it was.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { DebianName } from '../support/debian-root.ts'
import { HostLab, hostLabUnavailable, SERVER, type Session, STRANGER } from '../support/host-lab.ts'
import { allPortsAreShut, shutWhileItBoots } from './outside.ts'
import { shutToStrangers } from './traffic.ts'

const LOG = '/root/init.log'
const SHUT = 'The ports are shut'

/** A machine with ghostport installed, and what its administrator does. */
export class InitLab {
  readonly lab: HostLab
  session: Session

  static async boot(debian: DebianName, ...packages: Parameters<typeof HostLab.boot>[1] & object): Promise<InitLab> {
    const lab = await HostLab.boot(debian, packages)
    const session = await lab.login()
    await session.must('npm install -g --ignore-scripts /root/ghostport-*.tgz')
    const init = new InitLab(lab, session)
    init.#found = await init.state()
    return init
  }

  /** The state before anything was done. */
  #found = ''

  private constructor(lab: HostLab, session: Session) {
    this.lab = lab
    this.session = session
  }

  /** Files, units, rules: all that init may change, as text. */
  async state(): Promise<string> {
    return await this.session.must(
      [
        'find /etc -type f -printf "%p %m %u %g " -exec sha256sum {} \\; | sort',
        'find /etc -type l -o -type d | sort',
        'nft list ruleset',
        'systemctl list-units --all --plain --no-legend "ghostport*" | grep -v -e not-found -e ghostport-undo',
        'true',
      ].join('; '),
    )
  }

  /** Starts init in the background of the session, as a person would leave it in a window. */
  async start(options = ''): Promise<void> {
    const words = `--yes --server ${SERVER.four} --alias myserver ${options}`
    await this.session.must(
      `rm -rf ${LOG} /root/client; (exec ghostport init ${words} --write-client /root/client) >${LOG} 2>&1 & echo $! >/root/init.pid`,
    )
  }

  async says(wanted: RegExp | string, deadlineMs = 30_000): Promise<string> {
    const deadline = performance.now() + deadlineMs
    for (;;) {
      const { stdout } = this.lab.console(`cat ${LOG}`)
      if (typeof wanted === 'string' ? stdout.includes(wanted) : wanted.test(stdout)) return stdout
      assert.ok(performance.now() < deadline, `init does not say ${wanted}\n${stdout}`)
      await delay(100)
    }
  }

  /** {@link start}, until the ports are shut. The client has its files then. */
  async shut(options = ''): Promise<void> {
    await this.start(options)
    await this.says(SHUT)
    writeFileSync(join(this.lab.home, '.fwknoprc'), this.lab.console('cat /root/client/fwknoprc').stdout, {
      mode: 0o600,
    })
  }

  /** Runs init until it has said this, and kills it there. Its changes wait. */
  async killedAfter(step: string, options = ''): Promise<void> {
    const script = [
      'rm -f /root/said; mkfifo /root/said',
      `(exec ghostport init --yes --no-rehearsal ${options} >/dev/null 2>/root/said) & pid=$!`,
      `while read -r line; do case "$line" in "${step}"*) kill -9 $pid; echo killed;; esac; done </root/said`,
      'wait $pid; echo "ended with $?"',
    ].join('\n')
    assert.match(await this.session.must(script), /killed\n(.*\n)*ended with 137/)
    assert.ok(await this.isPending())
  }

  /** A knock and a new login. */
  async knockAndLogIn(): Promise<Session> {
    this.lab.must('ghostport knock myserver --wait')
    return await this.lab.login()
  }

  async isPending(): Promise<boolean> {
    const said = this.lab.console('ghostport init --status --json').stdout
    return (JSON.parse(said) as { state: string }).state === 'waiting'
  }

  /** Files, units and rules are as they were found. */
  async isUnchanged(): Promise<void> {
    assert.deepEqual(differing(this.#found, await this.state()), [])
  }

  /** Everybody gets in again, and all is as it was found. */
  async isAsBefore(): Promise<void> {
    assert.ok(await this.lab.ssh(SERVER.four, STRANGER.four), 'still shut')
    assert.ok(await this.lab.ssh(SERVER.six, STRANGER.six), 'still shut over IPv6')
    // The next command of init removes what is left of the switch.
    assert.equal(await this.isPending(), false)
    await this.session.run('ghostport init --revert')
    await this.isUnchanged()
  }
}

interface AuditLine {
  readonly did: string
  readonly note?: string
  readonly before?: readonly string[]
  readonly after?: readonly string[]
}

/** The lines that only one of two texts has. */
function differing(one: string, other: string): readonly string[] {
  const [a, b] = [new Set(one.split('\n')), new Set(other.split('\n'))]
  return [...[...a].filter((each) => !b.has(each)), ...[...b].filter((each) => !a.has(each)).map((each) => `+ ${each}`)]
}

/** From the installation over a reboot. */
export function describeInit(debian: DebianName): void {
  describe(`ghostport init on ${debian}`, { skip: hostLabUnavailable() }, () => {
    let init: InitLab
    let lab: HostLab

    before(async () => {
      init = await InitLab.boot(debian)
      lab = init.lab
    })
    after(() => lab?.close())

    it('--plan changes nothing', async () => {
      const plan = JSON.parse(await init.session.must('ghostport init --plan --json')) as {
        readonly way: string
        readonly hide: string
        readonly rehearsal: { readonly good: boolean }
      }
      assert.deepEqual([plan.way, plan.hide, plan.rehearsal.good], ['gate', 'tcp/22', true])
      assert.match(await init.session.must('ghostport init --plan --no-rehearsal'), /KEY_BASE64 +\(hidden\)/)
      await init.isUnchanged()
      assert.ok(await lab.ssh(SERVER.four, STRANGER.four))
    })

    it('asks, and without a terminal to ask at changes nothing', async () => {
      const { status, stdout } = await init.session.run('ghostport init')
      assert.equal(status, 64, stdout)
      assert.match(stdout, /no terminal to ask at — perhaps: --yes/)
    })

    it('shuts the port, and keeps the session that it is run from', async () => {
      await init.shut()
      await shutToStrangers(lab)
      await init.session.must('true')
      assert.ok(await init.isPending())
      assert.match(lab.console('systemctl is-enabled ghostport ghostport-gate').stdout, /^disabled\ndisabled\n$/)
      assert.match(lab.console('stat -c %a /etc/fwknop/access.conf /root/client/fwknoprc').stdout, /^600\n600\n$/)
    })

    it('is not confirmed from the console, or by the session that was there before', async () => {
      for (const [said, why] of [
        [lab.console('ghostport init --confirm').stderr, /no ssh session/],
        [(await init.session.run('ghostport init --confirm')).stdout, /older than the changes/],
        [(await init.session.run('SSH_CONNECTION= ghostport init --confirm')).stdout, /older than the changes/],
      ] as const)
        assert.match(said, why)
      assert.ok(await init.isPending())
    })

    it('is not confirmed by a connection without a login', async () => {
      lab.must('ghostport knock myserver --wait')
      const idle = lab.client.start([
        'bash',
        '-c',
        `exec 3<>/dev/tcp/${SERVER.four}/22; read -r banner <&3; echo "$banner"; sleep 20`,
      ])
      await idle.says(/SSH-/)
      const options = '-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes'
      const refused = lab.run(`/usr/bin/ssh -F none ${options} root@${SERVER.four} true`)
      assert.match(refused.stderr, /Permission denied/)
      // As sshd would write it of the connection that stays, which has the mark.
      const forge = `ss -tnH state established sport = :22 | while read -r _ _ _ peer; do echo "Accepted publickey for root from \${peer%:*} port \${peer##*:} ssh2: ED25519 SHA256:x"; done; sleep 3`
      await init.session.must(`systemd-cat -t sshd sh -c '${forge}'`)
      const forged = lab.console('journalctl -t sshd -o json | grep SHA256:x').stdout
      assert.match(forged, /Accepted publickey/)
      // journald names the program, unless that has ended before it looks.
      assert.doesNotMatch(forged, /"_EXE":"[^"]*sshd/)
      await delay(2500)
      assert.ok(await init.isPending())
      await idle.stop()
    })

    it('is not confirmed by a login without a knock', async () => {
      await init.session.must('ssh-keygen -q -t ed25519 -N "" -f own; cat own.pub >> .ssh/authorized_keys')
      await init.session.must('ssh -o StrictHostKeyChecking=no -i own 127.0.0.1 true')
      await delay(2500)
      assert.ok(await init.isPending())
    })

    it('is confirmed by a knock and a login, also by one that ends at once', async () => {
      lab.must('ghostport knock myserver --wait')
      lab.must(`ssh ${SERVER.four} true`)
      await init.says(/Confirmed by the login from 192\.0\.2\.77 port \d+, which came in by a knock/)
      assert.equal(await init.isPending(), false)
      assert.match(lab.console('systemctl is-enabled ghostport ghostport-gate').stdout, /^enabled\nenabled\n$/)
      assert.equal(lab.console('ls /etc/systemd/system | grep undo').stdout, '')
      await init.session.must('true')
    })

    it('has nothing to change when it is run again, and the keys stay', async () => {
      const keys = await init.session.must('cat /etc/fwknop/access.conf')
      assert.match(await init.session.must('ghostport init --yes'), /Nothing has to be changed/)
      assert.equal(await init.session.must('cat /etc/fwknop/access.conf'), keys)
    })

    it('is never open while it boots, and opens to a knock afterwards', async () => {
      await shutWhileItBoots(lab)
    })

    it('shows no open port to nmap, of all there are, over IPv4 and IPv6', async () => {
      await allPortsAreShut(lab)
    })

    it('is taken off the host by uninstall, which says what becomes of the port', async () => {
      init.session = await init.knockAndLogIn()
      assert.match(await init.session.must('ghostport uninstall --plan'), /tcp\/22 is open to everybody/)
      const asked = await init.session.run('ghostport uninstall')
      assert.match(asked.stdout, /no terminal to ask at/)
      await shutToStrangers(lab)
      await init.session.must('ghostport uninstall --yes')
      await init.isAsBefore()
      const again = await init.session.run('ghostport uninstall --yes')
      assert.match(again.stdout, /the undo journal of this host is empty.*\[SETUP_REFUSED\]/)
    })

    it('is in the audit log, with what came and went, and no key', async () => {
      const log = '/var/lib/ghostport/audit.log'
      const lines = (await init.session.must(`ghostport audit show --json --log ${log}`))
        .split('\n')
        .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as AuditLine]))
      const of = (did: string) => lines.find((line) => line.did === did)
      assert.ok(
        of('init')?.after?.some((line) => /OPEN_PORTS\s+tcp\/22/.test(line)),
        JSON.stringify(lines),
      )
      assert.ok(of('init')?.after?.some((line) => /KEY_BASE64 \[secret\]/.test(line)))
      assert.ok(of('init')?.after?.some((line) => line === 'wrote /etc/systemd/system/ghostport.service'))
      assert.match(of('init: confirmed')?.note ?? '', /by the login from 192\.0\.2\.77, which came in by a knock/)
      assert.ok(of('uninstall')?.before?.includes('wrote /etc/fwknop/access.conf'), JSON.stringify(of('uninstall')))
      assert.match(await init.session.must(`ghostport audit verify --log ${log}`), /no line was changed/)
    })
  })
}
