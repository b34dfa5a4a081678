/**
 * The gateway and the console under the systemd of a Debian that boots: the units as the package has them, and the
 * snippets of docs/GATEWAY.md and docs/CONSOLE.md word for word.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { makeSelfSigned } from '../../../src/http-server/self-signed.ts'
import { formatSecret, type InvitationSecret } from '../../../src/packet/invitation-secret.ts'
import { claimTag, deriveLinkKeys, formatDeviceKey, newKeyPair } from '../../../src/packet/web-invitation.ts'
import type { UnixSeconds } from '../../../src/units.ts'
import { debianPackage } from '../../support/debian-packages.ts'
import type { DebianName } from '../../support/debian-root.ts'
import { CLIENT, HostLab, hostLabUnavailable, SERVER, STRANGER } from '../../support/host-lab.ts'
import { sealedPacket } from '../../support/sealed.ts'

const NAME = 'gate.example.org'

/** The first block of code after a text, as it is in the document. */
function snippet(text: string, page: 'GATEWAY' | 'CONSOLE' = 'GATEWAY'): string {
  const document = readFileSync(join(import.meta.dirname, `../../../docs/${page}.md`), 'utf8')
  const at = document.indexOf(text)
  assert.ok(at >= 0, text)
  return /```[a-z]*\n([\s\S]*?)```/.exec(document.slice(at))?.[1] ?? assert.fail(text)
}

