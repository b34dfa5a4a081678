/**
 * The gateway and the console's socket under the systemd of a Debian that boots: the units as the package has them, and
 * the snippets of docs/GATEWAY.md word for word.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { makeSelfSigned } from '../../../src/http-server/self-signed.ts'
import type { UnixSeconds } from '../../../src/units.ts'
import { debianPackage } from '../../support/debian-packages.ts'
import type { DebianName } from '../../support/debian-root.ts'
import { CLIENT, HostLab, hostLabUnavailable, SERVER, STRANGER } from '../../support/host-lab.ts'
import { sealedPacket } from '../../support/sealed.ts'

const NAME = 'gate.example.org'
const document = readFileSync(join(import.meta.dirname, '../../../docs/GATEWAY.md'), 'utf8')

/** The first block of code after a text, as it is in the document. */
function snippet(text: string): string {
  const at = document.indexOf(text)
  assert.ok(at >= 0, text)
  return /```[a-z]*\n([\s\S]*?)```/.exec(document.slice(at))?.[1] ?? assert.fail(text)
}

export function describeGateway(debian: DebianName): void {
  describe(`the gateway on ${debian}`, { skip: hostLabUnavailable(), concurrency: 1 }, () => {
    let lab: HostLab
    let serial = 1

    before(async () => {
      lab = await HostLab.boot(debian, ['apache2', 'caddy', 'nginx'])
      must('systemctl disable --now apache2 caddy nginx')
      must(`cd /root && apt-get install -y ./${basename(debianPackage('ghostport'))}`)
      write(
        '/etc/ghostport/gateway.conf',
        [
          ...['LISTEN https://0.0.0.0:443', `HOST ${NAME}`, `TARGET office ${CLIENT.four}:62201`],
          ...['CERTIFICATE_FILE /etc/letsencrypt/live/gate/fullchain.pem'],
          ...['CERTIFICATE_KEY_FILE /etc/letsencrypt/live/gate/privkey.pem'],
        ].join('\n'),
      )
      renew()
      must('systemctl enable --now ghostport-gateway')
    })
    after(() => lab?.close())

    function must(command: string): string {
      const { status, stdout, stderr } = lab.console(command)
      assert.equal(status, 0, `# ${command}\n${stdout}${stderr}`)
      return stdout
    }
    function write(path: string, text: string, mode = '644'): void {
      const folder = path.slice(0, path.lastIndexOf('/'))
      must(`mkdir -p ${folder} && echo ${Buffer.from(`${text}\n`).toString('base64')} | base64 -d > ${path}`)
      must(`chmod ${mode} ${path}`)
    }
    /** As certbot leaves it: numbered files, links of a fixed name to them, and folders that only root can read. */
    function renew(): void {
      const made = makeSelfSigned([NAME], Math.floor(Date.now() / 1000) as UnixSeconds, Buffer.alloc(16, serial))
      const archive = '/etc/letsencrypt/archive/gate'
      write(`${archive}/fullchain${serial}.pem`, made.cert)
      write(`${archive}/privkey${serial}.pem`, made.key, '600')
      must('mkdir -p /etc/letsencrypt/live/gate && chmod 700 /etc/letsencrypt/live /etc/letsencrypt/archive')
      for (const name of ['fullchain', 'privkey'])
        must(`ln -sf ../../archive/gate/${name}${serial}.pem /etc/letsencrypt/live/gate/${name}.pem`)
      serial++
    }
    /** Also while the machine is down: then there is none. */
    const journal = (unit: string): string => lab.console(`journalctl -u ${unit} -o cat -n 60`).stdout
    const curl = (words: string): string => {
      const { stdout } = lab.run(`curl -sk --max-time 10 --resolve ${NAME}:443:${SERVER.four} ${words}`)
      return stdout
    }
    const address = (words = ''): string => curl(`--interface ${CLIENT.four} ${words} https://${NAME}/v1/address`)
    const shown = (): string =>
      lab.must(
        `openssl s_client -connect ${SERVER.four}:443 -servername ${NAME} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256`,
      )
    async function until(what: string, isSo: () => boolean, deadlineMs = 30_000): Promise<void> {
      for (const deadline = performance.now() + deadlineMs; !isSo(); await delay(300))
        assert.ok(performance.now() < deadline, `${what}: not after ${deadlineMs} ms\n${journal('ghostport-gateway')}`)
    }
    const EXPECTED = JSON.stringify({ address: CLIENT.four })

    it('the unit of the package starts it, as a user without rights, and it passes knocks on', async (test) => {
      assert.equal(address(), EXPECTED, journal('ghostport-gateway'))
      const pid = must('systemctl show -p MainPID --value ghostport-gateway').trim()
      const status = must(`cat /proc/${pid}/status`)
      assert.match(status, /^CapEff:\t0+$/m)
      assert.match(status, new RegExp(`^Uid:\t${must('id -u ghostport-gateway').trim()}\t`, 'm'))
      const exposure = must('systemd-analyze security --no-pager ghostport-gateway')
      test.diagnostic(/Overall exposure level.*/.exec(exposure)?.[0] ?? '')
      const office = lab.client.start(['socat', '-u', 'UDP4-RECV:62201', '-'])
      await delay(500)
      const packet = sealedPacket()
      const knock = JSON.stringify({ target: 'office', packet })
      assert.match(curl(`-H 'content-type: application/json' -d '${knock}' https://${NAME}/v1/knock`), /^\{"ticket":/)
      await until('the packet', () => office.output.includes(packet))
      await office.stop()
    })

    it('a reload takes the renewed certificate, which only root can read, and ends no connection', async () => {
      const before = shown()
      // A request each second: the gateway ends a connection that is idle for five.
      const request = `printf 'GET /v1/address HTTP/1.1\\r\\nhost: ${NAME}\\r\\n\\r\\n'`
      const script = `while ${request}; do sleep 1; done | openssl s_client -quiet -connect ${SERVER.four}:443`
      const open = lab.client.start(['sh', '-c', script])
      const answers = (): number => open.output.match(/"address":/g)?.length ?? 0
      await open.says(/"address":/)
      renew()
      assert.equal(shown(), before)
      must('systemctl reload ghostport-gateway')
      assert.notEqual(shown(), before)
      await delay(100)
      const then = answers()
      await until('further answers on the open connection', () => answers() > then + 1)
      await open.stop()
      // One that is faulty: the reload says so, and the gateway goes on.
      const good = shown()
      must('echo nothing > /etc/letsencrypt/live/gate/fullchain.pem')
      assert.notEqual(lab.console('systemctl reload ghostport-gateway').status, 0)
      assert.equal(shown(), good)
      assert.equal(must('systemctl is-active ghostport-gateway'), 'active\n')
      assert.match(journal('ghostport-gateway'), /there is no certificate in PEM form/)
      renew()
      must('systemctl reload ghostport-gateway')
    })

    it('survives a reboot', async () => {
      await lab.reboot()
      await until('a second boot', () => lab.reboots === 1, 60_000)
      await lab.reachable()
      await until('the gateway after a boot', () => address() === EXPECTED, 60_000)
      assert.equal(must('systemctl is-active ghostport-gateway'), 'active\n')
    })

    describe('behind a web server, by the snippets of docs/GATEWAY.md', { concurrency: 1 }, () => {
      const [cert, key] = ['/etc/gate.pem', '/etc/gate.key']

      before(() => {
        const made = makeSelfSigned([NAME], Math.floor(Date.now() / 1000) as UnixSeconds, Buffer.alloc(16, 99))
        write(cert, made.cert)
        write(key, made.key, '600')
        const settings = snippet('Then the gateway listens on a Unix socket').replace(
          /^TARGET .*$/m,
          `TARGET office ${CLIENT.four}:62201`,
        )
        write('/etc/ghostport/gateway.conf', settings)
        must('systemctl restart ghostport-gateway')
        must(snippet('The user of the web server must be able to connect'))
        must('usermod --append --groups ghostport-gateway caddy')
        const nginx = `server {\nlisten 443 ssl;\nserver_name ${NAME};\nssl_certificate ${cert};\nssl_certificate_key ${key};\n`
        write('/etc/nginx/sites-available/default', `${nginx}${snippet('nginx, in the')}}`)
        // Caddy cannot ask an authority here: it makes the certificate itself.
        write('/etc/caddy/Caddyfile', `{\nlocal_certs\n}\n${snippet('Caddy, in')}`)
        const apache = `<VirtualHost *:443>\nServerName ${NAME}\nSSLEngine on\nSSLCertificateFile ${cert}\nSSLCertificateKeyFile ${key}\n`
        write('/etc/apache2/sites-available/gate.conf', `${apache}${snippet('Apache, in the')}</VirtualHost>`)
        must('a2enmod proxy_http headers ssl && a2dissite 000-default && a2ensite gate')
      })

      for (const server of ['caddy', 'nginx', 'apache2'])
        it(`${server}: passes the visitor’s address on, and not what the visitor makes up`, async () => {
          must(`systemctl start ${server}`)
          try {
            await until(`${server} answers`, () => address() !== '', 20_000)
            assert.equal(address(), EXPECTED, journal(server))
            for (const forged of [
              'X-Forwarded-For: 203.0.113.9',
              'X-Forwarded-For: 127.0.0.1',
              'X-Real-IP: 203.0.113.9',
            ])
              assert.equal(address(`-H '${forged}'`), EXPECTED, forged)
            assert.equal(
              curl(`--interface ${STRANGER.four} https://${NAME}/v1/address`),
              JSON.stringify({ address: STRANGER.four }),
            )
            const knock = JSON.stringify({ target: 'office', packet: sealedPacket() })
            const answer = curl(`-H 'content-type: application/json' -d '${knock}' https://${NAME}/v1/knock`)
            assert.match(answer, /^\{"ticket":/)
            // The visitor came over HTTPS, and the gateway knows: browsers are told to stay with it.
            assert.match(curl(`-i https://${NAME}/v1/time`), /strict-transport-security/i)
            assert.match(curl(`-i -H 'origin: https://evil.example' -d '{}' https://${NAME}/v1/knock`), / 403/)
          } finally {
            must(`systemctl stop ${server}`)
          }
        })
    })

    it('the console’s socket works under the unit of the server, as docs/CONSOLE-SOCKET.md says', async () => {
      must('id ghostport-console || useradd --system --shell /usr/sbin/nologin ghostport-console')
      const pair = must(`ghostport keygen --pair --json --server ${SERVER.four} --name ada --open tcp/22`)
      const { access_conf: access } = JSON.parse(pair) as { access_conf: string }
      write('/etc/fwknop/access.conf', access, '600')
      write(
        '/etc/fwknop/fwknopd.conf',
        'CONSOLE_USER ghostport-console;\nCONSOLE_RIGHTS revoke, extend, reload, users;',
        '600',
      )
      const started = lab.console('systemctl enable --now ghostport')
      assert.equal(started.status, 0, journal('ghostport'))
      const ask = (user: string, request: object): { done?: boolean; value?: unknown; code?: string } => {
        const program = `const s = require('node:net').connect('/run/ghostport/console.sock'); s.on('error', (e) => { console.log(JSON.stringify({ code: e.code })); process.exit() }); s.on('data', (d) => { process.stdout.write(d); process.exit() }); s.on('end', () => process.exit()); s.write(${JSON.stringify(`${JSON.stringify(request)}\n`)})`
        write('/tmp/ask.cjs', program)
        const said = must(`runuser -u ${user} -- /usr/local/bin/node /tmp/ask.cjs`)
        return said === '' ? {} : JSON.parse(said)
      }
      assert.equal(ask('ghostport-console', { ask: 'status' }).done, true)
      assert.equal(ask('www-data', { ask: 'status' }).done, undefined, 'another user')
      const by = { name: 'ada', from: '192.0.2.7' }
      const add = { ask: 'user add', name: 'bob', open: 'tcp/22', server: SERVER.four, by }
      const refused = ask('ghostport-console', add)
      assert.equal(refused.done, false, 'the unit lets the server write no configuration by itself')
      const socket = readFileSync(join(import.meta.dirname, '../../../docs/CONSOLE-SOCKET.md'), 'utf8')
      must(/```\n(install -D[\s\S]*?)```/.exec(socket)?.[1] ?? assert.fail('no such snippet'))
      const added = ask('ghostport-console', add)
      assert.equal(added.done, true, JSON.stringify(added))
      assert.match(must('cat /etc/fwknop/access.conf'), /bob/)
      assert.equal(ask('ghostport-console', { ask: 'user remove', name: 'bob', by }).done, true)
      assert.equal(must("stat -c '%a' /run/ghostport").trim(), '711')
      // Others can open the console's socket alone, which asks the kernel who they are.
      const open = must("find /run/ghostport -mindepth 1 -perm /o+rwx -not -type l -printf '%P %m\\n'").trim()
      assert.equal(open, 'console.sock 666')
    })
  })
}
