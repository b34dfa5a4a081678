/**
 * `ghostport init` on a host where Debian's fwknop-server runs: its files and keys stay, ghostport takes its place once
 * an old client has knocked, and uninstall gives the place back.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { DebianName } from '../support/debian-root.ts'
import { type HostLab, hostLabUnavailable, SERVER, STRANGER } from '../support/host-lab.ts'
import { InitLab } from './init.ts'
import { opensToKnocks, shutToStrangers } from './traffic.ts'

const KEYS = `KEY_BASE64 ${Buffer.alloc(32, 7).toString('base64')}\nHMAC_KEY_BASE64 ${Buffer.alloc(64, 9).toString('base64')}\n`
const ACCESS = `SOURCE ANY\nOPEN_PORTS tcp/22\nFW_ACCESS_TIMEOUT 30\n${KEYS}`

export function describeInitFromFwknop(debian: DebianName): void {
  describe(`ghostport init in place of fwknop-server, on ${debian}`, { skip: hostLabUnavailable() }, () => {
    let init: InitLab
    let lab: HostLab
    let files: string
    const must = (command: string): string => {
      const { status, stdout, stderr } = lab.console(command)
      assert.equal(status, 0, `# ${command}\n${stdout}${stderr}`)
      return stdout
    }
    const fwknop = (): string =>
      lab.console('systemctl is-active fwknop-server; systemctl is-enabled fwknop-server').stdout
    const shown = (): string => must('sha256sum /etc/fwknop/*; stat -c "%n %a" /etc/fwknop/*')

    before(async () => {
      init = await InitLab.boot(debian, 'fwknop-client', 'fwknop-server')
      lab = init.lab
      must(`cat > /etc/fwknop/access.conf <<'END'\n${ACCESS}END`)
      must(
        "printf '# mine\\nPCAP_INTF host0;\\nMAX_SPA_PACKET_AGE 90;\\n' > /etc/fwknop/fwknopd.conf; chmod 600 /etc/fwknop/*",
      )
      must(
        'sed -i s/START_DAEMON=.*/START_DAEMON=yes/ /etc/default/fwknop-server; systemctl enable --now fwknop-server',
      )
      files = shown()
    })
    after(() => lab?.close())

    it('says what is wrong with the files, and changes nothing', async () => {
      must("sed -i 's/^OPEN_PORTS/OPEN_PROTS/' /etc/fwknop/access.conf")
      const { status, stderr } = lab.console('ghostport init --yes')
      assert.equal(status, 78, stderr)
      assert.match(stderr, /\/etc\/fwknop\/access\.conf:2: .*OPEN_PORTS.*CONFIG_UNKNOWN_KEY/)
      must("sed -i 's/^OPEN_PROTS/OPEN_PORTS/' /etc/fwknop/access.conf")
      assert.equal(shown(), files)
      assert.equal(fwknop(), 'active\nenabled\n')
    })

    it('keeps stanzas and keys, stops fwknop’s server, and shuts the port', async () => {
      const access = must('cat /etc/fwknop/access.conf')
      await init.start()
      await init.says('The ports are shut')
      assert.equal(must('cat /etc/fwknop/access.conf'), access)
      assert.match(
        must('cat /etc/fwknop/fwknopd.conf'),
        /^# mine\nPCAP_INTF host0;\nMAX_SPA_PACKET_AGE 90;\nFIREWALL_MODE +gate;\nPROTECTED_PORTS +tcp\/22;\n$/,
      )
      assert.match(fwknop(), /^inactive\nenabled\n$/)
      await shutToStrangers(lab)
    })

    it('is confirmed by an old client with its old keys', async () => {
      const rc = `[myserver]\nSPA_SERVER ${SERVER.four}\nALLOW_IP source\nACCESS tcp/22\n${KEYS}`
      writeFileSync(join(lab.home, '.fwknoprc'), rc, { mode: 0o600 })
      await (await init.knockAndLogIn()).must('sleep 1')
      await init.says('Confirmed by the login')
      assert.match(fwknop(), /^inactive\ndisabled\n$/)
      await opensToKnocks(lab)
    })

    it('uninstall gives the place back', async () => {
      must('ghostport uninstall --yes')
      assert.equal(shown(), files)
      assert.equal(fwknop(), 'active\nenabled\n')
      assert.ok(await lab.ssh(SERVER.four, STRANGER.four))
    })
  })
}
