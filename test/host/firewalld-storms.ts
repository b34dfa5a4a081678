/**
 * Storms of the real firewalld on a Debian that boots: reloads one after the other, complete reloads, restarts and
 * panic, while clients knock. Knocks open within seconds, what is open is so for its owner only, and nothing is open
 * beyond its time.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { CLIENT, HostLab, hostLabUnavailable, SERVER, STRANGER } from '../support/host-lab.ts'

/** How long a grant lasts. */
const LIFETIME = 8
/** How long a door may need to open, or to come back after the storm. */
const SOON = 10_000

const STORMS = [
  ['reloads', 'for i in $(seq 25); do firewall-cmd --reload; done'],
  ['complete reloads', 'for i in $(seq 10); do firewall-cmd --complete-reload; done'],
  ['restarts', 'for i in $(seq 4); do systemctl restart firewalld; sleep 1; done'],
  ['panic, on and off', 'for i in $(seq 8); do firewall-cmd --panic-on; firewall-cmd --panic-off; done'],
] as const

/** With iptables, firewalld itself has no rules for a moment when it starts: the host’s port is open to everybody. */
const hasGap = (backend: string, storm: string): boolean => backend === 'iptables' && storm === 'restarts'

const BACKENDS = [
  ['nftables, in gate mode', 'nftables', 'FIREWALL_MODE gate;\\nPROTECTED_PORTS tcp/22;\\n', '--add-service=ssh'],
  ['iptables', 'iptables', 'FIREWALL iptables;\\n', '--remove-service=ssh'],
] as const

export function describeFirewalldStorms(debian: 'bookworm' | 'trixie'): void {
  describe(`storms of firewalld on ${debian}`, { skip: hostLabUnavailable() }, () => {
    let lab: HostLab
    before(async () => {
      lab = await HostLab.boot(debian, ['firewalld'])
      must('npm install -g --ignore-scripts /root/ghostport-*.tgz')
      must('mkdir -p -m 700 /etc/fwknop')
      const pair = must(`ghostport keygen --pair --json --server ${SERVER.four} --name myserver --open tcp/22`)
      const { access_conf: access, fwknoprc } = JSON.parse(pair) as { access_conf: string; fwknoprc: string }
      writeFileSync(join(lab.home, '.fwknoprc'), fwknoprc, { mode: 0o600 })
      must(
        `umask 077; cat > /etc/fwknop/access.conf <<'END-OF-FILE'\n${access}FW_ACCESS_TIMEOUT ${LIFETIME}\nEND-OF-FILE`,
      )
      must('ghostport unit > /etc/systemd/system/ghostport.service')
    })
    after(() => lab?.close())

    const must = (command: string): string => {
      const { status, stdout, stderr } = lab.console(command)
      assert.equal(status, 0, `# ${command}\n${stdout}${stderr}`)
      return stdout
    }
    const open = (source: string): Promise<boolean> => lab.ssh(SERVER.four, source, 700)
    const becomes = async (source: string, wanted: boolean, deadlineMs: number, what: string): Promise<void> => {
      const begun = performance.now()
      while ((await open(source)) !== wanted) {
        assert.ok(performance.now() - begun < deadlineMs, what)
        await delay(100)
      }
    }
    const knockAndWait = (): boolean => lab.run(`ghostport knock -n ${SERVER.four} --wait`).status === 0
    const isStorming = (): boolean => lab.console('systemctl is-active storm').stdout.trim() === 'active'

    const calm = (): void => void must('while systemctl is-active -q storm; do sleep 0.2; done')
    afterEach(calm)

    for (const [what, backend, settings, ssh] of BACKENDS)
      describe(`with FIREWALL ${what}`, () => {
        before(() => {
          must('systemctl stop ghostport; ghostport serve --fw-flush || true')
          must(`sed -i 's/^FirewallBackend=.*/FirewallBackend=${backend}/' /etc/firewalld/firewalld.conf`)
          must(`firewall-cmd --permanent ${ssh} || true; systemctl restart firewalld; firewall-cmd --state`)
          must(`umask 077; printf '${settings}' > /etc/fwknop/fwknopd.conf`)
          must('systemctl daemon-reload; systemctl restart ghostport')
        })

        for (const [storm, script] of STORMS)
          it(`in a storm of ${storm}, knocks open, and end`, async () => {
            assert.deepEqual([await open(CLIENT.four), await open(STRANGER.four)], [false, false])
            must('systemctl reset-failed storm 2>/dev/null || true')
            must(`systemd-run --unit=storm -p StartLimitIntervalSec=0 sh -c '${script}'`)
            let [knocks, reached] = [0, 0]
            const begun = performance.now()
            for (; (isStorming() || knocks < 2) && performance.now() - begun < 60_000; knocks++) {
              if (knockAndWait()) reached++
              if (!hasGap(backend, storm)) assert.equal(await open(STRANGER.four), false, 'the stranger is in')
            }
            calm()
            must('firewall-cmd --state')
            lab.must(`ghostport knock -n ${SERVER.four} --wait`)
            await becomes(CLIENT.four, true, SOON, `shut after the storm; ${reached} of ${knocks} reached ssh in it`)
            assert.equal(await open(STRANGER.four), false)
            await becomes(CLIENT.four, false, LIFETIME * 1000 + 5_000, 'the port stays open')
          })
      })
  })
}