const TOKEN = 'a-token-of-more-than-32-characters-1'
/** What each web server logs of requests. */
const ACCESS_LOGS = {
  caddy: '/var/log/caddy/access.log',
  nginx: '/var/log/nginx/access.log',
  apache2: '/var/log/apache2/*access.log',
} as const

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
        write('/etc/ghostport/invitation-token', TOKEN, '600')
        const invitations = 'INVITATIONS Y\nINVITATION_TOKEN_FILE /etc/ghostport/invitation-token'
        write('/etc/ghostport/gateway.conf', `${settings}\n${invitations}`)
        must('systemctl restart ghostport-gateway')
        must(snippet('The user of the web server must be able to connect'))
        must('usermod --append --groups ghostport-gateway caddy')
        const nginx = `server {\nlisten 443 ssl;\nserver_name ${NAME};\nssl_certificate ${cert};\nssl_certificate_key ${key};\n`
        write('/etc/nginx/sites-available/default', `${nginx}${snippet('nginx, in the')}}`)
        // Caddy cannot ask an authority here: it makes the certificate itself.
        write(
          '/etc/caddy/Caddyfile',
          `{\nlocal_certs\n}\n${snippet('Caddy, in').replace('{\n', `{\nlog {\noutput file ${ACCESS_LOGS.caddy}\n}\n`)}`,
        )
        const apache = `<VirtualHost *:443>\nServerName ${NAME}\nSSLEngine on\nSSLCertificateFile ${cert}\nSSLCertificateKeyFile ${key}\n`
        write('/etc/apache2/sites-available/gate.conf', `${apache}${snippet('Apache, in the')}</VirtualHost>`)
        must('a2enmod proxy_http headers ssl && a2dissite 000-default && a2ensite gate')
      })

      for (const server of ['caddy', 'nginx', 'apache2'] as const) {
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

        it(`${server}: an invitation outlives previews, is claimed once, and no log has its secret`, async () => {
          must(`systemctl start ${server}`)
          try {
            await until(`${server} answers`, () => address() !== '', 20_000)
            const secret = randomBytes(16) as Uint8Array as InvitationSecret
            const keys = deriveLinkKeys(secret)
            const device = (await newKeyPair()).publicKey
            const claim = { proof: keys.proof, device: formatDeviceKey(device), tag: claimTag(keys, device) }
            const own = { id: keys.id, key: 'ab'.repeat(32) }
            const post = (path: string, body: object, words = ''): string =>
              curl(
                `-w '%{http_code}' ${words} -H 'content-type: application/json' -d '${JSON.stringify(body)}' https://${NAME}/v1/${path}`,
              )
            const token = `-H 'authorization: Bearer ${TOKEN}'`
            const end = Math.floor(Date.now() / 1000) + 3_600
            assert.match(post('invitations/register', { ...own, until: end }, token), /201$/)
            const state = (): string => post('invitations/about', { invitations: [own] }, token)
            const link = `https://${NAME}/invite#${formatSecret(secret)}`
            for (const words of ['', '--head', "-A 'Slackbot-LinkExpanding 1.0'", "-H 'sec-purpose: prefetch'"])
              assert.match(curl(`-i ${words} '${link}'`), / 200/, words)
            assert.match(curl(`-i -X POST -d '' '${link}'`), / 40[0-9]/)
            assert.match(state(), /"open"/)
            assert.match(post('invitation/claim', claim), /"claimed".*200$/)
            const other = (await newKeyPair()).publicKey
            const second = { ...claim, device: formatDeviceKey(other), tag: claimTag(keys, other) }
            assert.match(post('invitation/claim', second), /410$/)
            assert.match(state(), new RegExp(`"claimed".*"from":"${CLIENT.four}"`))
            const logged = must(`cat ${ACCESS_LOGS[server]}`) + journal(server) + journal('ghostport-gateway')
            assert.match(logged, /\/invite/)
            assert.match(logged, /\/v1\/invitation\/claim/)
            const secrets = [formatSecret(secret), Buffer.from(secret).toString('hex'), keys.proof, claim.tag, TOKEN]
            for (const text of secrets) assert.ok(!logged.includes(text), `${text} in ${logged}`)
          } finally {
            must(`systemctl stop ${server}`)
          }
        })
      }
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

    it('the console, by docs/CONSOLE.md: its unit, a link by a tunnel of ssh, a grant that is seen and ended', async (test) => {
      const pair = must(`ghostport keygen --pair --json --server ${SERVER.four} --name eve --open tcp/22`)
      const { access_conf: access, fwknoprc } = JSON.parse(pair) as { access_conf: string; fwknoprc: string }
      write('/etc/fwknop/access.conf', access, '600')
      must('systemctl restart ghostport')
      const shown = must(snippet('Start the console', 'CONSOLE'))
      const [link = '', secret = ''] = /http:\/\/localhost:8622\/#login=([\w-]+)/.exec(shown) ?? []
      assert.notEqual(link, '', shown)
      const pid = must('systemctl show -p MainPID --value ghostport-console').trim()
      const status = must(`cat /proc/${pid}/status`)
      assert.match(status, /^CapEff:\t0+$/m)
      assert.match(status, new RegExp(`^Uid:\t${must('id -u ghostport-console').trim()}\t`, 'm'))
      const exposure = must('systemd-analyze security --no-pager ghostport-console')
      test.diagnostic(/Overall exposure level.*/.exec(exposure)?.[0] ?? '')

      const tunnel = lab.client.start([join(lab.home, 'bin/ssh'), '-N', '-L', '8622:localhost:8622', SERVER.four])
      const page = (path: string, words = ''): string =>
        lab.run(`curl -s --max-time 15 -H 'origin: http://localhost:8622' ${words} http://localhost:8622${path}`).stdout
      await until('the page of the console', () => /<title>/.test(page('/')))
      const json = (body: object): string => `-H 'content-type: application/json' -d '${JSON.stringify(body)}'`
      const { token } = JSON.parse(page('/v1/session', json({ link: secret }))) as { token?: string }
      assert.match(token ?? '', /^[\w-]{43}$/)
      const asAda = `-H 'authorization: Bearer ${token}'`

      writeFileSync(join(lab.home, 'eve.rc'), fwknoprc, { mode: 0o600 })
      lab.must(`ghostport knock ${SERVER.four} --rc-file eve.rc`)
      // The stream ends by curl's own time.
      const stream = (): string => page('/v1/stream', `--max-time 2 ${asAda}`)
      await until('the grant in the stream', () => stream().includes('"eve"'))
      assert.match(page('/v1/revoke', `${asAda} ${json({ word: 'eve' })}`), /"done":true/)
      assert.deepEqual(JSON.parse(must('ghostport status --json')).grants, [])
      const told = must('ghostport audit show --json')
      for (const did of ['console: login by link', 'revoke'])
        assert.match(told, new RegExp(`"name":"ada"[^\\n]*"did":"${did}"`), told)
      must('systemctl reload ghostport-console')
      must('systemctl restart ghostport-console')
      await until('the history, after a restart', () => page('/v1/session', asAda).includes('SESSION_ENDED'))
      assert.doesNotMatch(journal('ghostport-console'), /"event":"fault"|EPERM|EACCES/)
      await tunnel.stop()
    })
  })
}
