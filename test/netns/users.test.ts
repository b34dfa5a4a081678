/**
 * `ghostport user` beside a running server: it takes each change by itself, and loses no grant and no packet.
 *
 *   client 10.9.0.1 ── 10.9.0.2 server
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Status } from '../../src/daemon/warden/status.ts'
import { clientAndServer, Daemon, ghostportCommand, type LogEvent, SERVER, stanza } from '../support/daemon.ts'
import { examined, onlyCheck } from '../support/doctor.ts'
import { type Host, Network, netnsUnavailable, type Outcome } from '../support/netns.ts'

describe('users of a running server', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let daemon: Daemon
  let home: string

  before(async () => {
    net = await Network.create()
    ;[client, server] = await clientAndServer(net)
    daemon = await Daemon.start(net, server, { access: stanza(['NAME admin', 'OPEN_PORTS tcp/22']) })
    home = net.directory()
  })
  after(() => net?.close())

  const files = (): readonly string[] => ['-c', daemon.path('fwknopd.conf'), '-a', daemon.path('access.conf')]
  const user = (...argv: readonly string[]): Outcome => server.run(ghostportCommand('user', ...argv, ...files()))
  const must = (...argv: readonly string[]): string => {
    const { status, stdout, stderr } = user(...argv)
    assert.equal(status, 0, stderr)
    return `${stdout}${stderr}`
  }
  const add = (name: string, ...argv: readonly string[]): string =>
    must('add', name, '--server', SERVER, '--show-secrets', ...argv)
  /** The stanza of the rc file that a command has shown, as the client’s own file. */
  const take = (shown: string, file = '.fwknoprc'): void => {
    const [half = ''] = /^\[.*\]\n(?:[A-Z_0-9]+ .*\n)+/m.exec(shown) ?? []
    assert.notEqual(half, '', shown)
    writeFileSync(join(home, file), half, { mode: 0o600 })
  }
  const knock = (file = '.fwknoprc', ...argv: readonly string[]): Promise<LogEvent> =>
    daemon.verdictAfter(() =>
      client.must(ghostportCommand('knock', SERVER, '--rc-file', join(home, file), ...argv), { env: { HOME: home } }),
    )

  /** What OLD_KEYS says. */
  const doctor = (): string => {
    const { findings, seen } = onlyCheck(
      examined(server.run(ghostportCommand('doctor', '--json', '--only', 'OLD_KEYS', ...files()))),
    )
    return findings.map(({ severity, text }) => `${severity}: ${text}`).join('\n') || `good: ${seen}`
  }

  it('takes a new user, who is let in with what the command has shown', async () => {
    const shown = add('ada')
    assert.match(shown, /the running server has taken the change/)
    take(shown)
    const { verdict, name } = await knock()
    assert.deepEqual([verdict, name], ['granted', 'ada'])
    assert.equal(await client.tcp(SERVER, 22), 'ssh')
  })

  it('loses no grant and no packet while users come', async () => {
    const session = await client.connect(SERVER, 22)
    const from = daemon.events.length
    const knocks = 12
    const words = ghostportCommand('knock', SERVER, '--rc-file', join(home, '.fwknoprc')).join(' ')
    const knocking = client.start(['bash', '-c', `for i in {1..${knocks}}; do ${words} || exit 1; done`])
    for (const name of ['u1', 'u2', 'u3', 'u4']) assert.match(add(name), /has taken/)
    assert.equal(await knocking.end(), 0)
    await daemon.until(() => daemon.events.slice(from).filter(({ verdict }) => verdict === 'granted').length >= knocks)
    assert.equal(daemon.events.slice(from).filter(({ event }) => event === 'reload').length, 4)
    assert.ok(daemon.status().grants.some(({ name }) => name === 'ada'))
    assert.equal(await session.echoes(), true)
  })

  it('new keys: both open during the overlap, the old ones do not after it, and the list says who uses them', async () => {
    const shown = must('rotate', 'ada', '--server', SERVER, '--show-secrets', '--overlap', '1h')
    take(shown, 'new')
    const [old, fresh] = [await knock(), await knock('new')]
    assert.deepEqual([old.verdict, fresh.verdict, fresh['name']], ['granted', 'granted', 'ada'])
    assert.match(String(old['name']), /^ada\.old-\d{8}$/)
    assert.match(must('list'), /a device of ada still uses the old keys/)
    assert.match(doctor(), /^warning: a device of ada still uses the old keys, and is shut out when they end$/)
    const status = server.must(ghostportCommand('status', '--socket', daemon.path('state/control.sock')))
    assert.match(status, /old keys still in use: 1 .*\n {2}\S+ {2}10\.9\.0\.1 {2}stanza ada\.old-\d{8}\n/)
    const file = daemon.path('access.conf')
    const later = server.must(['cat', file]).replace(/ACCESS_EXPIRE_EPOCH \d+/, 'ACCESS_EXPIRE_EPOCH 1700000000')
    writeFileSync(file, later, { mode: 0o600 })
    const from = daemon.events.length
    daemon.reload()
    await daemon.until(({ event }) => event === 'reload', from)
    assert.equal((await knock()).code, 'ACCESS_EXPIRED')
    assert.match(doctor(), /^warning: a device of ada knocks with old keys that have ended, and is refused$/)
    assert.equal((await knock('new')).verdict, 'granted')
    assert.match(must('list'), /a device of ada knocks with keys that ended: give it the new profile/)
    // From here on, with the new keys: they are old ones soon.
    take(shown)
    const third = must('rotate', 'ada', '--server', SERVER, '--show-secrets', '--overlap', '1h')
    assert.match(String((await knock())['name']), /^ada\.old-/)
    const session = await client.connect(SERVER, 22)
    assert.match(must('disable', 'ada'), /with the old keys/)
    assert.deepEqual(
      daemon.status().grants.filter(({ name }) => name?.startsWith('ada.old') === true),
      [],
    )
    assert.notEqual(await session.echoes(), true, 'the sessions of old keys end too')
    must('enable', 'ada')
    take(third)
  })

  it('a user with an SPA port of their own: the profile has it, before and after new keys', async () => {
    take(add('eve', '--spa-port', '62301'), 'eve')
    const { verdict, name } = await knock('eve')
    assert.deepEqual([verdict, name], ['granted', 'eve'])
    take(must('rotate', 'eve', '--server', SERVER, '--show-secrets', '--overlap', 'none'), 'eve')
    assert.equal((await knock('eve')).verdict, 'granted')
    assert.match(must('list'), /^NAME .* SPA PORT .*[\s\S]*^eve +active +tcp\/22 +62301 /m)
    assert.match(must('show', 'eve'), /^knocks at +udp 62301 \(SPA_PORT\)$/m)
    const status = server.must(ghostportCommand('status', '--socket', daemon.path('state/control.sock')))
    assert.match(status, /^2 stanzas with SPA_PORT: stanza eve at 62301, stanza eve\.old-\d{8} at 62301$/m)
    const { shown } = daemon.status()['stanzaPorts'] as NonNullable<Status['stanzaPorts']>
    assert.deepEqual([shown[0]?.name, shown[0]?.ports], ['eve', ['62301']])
    // A restart forgets no last knock.
    const before = JSON.parse(must('show', 'eve', '--json')).lastKnock
    assert.ok(before.time)
    await daemon.stop()
    await daemon.again()
    const after = JSON.parse(must('show', 'eve', '--json'))
    assert.deepEqual(after.lastKnock, before)
    assert.ok(Date.parse(after.usesSince) < Date.parse(String(daemon.status()['startedAt'])))
    must('remove', 'eve')
    assert.equal(daemon.status()['stanzaPorts'], undefined)
  })

  it('an invitation by file: it ends, unless it is confirmed after a knock', async () => {
    const sealed = join(home, 'gus.invitation')
    const invite = (...argv: readonly string[]): Outcome => server.run(ghostportCommand('invite', ...argv, ...files()))
    const made = invite('gus', '--server', SERVER, '--file', sealed, '--for', '1h', '--show-secrets')
    assert.equal(made.status, 0, made.stderr)
    const rc = ['--rc-file', join(home, 'gus')]
    client.must(ghostportCommand('client', 'add', sealed, ...rc), { input: made.stdout, env: { HOME: home } })
    assert.equal(invite('confirm', 'gus').status, 1)
    const { verdict, name } = await knock('gus')
    assert.deepEqual([verdict, name], ['granted', 'gus'])
    assert.match(invite('list').stdout, /^gus +file +not confirmed .* from 10\.9\.0\.1$/m)
    // Its time passes.
    const file = daemon.path('access.conf')
    const text = server.must(['cat', file])
    const end = /invited.*\nACCESS_EXPIRE_EPOCH +(\d+)/.exec(text)?.[1] ?? ''
    writeFileSync(file, text.replace(end, '1700000000'), { mode: 0o600 })
    const from = daemon.events.length
    daemon.reload()
    await daemon.until(({ event }) => event === 'reload', from)
    assert.equal((await knock('gus')).code, 'ACCESS_EXPIRED')
    const confirmed = invite('confirm', 'gus')
    assert.match(
      confirmed.stderr,
      /confirmed gus in .* \(last knock: \S+ from 10\.9\.0\.1\)\nthe running server has taken/,
    )
    assert.equal((await knock('gus')).verdict, 'granted')
    must('remove', 'gus')
    // The knocks of before were of another: they confirm nothing.
    const again = join(home, 'gus.again')
    assert.equal(invite('gus', '--server', SERVER, '--file', again, '--show-secrets').status, 0)
    assert.match(invite('list').stdout, /^gus +file +not confirmed .* none$/m)
    assert.match(invite('confirm', 'gus').stderr, /no knock of gus is known/)
    must('remove', 'gus')
  })

  it('a user who is disabled or removed gets nothing, at once', async () => {
    assert.match(must('disable', 'ada'), /has taken the change\nended now: grants/)
    const refused = await knock()
    assert.deepEqual([refused.code, refused['name']], ['ACCESS_EXPIRED', 'ada'])
    must('enable', 'ada')
    assert.equal((await knock()).verdict, 'granted')
    must('remove', 'ada')
    assert.equal((await knock()).code, 'SPA_HMAC_MISMATCH')
  })

  it('says why the server did not take it', () => {
    const file = daemon.path('fwknopd.conf')
    const settings = server.must(['cat', file])
    writeFileSync(file, `${settings}SPA_PORTS 53;\n`, { mode: 0o600 })
    const { status, stderr } = user('add', 'late', '--server', SERVER, '--show-secrets')
    assert.equal(status, 1)
    assert.match(stderr, /the change is written, but the running server did not take it: a restart .*SPA_PORTS/)
    writeFileSync(file, settings, { mode: 0o600 })
  })
})
