/**
 * What the server has done by other users, under the unit as the package installs it: systemd starts each of them, and
 * the server itself cannot change its user.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parsePrivileges } from '../../../src/system/privilege.ts'
import { debianPackage } from '../../support/debian-packages.ts'
import type { DebianName } from '../../support/debian-root.ts'
import { gnupgKeys, makeKeyring } from '../../support/gnupg.ts'
import { CLIENT, HostLab, hostLabUnavailable, SERVER, STRANGER } from '../../support/host-lab.ts'

const KEYS = fileURLToPath(new URL('../../vectors/gpg/', import.meta.url))
const KEYRING = ['server2048.sec.asc', 'client2048.sec.asc', 'ownertrust.txt']
const NEWER = '99.0'
const WEB_PORT = 8099
const WEB_SERVER = `require('node:http').createServer((request, answer) => {
  console.log('told ' + request.headers['x-ghostport-event'])
  answer.writeHead(204).end()
}).listen(${WEB_PORT}, () => console.log('listening'))`
const HELPERS = "systemctl list-units --plain --no-legend --state=running 'ghostport-helper@*'"

export function describeHelpers(debian: DebianName): void {
  describe(`the helpers on ${debian}`, { skip: hostLabUnavailable() }, () => {
    let lab: HostLab
    const keyring = makeKeyring()

    before(async () => {
      lab = await HostLab.boot(
        debian,
        ['gnupg'],
        [...KEYRING.map((name) => join(KEYS, name)), debianPackage('ghostport', NEWER)],
      )
      must(`cd /root && apt-get install -y ./${basename(debianPackage('ghostport'))}`)
      must('gpgconf --kill all; mkdir -m 700 /etc/fwknop/gnupg')
      const gpg = 'gpg --homedir /etc/fwknop/gnupg --batch'
      must(
        `cd /root && ${gpg} --import server2048.sec.asc client2048.sec.asc && ${gpg} --import-ownertrust ownertrust.txt`,
      )
      must(
        `gpgconf --homedir /etc/fwknop/gnupg --kill all; rm -f /root/*.sec.asc; echo '10.9.1.2 inner.test' >> /etc/hosts`,
      )
      const web = lab.client.start([process.execPath, '-e', WEB_SERVER])
      await web.says(/listening/)
      must("umask 077; echo 'a key of 32 characters for tests' > /etc/fwknop/webhook.key")
      configure('')
      must('systemctl enable --now ghostport')
    })
    after(async () => {
      keyring.remove()
      await lab?.close()
    })

    function must(command: string): string {
      const { status, stdout, stderr } = lab.console(command)
      assert.equal(status, 0, `# ${command}\n${stdout}${stderr}`)
      return stdout
    }

    /** @param more lines for fwknopd.conf. */
    function configure(more: string): void {
      const settings = [
        'FIREWALL_MODE gate;\nPROTECTED_PORTS tcp/22;\nENABLE_IPT_FORWARDING Y;',
        `WEBHOOK_URL http://${CLIENT.four}:${WEB_PORT}/;\nWEBHOOK_KEY_FILE /etc/fwknop/webhook.key;`,
        more,
      ].join('\n')
      must(`umask 077; cat > /etc/fwknop/fwknopd.conf <<'END-OF-FILE'\n${settings}\nEND-OF-FILE`)
      const pair = must(`ghostport keygen --pair --json --server ${SERVER.four} --name myserver --open tcp/22,tcp/2222`)
      const { access_conf: access, fwknoprc } = JSON.parse(pair) as { access_conf: string; fwknoprc: string }
      writeFileSync(join(lab.home, '.fwknoprc'), fwknoprc.replace(/^\[.*\]$/m, '[myserver]'), { mode: 0o600 })
      const stanzas = [
        `${access}FW_ACCESS_TIMEOUT 5\nNAT_TARGETS 10.9.1.0/24`,
        'SOURCE ANY\nOPEN_PORTS tcp/22\nNAT_TARGETS local:22\nFW_ACCESS_TIMEOUT 5\nGPG_HOME_DIR /etc/fwknop/gnupg\nGPG_DECRYPT_ID server2048@spa.test',
        `GPG_FINGERPRINT_ID ${gnupgKeys.client2048.primary}\nGPG_ALLOW_NO_PW Y\nHMAC_KEY an hmac key for tests`,
      ].join('\n')
      must(`umask 077; cat > /etc/fwknop/access.conf <<'END-OF-FILE'\n${stanzas}\nEND-OF-FILE`)
    }
    const told = (): string => must('journalctl -u ghostport -o cat')

    /** Until no grant is live: then the next knock is a new one. */
    const closed = (): Promise<void> =>
      until('the end of the grants', () => /"grants":\[\]/.test(must('ghostport status --json')))

    async function until(what: string, isSo: () => boolean, deadlineMs = 20_000): Promise<void> {
      for (const deadline = performance.now() + deadlineMs; !isSo(); await delay(100))
        assert.ok(
          performance.now() < deadline,
          `${what}: not after ${deadlineMs} ms\n${must("journalctl -u ghostport -u 'ghostport-helper@*' -n 40")}`,
        )
    }

    it('look up the name of an inner host, as a user of their own', async (test) => {
      const began = performance.now()
      lab.must('ghostport knock myserver -N inner.test:22 -A tcp/22 --nat-port 2222')
      await until('the grant', () => /"verdict":"granted".*10\.9\.1\.2/.test(told()))
      test.diagnostic(`a knock with a look-up: ${Math.round(performance.now() - began)} ms`)
      lab.must('ghostport knock myserver -N nothing.invalid:22 -A tcp/22 --nat-port 2222')
      await until('the refusal', () => /gave no IPv4 address for it/.test(told()))
      // It outlives no look-up.
      await until(
        'its end',
        () => !/ghostport-helper@\S+ .*\n.*ghostport-helper@\S+ .*\n.*ghostport-helper@/.test(must(HELPERS)),
      )
    })

    it('run GnuPG: a packet that it opens opens the port, and the keyring leaves no copy', async () => {
      await until('GnuPG', () => told().includes('"gnupg ready"'))
      const pid = Number(/"event":"gnupg ready"\S*"pid":(\d+)/.exec(told())?.[1])
      const status = must(`cat /proc/${pid}/status`)
      const { uid, groups, permitted, bounding, noNewPrivileges } = parsePrivileges(status)
      assert.ok(uid >= 61_184 && uid <= 65_519, `${uid}`)
      assert.deepEqual([groups, permitted, bounding, noNewPrivileges], [[uid], 0n, 0n, true])
      assert.match(status, /^Seccomp:\t2$/m)
      // Neither its files nor its system calls.
      assert.doesNotMatch(told(), /cannot be confined|io_uring/)
      // Its memory belongs to root, and its copies are in a file system that ends with it.
      assert.equal(must(`stat -c %u /proc/${pid}/mem`), '0\n')
      assert.equal(must('ls /dev/shm /tmp').match(/ghostport-gnupg/g), null)
      assert.match(must(`ls /proc/${pid}/root/dev/shm`), /^ghostport-gnupg-/m)
      assert.equal(await lab.ssh(SERVER.four, STRANGER.four, 500), false)
      const keys = ['--gpg-home-dir', keyring.home, '--gpg-recipient-key', 'server2048@spa.test', '--gpg-no-signing-pw']
      const words = ['--no-rc-file', '-D', SERVER.four, '-a', CLIENT.four, '-A', 'tcp/22', ...keys]
      const knock = `ghostport knock ${words.join(' ')} --gpg-signer-key client2048@spa.test --key-hmac 'an hmac key for tests' --wait`
      lab.must(knock)
      assert.ok(await lab.ssh())

      must(`kill -KILL ${pid}`)
      await until('another one', () => (told().match(/"gnupg ready"/g)?.length ?? 0) === 2)
      lab.must(knock)
    })

    it('deliver webhooks, as another user', async () => {
      await until('the delivery', () => {
        const { delivered } = JSON.parse(must('ghostport status --json')).commands?.webhook ?? {}
        return delivered > 0
      })
      const [sender, gnupg] = ['sender', 'gnupg'].map((name) =>
        must(`ps -o uid= -p $(pgrep -f '^ghostport: ${name}')`).trim(),
      )
      assert.notEqual(sender, gnupg)
      assert.match(`${sender}`, /^6[1-5]\d{3}$/)
    })

    it('are all that changes users: the server cannot', () => {
      const warden = must('systemctl show --property=MainPID --value ghostport').trim()
      // CAP_KILL 5, CAP_NET_BIND_SERVICE 10, CAP_NET_ADMIN 12, CAP_NET_RAW 13.
      assert.equal(parsePrivileges(must(`cat /proc/${warden}/status`)).bounding, 0x3420n)
      // It sees its own processes only.
      assert.match(must(`cat /proc/${warden}/mountinfo`), / \/proc .*hidepid=invisible/)
      const exposure = /Overall exposure level for \S+: ([0-9.]+)/.exec(
        must("systemd-analyze security --no-pager 'ghostport-helper@.service'"),
      )
      assert.ok(Number(exposure?.[1]) <= 1.5, exposure?.[0])
      assert.equal(must("stat -c '%a %U' /run/ghostport-helper.sock"), '600 root\n')
    })

    it('a program of the settings that must run as another user says what to do, and then runs', async () => {
      configure('HOOK_GRANT /usr/bin/id;')
      must('systemctl restart ghostport')
      await until('the warning', () => /HOOK_USER: programs cannot run as another user.*systemctl edit/.test(told()))
      await closed()
      lab.must('ghostport knock myserver --wait')
      await until('the failed hook', () => /"event":"hook".*it must run as nobody/.test(told()))
      const folder = '/etc/systemd/system/ghostport.service.d'
      must(
        `mkdir ${folder} && printf '[Service]\\nCapabilityBoundingSet=CAP_SETUID CAP_SETGID\\n' > ${folder}/users.conf`,
      )
      must('systemctl daemon-reload && systemctl restart ghostport')
      await closed()
      lab.must('ghostport knock myserver --wait')
      await until('the hook', () => JSON.parse(must('ghostport status --json')).commands?.hooks?.run > 0)
      assert.equal(JSON.parse(must('ghostport status --json')).commands.hooks.failed, 0)
      must(`rm -r ${folder} && systemctl daemon-reload`)
    })

    it('are asked for again once their socket is back, and all says what is missing until then', async () => {
      configure('')
      must('systemctl stop ghostport && systemctl mask --now ghostport-helper.socket && systemctl start ghostport')
      await until('the reason', () =>
        /"gnupg lost".*ghostport-helper\.sock: .*systemctl start ghostport-helper\.socket/.test(told()),
      )
      lab.must('ghostport knock myserver --wait')
      assert.ok(await lab.ssh())
      lab.must('ghostport knock myserver -N inner.test:22 -A tcp/22 --nat-port 2222')
      await until('the refusal', () => /cannot be resolved.*systemctl start ghostport-helper\.socket/.test(told()))
      const ready = told().match(/"gnupg ready"/g)?.length ?? 0
      must('systemctl unmask ghostport-helper.socket && systemctl start ghostport-helper.socket')
      await until('GnuPG', () => (told().match(/"gnupg ready"/g)?.length ?? 0) > ready, 45_000)
      must('systemctl stop ghostport')
      await until('the end of all', () => must(HELPERS) === '')
      assert.notEqual(lab.console('test -e /run/ghostport-helper.sock').status, 0)
    })

    it('an upgrade from a unit that may change users keeps that for hooks, and a purge takes it away', async () => {
      const file = '/etc/systemd/system/ghostport.service.d/users.conf'
      configure('HOOK_GRANT /usr/bin/id;')
      must(
        "sed -i 's/ CAP_KILL$/ CAP_SETUID CAP_SETGID CAP_SETPCAP CAP_KILL/' /usr/lib/systemd/system/ghostport.service",
      )
      must('systemctl daemon-reload && systemctl restart ghostport')
      const said = must(`cd /root && apt-get install -y ./${basename(debianPackage('ghostport', NEWER))} 2>&1`)
      assert.match(
        said,
        /wrote \/etc\/systemd\/system\/ghostport\.service\.d\/users\.conf: your settings have programs/,
      )
      assert.doesNotMatch(must('cat /usr/lib/systemd/system/ghostport.service'), /CAP_SETUID/)
      await closed()
      lab.must('ghostport knock myserver --wait')
      await until('the hook', () => JSON.parse(must('ghostport status --json')).commands?.hooks?.run > 0)
      assert.equal(JSON.parse(must('ghostport status --json')).commands.hooks.failed, 0)
      must('DEBIAN_FRONTEND=noninteractive apt-get purge -y ghostport')
      assert.notEqual(lab.console(`test -e ${file}`).status, 0)
    })
  })
}
