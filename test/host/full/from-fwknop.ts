/**
 * The package on a host where fwknop-server of Debian runs. Its files stay, the server of fwknop ends with its package,
 * and an old client gets in with its old keys.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { debianPackage } from '../../support/debian-packages.ts'
import type { DebianName } from '../../support/debian-root.ts'
import { HostLab, hostLabUnavailable, SERVER, STRANGER } from '../../support/host-lab.ts'
import { opensToKnocks, rebootAndWait, shutToStrangers } from '../traffic.ts'

const KEY = Buffer.alloc(32, 7).toString('base64')
const HMAC = Buffer.alloc(64, 9).toString('base64')
const KEYS = `KEY_BASE64 ${KEY}\nHMAC_KEY_BASE64 ${HMAC}\n`
const ACCESS = `SOURCE ANY\nOPEN_PORTS tcp/22\nFW_ACCESS_TIMEOUT 30\n${KEYS}`
const FILES = '/etc/fwknop/access.conf /etc/fwknop/fwknopd.conf'

export function describeMigration(debian: DebianName): void {
  describe(`the package in place of fwknop-server, on ${debian}`, { skip: hostLabUnavailable() }, () => {
    let lab: HostLab
    const must = (command: string): string => {
      const { status, stdout, stderr } = lab.console(command)
      assert.equal(status, 0, `# ${command}\n${stdout}${stderr}`)
      return stdout + stderr
    }

    before(async () => {
      lab = await HostLab.boot(debian, ['fwknop-client', 'fwknop-server'])
      writeFileSync(
        join(lab.home, '.fwknoprc'),
        `[myserver]\nSPA_SERVER ${SERVER.four}\nALLOW_IP source\nACCESS tcp/22\n${KEYS}`,
        {
          mode: 0o600,
        },
      )
      must(`cat > /etc/fwknop/access.conf <<'END-OF-FILE'\n${ACCESS}END-OF-FILE`)
      must("printf 'PCAP_INTF host0;\\n' > /etc/fwknop/fwknopd.conf && chmod 600 /etc/fwknop/*")
      must(
        'nft add table inet filter && nft add chain inet filter input "{ type filter hook input priority 0; policy drop; }"',
      )
      for (const rule of [
        'ct state established,related',
        'iif lo',
        'meta l4proto icmpv6',
        'ct mark and 0x200000 == 0x200000',
      ])
        must(`nft add rule inet filter input ${rule} accept`)
      must(
        'sed -i s/START_DAEMON=.*/START_DAEMON=yes/ /etc/default/fwknop-server && systemctl enable --now fwknop-server',
      )
    })
    after(() => lab?.close())

    it('takes its place: the files stay, the old server ends, no new one starts', async () => {
      const before = must(`sha256sum ${FILES}`)
      assert.equal(must('systemctl is-active fwknop-server'), 'active\n')
      const said = must(`cd /root && apt-get install -y ./${basename(debianPackage('ghostport'))}`)
      assert.match(said, /Removing fwknop-server/)
      assert.match(
        said,
        /There is a set-up in \/etc\/fwknop already\. It stays as it is\. Nothing receives knocks yet\. Next: ghostport import/,
      )
      assert.match(said, /do not purge fwknop-server/)
      assert.equal(must(`sha256sum ${FILES}`), before)
      assert.notEqual(lab.console('pgrep -x fwknopd').status, 0)
      assert.notEqual(lab.console('systemctl is-active fwknop-server ghostport').status, 0)
      await shutToStrangers(lab)
    })

    it('runs with the old files and keys, as import says', async () => {
      assert.match(must('ghostport import || true'), /./)
      must('ghostport check && systemctl enable --now ghostport')
      await opensToKnocks(lab)
    })

    it('is the only server after a reboot', async () => {
      // Its host has no rules of its own after that: only ghostport's own are of interest here.
      await rebootAndWait(lab)
      assert.equal(must("pgrep -fc '^(fwknopd|/usr/sbin/fwknopd)' || true").trim(), '0')
      lab.must('ghostport knock myserver')
      for (let tries = 0; tries < 30 && must('ghostport status').includes('live grants: 0'); tries++) await delay(100)
      assert.match(must('ghostport status'), /live grants: 1/)
      assert.ok(await lab.ssh(SERVER.four, STRANGER.four))
    })

    it('warns rightly: a purge of fwknop-server would delete the files', () => {
      must('cp -a /etc/fwknop /root/kept && apt-get purge -y fwknop-server')
      assert.notEqual(lab.console(`ls ${FILES}`).status, 0)
      assert.equal(must('systemctl is-active ghostport'), 'active\n')
      must('cp -a /root/kept/. /etc/fwknop/ && ghostport check')
    })
  })
}
