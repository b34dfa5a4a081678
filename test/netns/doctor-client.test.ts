/**
 * `ghostport doctor --client` on a real host: each finding is provoked, and is gone after what mends it.
 *
 *   client 10.9.0.1 ── 10.9.0.2 and 192.0.2.10 server
 *
 * The server’s names, in an /etc/hosts that only the client sees: `door.test` is 192.0.2.10. `six.test` is
 * 2001:db8::10, and there is no way to it.
 */
import assert from 'node:assert/strict'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type CompiledPackage, compilePackage } from '../support/compiled.ts'
import { type Examined, examined, findingIn, onlyCheck, type Told } from '../support/doctor.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'

const KEYS = ['KEY_BASE64 aGVsbG8gd29ybGQ=', 'HMAC_KEY_BASE64 Z29vZGJ5ZSB3b3JsZA==']

describe('ghostport doctor on a client', { skip: netnsUnavailable() }, () => {
  let built: CompiledPackage
  let net: Network
  let client: Host
  let home: string
  let rc: string

  before(async () => {
    built = compilePackage()
    net = await Network.create()
    client = await net.host('client')
    const server = await net.host('server')
    await net.link(client, ['10.9.0.1/24'], server, ['10.9.0.2/24', '192.0.2.10/32'])
    client.must(['ip', 'route', 'add', '192.0.2.10', 'via', '10.9.0.2'])
    home = net.directory()
    rc = join(home, '.fwknoprc')
    writeFileSync(join(home, 'hosts'), '127.0.0.1 localhost\n192.0.2.10 door.test\n2001:db8::10 six.test\n')
    // No other source: a name that is not there does not exist.
    writeFileSync(join(home, 'nsswitch.conf'), 'hosts: files\npasswd: files\n')
  })
  after(async () => {
    built?.[Symbol.dispose]()
    await net?.close()
  })

  /** The compiled program: it starts in a quarter of the time. */
  const doctorCommand = (...words: string[]): string[] => [...built.command, 'doctor', ...words]

  function write(...lines: string[]): void {
    writeFileSync(rc, lines.map((line) => `${line}\n`).join(''), { mode: 0o600 })
    chmodSync(rc, 0o600)
  }
  const door = (...more: string[]): void =>
    write('[door]', 'SPA_SERVER door.test', 'ALLOW_IP source', 'ACCESS tcp/22', ...KEYS, ...more)

  function examine(...words: string[]): Examined {
    const command = doctorCommand('--client', '--json', ...words)
    const script =
      'mount --bind "$0"/hosts /etc/hosts && mount --bind "$0"/nsswitch.conf /etc/nsswitch.conf && exec "$@"'
    return examined(
      client.run(['unshare', '--mount', 'sh', '-c', script, home, ...command], {
        env: { HOME: home },
        timeoutMs: 60_000,
      }),
    )
  }
  const ask = (code: string, ...words: string[]): Told => onlyCheck(examine('--only', code, ...words))
  const finding = (code: string, text: RegExp) => findingIn(ask(code), text)
  function mend({ command }: { readonly command: string | null }): void {
    assert.ok(command)
    client.must(['sh', '-c', command])
  }
  const isGood = (code: string): void => {
    const told = ask(code)
    assert.equal(told.answer, 'good', JSON.stringify(told))
  }

  it('all is well', () => {
    door()
    const { status, checks } = examine()
    assert.equal(status, 0)
    assert.deepEqual(
      checks.filter(({ side }) => side === 'client').map(({ code, answer }) => `${code} ${answer}`),
      [
        'SERVER_CLOCK not checked',
        'CLIENT_CONFIG good',
        'CLIENT_KEYS good',
        'CLIENT_KEY_AGE not checked',
        'DNS good',
        'OWN_ADDRESS good',
      ],
    )
    assert.equal(checks.find(({ code }) => code === 'DNS')?.seen, 'door.test: 192.0.2.10')
  })

  it('CLIENT_CONFIG: a line that cannot be understood, and a file that others can read', () => {
    door('ACESS tcp/22')
    const found = finding('CLIENT_CONFIG', /ACESS/)
    assert.equal(found.severity, 'error')
    assert.deepEqual(found.evidence, [`${rc}:7`])
    assert.match(found.advice ?? '', /^change line 7 of .*perhaps to: ACCESS$/)
    door()
    chmodSync(rc, 0o644)
    mend(finding('CLIENT_CONFIG', /can be read|others/))
    isGood('CLIENT_CONFIG')
  })

  it('CLIENT_KEYS: asked for at each knock, without HMAC, or not to be used', () => {
    write('[door]', 'SPA_SERVER door.test')
    assert.equal(finding('CLIENT_KEYS', /each knock with \[door\] asks/).severity, 'hint')
    write('[door]', 'SPA_SERVER door.test', KEYS[0] ?? '')
    assert.equal(finding('CLIENT_KEYS', /have no HMAC/).severity, 'warning')
    write('[door]', 'SPA_SERVER door.test', `KEY_FILE ${home}/none`, KEYS[1] ?? '')
    assert.equal(finding('CLIENT_KEYS', /none/).severity, 'error')
    door()
    isGood('CLIENT_KEYS')
  })

  it('DNS: no such name, no address of the family, no way', () => {
    write('[door]', 'SPA_SERVER nobody.test', ...KEYS)
    assert.equal(finding('DNS', /the name nobody\.test has no address/).severity, 'error')
    write('[door]', 'SPA_SERVER six.test', 'SERVER_RESOLVE_IPV4 Y', ...KEYS)
    assert.equal(finding('DNS', /six\.test has no IPv4 address/).severity, 'error')
    write('[door]', 'SPA_SERVER six.test', ...KEYS)
    const found = finding('DNS', /this host has no way to six\.test/)
    assert.ok(found.evidence.includes('A: none; AAAA: 2001:db8::10'))
    door()
    isGood('DNS')
  })

  it('OWN_ADDRESS: a private address for a server on the Internet, an old one, and none', () => {
    door()
    const text = readFileSync(rc, 'utf8')
    const other = '[other]\nSPA_SERVER 10.9.0.2\nALLOW_IP 10.9.0.1\n'
    writeFileSync(rc, text.replace('ALLOW_IP source', 'ALLOW_IP 10.9.0.7') + other)
    const wrong = finding('OWN_ADDRESS', /asks to open for 10\.9\.0\.7, and a server on the Internet never sees/)
    assert.equal(wrong.severity, 'error')
    mend(wrong)
    isGood('OWN_ADDRESS')
    // The command changed one stanza only.
    assert.equal(readFileSync(rc, 'utf8'), text.replace('ALLOW_IP source', 'ALLOW_IP resolve') + other)
    writeFileSync(rc, text + other.replace('10.9.0.1', '10.9.0.9'))
    assert.equal(finding('OWN_ADDRESS', /packets of this host come from 10\.9\.0\.1/).severity, 'warning')
    writeFileSync(rc, text.replace('ALLOW_IP source\n', ''))
    const none = finding('OWN_ADDRESS', /does not say for which address/)
    assert.equal(none.severity, 'hint')
    mend(none)
    isGood('OWN_ADDRESS')
  })

  it('-n chooses a stanza, and the command that checks again has it', () => {
    door()
    writeFileSync(rc, `${readFileSync(rc, 'utf8')}[broken]\nSPA_SERVER door.test\nXYZ 1\n`)
    assert.equal(ask('CLIENT_CONFIG', '-n', 'door').answer, 'good')
    const [broken] = ask('CLIENT_CONFIG', '-n', 'broken').findings
    assert.equal(broken?.recheck, 'ghostport doctor --named-config broken --only CLIENT_CONFIG')
    assert.match(ask('CLIENT_CONFIG', '-n', 'dor').findings[0]?.text ?? '', /no stanza \[dor\]/)
  })
})
