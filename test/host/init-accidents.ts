/** What goes wrong while the changes of `ghostport init` wait for a confirmation. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { DebianName } from '../support/debian-root.ts'
import { type HostLab, hostLabUnavailable, SERVER, STRANGER } from '../support/host-lab.ts'
import { InitLab } from './init.ts'
import { shutToStrangers } from './traffic.ts'

/** What init says after each of its steps. */
const STEPS = [
  'the changes are taken back at',
  'wrote /etc/fwknop/fwknopd.conf',
  'wrote /etc/fwknop/access.conf',
  'wrote /etc/systemd/system/ghostport.service',
  'wrote /etc/systemd/system/ghostport-receiver.socket',
  'wrote /etc/systemd/system/ghostport-gate.service',
  'systemctl daemon-reload',
  'systemctl start ghostport.service',
] as const

export function describeInitAccidents(debian: DebianName): void {
  describe(`accidents of ghostport init on ${debian}`, { skip: hostLabUnavailable() }, () => {
    let init: InitLab
    let lab: HostLab

    before(async () => {
      init = await InitLab.boot(debian)
      lab = init.lab
    })
    after(() => lab?.close())

    it('a folder that others can change is refused before anything is', async () => {
      await init.session.must('mkdir -m 777 /etc/fwknop')
      const { stdout } = await init.session.run('ghostport init --yes --no-rehearsal')
      assert.match(stdout, /in the folder \/etc\/fwknop .* chmod go-w \/etc\/fwknop \[CONFIG_EXPOSED\]/)
      assert.equal(await init.isPending(), false)
      await init.session.must('rmdir /etc/fwknop')
      await init.isUnchanged()
    })

    for (const step of STEPS)
      it(`killed after “${step}”: --revert takes back what was done`, async () => {
        await init.killedAfter(step)
        await init.session.must('ghostport init --revert')
        await init.isAsBefore()
      })

    it('killed half way: a second run takes it back and goes on', async () => {
      await init.killedAfter('wrote /etc/fwknop/access.conf')
      await init.shut()
      await shutToStrangers(lab)
      await init.says('ended half way')
    })

    it('killed while it waits: a second run goes on waiting, with the same keys', async () => {
      await init.session.must('kill -9 $(cat /root/init.pid)')
      const told = await init.session.must('ghostport init --yes --no-wait --json 2>/dev/null')
      assert.match(told, /^\{"state":"waiting","until":"20[^"]+Z"\}$/m)
      const keys = lab.console('cat /etc/fwknop/access.conf').stdout
      await init.session.must('(exec ghostport init --yes) >/root/init.log 2>&1 & echo $! >/root/init.pid')
      await init.says('wait for a confirmation')
      assert.equal(lab.console('cat /etc/fwknop/access.conf').stdout, keys)
      const other = await init.session.run('ghostport init --yes')
      assert.match(other.stdout, /another “ghostport init” is at work .* \[CHANGES_PENDING\]/)
    })

    it('Ctrl-C takes all back', async () => {
      await init.session.must('kill -INT $(cat /root/init.pid)')
      await init.says('interrupted, and all was taken back')
      await init.isAsBefore()
    })

    it('at the end of the time all is taken back, though systemd was reloaded and init was killed', async () => {
      await init.shut('--time 60')
      const began = performance.now()
      await init.session.must('kill -9 $(cat /root/init.pid)')
      await delay(30_000)
      // It starts a timer of OnActiveSec= anew.
      await init.session.must('systemctl daemon-reload')
      await shutToStrangers(lab)
      await delay(Math.max(0, 66_000 - (performance.now() - began)))
      await init.isAsBefore()
    })

    it('the time can be prolonged', async () => {
      await init.shut('--time 60')
      await init.session.must('ghostport init --more-time 2m')
      await delay(64_000)
      await shutToStrangers(lab)
      assert.ok(await init.isPending())
      await init.session.must('ghostport init --revert')
      await init.says('taken back')
      await init.isAsBefore()
    })

    it('a clock that is set back postpones nothing', async () => {
      await init.shut('--time 60')
      await init.session.must('kill -9 $(cat /root/init.pid)')
      // What such a clock makes of the absolute end.
      await init.session.must(
        "sed -i 's/^OnCalendar=.*/OnCalendar=2037-01-01 00:00:00 UTC/' /etc/systemd/system/ghostport-undo.timer && systemctl daemon-reload",
      )
      await delay(66_000)
      await init.isAsBefore()
    })

    it('if systemd does not set the switch anew, all is taken back at once: nobody would do it later', async () => {
      const folder = '/etc/systemd/system/ghostport-undo.timer.d'
      const inTheWay = `mkdir ${folder}; printf '[Timer]\\nOnCalendar=\\nOnCalendar=2037-01-01\\n' > ${folder}/late.conf`
      await init.shut('--time 60')
      await init.session.must(inTheWay)
      const { status, stdout } = await init.session.run('ghostport init --more-time 2m')
      assert.match(stdout, /systemd’s timer ends at \d+, not at \d+\. So all that was not confirmed is taken back/)
      assert.equal(status, 69)
      await init.session.must(`rm -r ${folder}`)
      await init.isAsBefore()

      await init.shut('--time 60')
      await init.session.must(inTheWay)
      lab.must(`ghostport knock myserver --wait && ssh ${SERVER.four} true`)
      await init.says('So all that was not confirmed is taken back')
      await init.session.must(`rm -r ${folder}`)
      await init.isAsBefore()
    })

    it('what could not be taken back at the end of the time is tried again, until it is', async () => {
      await init.shut('--time 60')
      const file = '/etc/fwknop/access.conf'
      await init.session.must(`kill -9 $(cat /root/init.pid); rm ${file}; mkdir ${file}`)
      await delay(66_000)
      assert.ok(await lab.ssh(SERVER.four, STRANGER.four), 'still shut')
      assert.match(await init.session.must('ghostport init --status'), /being taken back: .*(\n.*)*wrote/)
      const examined = await init.session.run('ghostport doctor --only DEAD_MAN')
      assert.match(examined.stdout, /not all could be so far/)
      await init.session.must(`rmdir ${file}`)
      for (let tries = 0; tries < 100 && (await init.isPending()); tries++) await delay(200)
      await init.isAsBefore()
    })

    for (const [what, how] of [
      ['damaged', 'truncate -s 20'],
      ['missing', 'rm'],
    ] as const)
      it(`if the file that says what waits is ${what}, a second run refuses, and --revert takes all back`, async () => {
        await init.shut()
        await init.session.must(`kill -9 $(cat /root/init.pid); ${how} /var/lib/ghostport/way-back/waiting.json`)
        for (const command of ['ghostport init --yes', 'ghostport init --more-time 2m']) {
          const { status, stdout } = await init.session.run(command)
          assert.notEqual(status, 0)
          if (what === 'damaged') assert.match(stdout, /waiting\.json is damaged — perhaps: ghostport init --revert/)
        }
        await init.session.must('ghostport init --revert')
        await init.isAsBefore()
      })

    it('a terminal that is killed ends nothing: the knock confirms', async () => {
      await init.shut()
      const pid = lab.console('cat /root/init.pid').stdout.trim()
      // As sshd does at the end of a session with a terminal.
      lab.console(`kill -HUP ${pid}`)
      await init.session.close()
      await delay(1000)
      lab.must(`ghostport knock myserver --wait && ssh ${SERVER.four} true`)
      await init.says('Confirmed by the login')
      init.session = await lab.login()
      await init.session.must('systemctl is-enabled ghostport')
    })

    it('a second set-up with another port is taken back to the first one, which stays in force', async () => {
      await init.session.must('sed -i "s#^OPEN_PORTS.*#OPEN_PORTS tcp/22, tcp/8080#" /etc/fwknop/access.conf')
      const ports = 'nft list set inet ghostport protected'
      const before = [
        await init.session.must('find /etc -type f | sort | xargs sha256sum'),
        await init.session.must(ports),
      ]
      const { stdout } = await init.session.run('ghostport init --yes --no-rehearsal --hide tcp/8080 --no-wait --json')
      assert.match(stdout, /"state":"waiting"/)
      assert.ok(await lab.ssh(SERVER.four, STRANGER.four), 'ssh is not hidden any more')
      await init.session.must('ghostport init --revert')
      for (let tries = 0; tries < 50 && (await lab.ssh(SERVER.four, STRANGER.four, 300)); tries++) await delay(100)
      await shutToStrangers(lab)
      assert.deepEqual(
        [await init.session.must('find /etc -type f | sort | xargs sha256sum'), await init.session.must(ports)],
        before,
      )
    })
  })

  describe(`a reboot before the confirmation, on ${debian}`, { skip: hostLabUnavailable() }, () => {
    let init: InitLab
    before(async () => {
      init = await InitLab.boot(debian)
    })
    after(() => init?.lab.close())

    it('takes all back, and starts nothing', async () => {
      await init.shut()
      // As a clock without a battery would have it.
      await init.session.must(
        "sed -i 's/^OnCalendar=.*/OnCalendar=2037-01-01 00:00:00 UTC/' /etc/systemd/system/ghostport-undo.timer && systemctl daemon-reload",
      )
      await init.session.reboot()
      await init.lab.reachable()
      init.session = await init.lab.login()
      assert.equal(init.lab.console('systemctl is-active ghostport').stdout.trim(), 'inactive')
      await init.isAsBefore()
    })
  })
}
