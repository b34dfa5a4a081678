/**
 * The console's second factors, and what needs them: users, keys and invitations of a real server.
 *
 *   client 10.9.0.1 ── server 10.9.0.2, which drops by default: ssh on tcp/22; the console on a Unix socket
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { readAudit } from '../../src/audit-log/verify.ts'
import { totpAt } from '../../src/http-server/totp.ts'
import { type Answer, CONSOLE_HOST, ConsoleProcess, serverForConsole } from '../support/console.ts'
import { clientAndServer, type Daemon, knock, SERVER } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { SoftPasskey } from '../support/passkey.ts'
import { must } from '../support/results.ts'

describe('the console, for administrators', { skip: netnsUnavailable(), concurrency: 1 }, () => {
  let net: Network
  let client: Host
  let server: Host
  let daemon: Daemon
  let console: ConsoleProcess
  let token = ''

  before(async () => {
    net = await Network.create()
    ;[client, server] = await clientAndServer(net)
    const asked = await serverForConsole(net, server)
    daemon = asked.daemon
    console = new ConsoleProcess(net, server, asked.socket, [`SERVER_SETTINGS ${daemon.path('fwknopd.conf')}`])
    await console.start()
    token = await console.loggedIn('ada', 'administrator')
  })
  after(async () => {
    await console?.stop()
    await daemon?.stop()
    await net?.close()
  })

  const post = (path: string, body: object = {}, by = token): Promise<Answer> => console.ask(path, { token: by, body })
  const get = (path: string, by = token): Promise<Answer> => console.ask(path, { token: by })
  const good = async (path: string, body: object = {}): Promise<Record<string, never>> => {
    const answer = await post(path, body)
    assert.equal(answer.status, 200, `${path}: ${answer.text}`)
    return answer.json
  }
  const bob = { name: 'bob', open: 'tcp/22', server: 'h.example', expire: '30d' }
  /** Of RFC 4648. */
  const fromBase32 = (text: string): Buffer => {
    const bits = [...text].map((one) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(one).toString(2).padStart(5, '0'))
    return Buffer.from((bits.join('').match(/.{8}/g) ?? []).map((one) => Number.parseInt(one, 2)))
  }
  const step = (): number => Math.floor(Date.now() / 30_000)

  it('keys need a second factor, which a new account has not', async () => {
    const refused = await post('/v1/users', bob)
    assert.deepEqual([refused.status, refused.json['code']], [403, 'NO_SECOND_FACTOR'])
    // Each of these gives somebody access.
    const { expire: _, ...invitation } = bob
    for (const [path, body] of [
      ['/v1/users/rotate', { name: 'alice', server: 'h.example' }],
      ['/v1/users/enable', { name: 'alice' }],
      ['/v1/invitations', invitation],
    ] as const)
      assert.equal((await post(path, body)).json['code'], 'NO_SECOND_FACTOR', path)
    assert.doesNotMatch(readFileSync(daemon.path('access.conf'), 'utf8'), /bob/)
  })

  let secret: Buffer
  /** The time step of the last code. */
  let used = 0
  it('an app for codes is added by its first code, and each code is good once', async () => {
    const offered = await good('/v1/account/totp')
    assert.match(offered['uri'] ?? '', /^otpauth:\/\/totp\/console\.example%3Aada\?secret=[A-Z2-7]{32}&/)
    secret = fromBase32(offered['secret'] ?? '')
    assert.equal((await post('/v1/account/totp/confirm', { totp: '000000' })).json['code'], 'TOTP_WRONG')
    const confirmed = await good('/v1/account/totp/confirm', { totp: totpAt(secret, step() - 1) })
    assert.equal(confirmed['account']?.['factors'], true)
    assert.equal((await post('/v1/step-up', { totp: totpAt(secret, step() - 1) })).json['code'], 'STEP_UP_REFUSED')
    used = step()
    assert.ok((await good('/v1/step-up', { totp: totpAt(secret, used) }))['stepUpUntil'])
  })

  it('a link then needs a code too, and stays good without one', async () => {
    const link = console.link('ada')
    const headers = { 'x-forwarded-for': '192.0.2.50' }
    const ask = (totp?: string) =>
      console.ask('/v1/session', { body: { link, ...(totp !== undefined && { totp }) }, headers })
    assert.equal((await ask()).json['code'], 'TOTP_NEEDED')
    assert.equal((await ask('123456')).json['code'], 'LOGIN_REFUSED')
    assert.equal((await ask(totpAt(secret, used))).json['code'], 'LOGIN_REFUSED', 'it was used')
    const inside = await ask(totpAt(secret, used + 1))
    assert.equal(inside.status, 200, inside.text)
    // With a factor, a login is a step-up.
    const { json } = await get('/v1/session', inside.json['token'] ?? '')
    assert.ok(json['stepUpUntil'])
  })

  const passkey = new SoftPasskey(`https://${CONSOLE_HOST}`, CONSOLE_HOST)
  it('a passkey is made, and logs in without a link', async () => {
    const options = await good('/v1/account/passkeys/options')
    assert.deepEqual(options['rp'], { id: CONSOLE_HOST, name: 'ghostport console, console.example' })
    const made = { id: options['id'], name: 'key ring', credential: passkey.register(options['challenge'] ?? '') }
    const { account } = await good('/v1/account/passkeys', made)
    assert.equal(account?.['passkeys']?.['length'], 1)
    assert.equal((await post('/v1/account/passkeys', made)).json['code'], 'PASSKEY_REFUSED', 'again')
    const headers = { 'x-forwarded-for': '192.0.2.51' }
    const asked = await console.ask('/v1/session/passkey/options', { body: {}, headers })
    const proof = { id: asked.json['id'], credential: passkey.use(asked.json['challenge'] ?? '') }
    const inside = await console.ask('/v1/session/passkey', { body: proof, headers })
    assert.equal(inside.status, 200, inside.text)
    const replayed = await console.ask('/v1/session/passkey', { body: proof, headers })
    assert.equal(replayed.json['code'], 'LOGIN_REFUSED')
    const again = await console.ask('/v1/session/passkey/options', { body: {}, headers })
    const stolen = new SoftPasskey('https://console.evil', CONSOLE_HOST)
    const other = { id: again.json['id'], credential: stolen.use(again.json['challenge'] ?? '') }
    assert.equal((await console.ask('/v1/session/passkey', { body: other, headers })).json['code'], 'LOGIN_REFUSED')
  })

  it('a user is added, seen, rotated, disabled, enabled and removed; keys are shown once', async () => {
    const added = await good('/v1/users', bob)
    assert.match(added['profile'] ?? '', /^ghostport:\/\/profile\/1\?/)
    assert.match(added['stanza'] ?? '', /KEY_BASE64/)
    assert.match(readFileSync(daemon.path('access.conf'), 'utf8'), /NAME\s+bob/)
    const again = await post('/v1/users', bob)
    assert.deepEqual([again.status, /USER_EXISTS/.test(again.text)], [409, true])
    await daemon.verdictAfter(() => knock(client, SERVER, '-A', 'tcp/22', '-a', '10.9.0.1'))
    const user = async (name: string) => {
      const { users } = (await get('/v1/users')).json as unknown as { users: Record<string, unknown>[] }
      return users.find((one) => one['name'] === name)
    }
    const alice = await user('alice')
    assert.deepEqual([alice?.['state'], alice?.['opens'], alice?.['source']], ['on', ['tcp/22'], 'ANY'])
    assert.equal(JSON.stringify(alice?.['lastKnock']).includes('10.9.0.1'), true)
    assert.ok(Date.parse(String((await user('bob'))?.['expires'])) > Date.now())
    assert.match((await good('/v1/users/rotate', { name: 'bob', server: 'h.example' }))['profile'] ?? '', /^ghostport:/)
    assert.deepEqual(await good('/v1/users/disable', { name: 'bob' }), { done: true, closed: 0 })
    assert.equal((await user('bob'))?.['state'], 'off')
    await good('/v1/users/enable', { name: 'bob' })
    const { closed } = await good('/v1/users/disable', { name: 'alice' })
    assert.equal(closed, 1)
    await good('/v1/users/enable', { name: 'alice' })
    await good('/v1/users/remove', { name: 'bob' })
    assert.equal(await user('bob'), undefined)
    assert.equal((await post('/v1/users/remove', { name: 'bob' })).status, 409)
  })

  it('an invitation is made, and taken back', async () => {
    const { link, until } = await good('/v1/invitations', {
      name: 'eve',
      open: 'tcp/22',
      server: 'h.example',
      for: '30m',
    })
    assert.match(link ?? '', /^ghostport:/)
    assert.ok(Date.parse(until ?? '') > Date.now())
    await good('/v1/invitations/cancel', { name: 'eve' })
  })

  it('the policy, the doctor and the audit log are there to be read', async () => {
    const policy = (await get('/v1/policy')).json as unknown as { stanzas: { stanza: string }[]; errors: unknown[] }
    assert.deepEqual([policy.stanzas.length, JSON.stringify(policy.errors)], [1, '[]'])
    const doctor = (await get('/v1/doctor')).json as unknown as { findings: { level: string; name: string }[] }
    assert.ok(
      doctor.findings.some(({ level }) => level === 'ok'),
      JSON.stringify(doctor).slice(0, 500),
    )
    const page = (await get('/v1/audit?limit=3')).json as unknown as {
      entries: { seq: number }[]
      next: number
      whole: boolean
    }
    assert.deepEqual([page.entries.length, page.whole], [3, true])
    const next = (await get(`/v1/audit?limit=3&before=${page.next}`)).json as unknown as typeof page
    assert.equal(next.entries[0]?.seq, (page.entries[2]?.seq ?? 0) - 1)
    const mine = must(readAudit(daemon.path('state/audit.log'))).filter(({ by }) => by.via === 'console')
    const told = [...new Set(mine.map(({ did, by }) => `${did} ${by.name} ${by.from}`))]
    for (const did of ['app for codes added', 'passkey added', 'step-up refused'])
      assert.ok(told.includes(`console: ${did} ada 192.0.2.7`), `${did}:\n${told.join('\n')}`)
    assert.ok(told.some((line) => line.startsWith('console: login by second factor ada ')))
    assert.deepEqual(told.filter((line) => !line.startsWith('console:')).slice(0, 3), [
      'user add ada 192.0.2.7',
      'user rotate ada 192.0.2.7',
      'user disable ada 192.0.2.7',
    ])
  })

  it('who is no administrator gets none of it', async () => {
    const otto = await console.loggedIn('otto', 'operator')
    for (const path of [
      '/v1/users',
      '/v1/users/rotate',
      '/v1/users/remove',
      '/v1/invitations',
      '/v1/invitations/cancel',
    ])
      assert.ok([400, 403].includes((await post(path, bob, otto)).status), path)
    assert.equal((await post('/v1/users', bob, otto)).json['code'], 'ROLE_TOO_LOW')
    assert.equal((await get('/v1/audit', otto)).json['code'], 'ROLE_TOO_LOW')
    assert.equal((await get('/v1/users', otto)).status, 200)
  })

  it('a lost factor: reset ends the sessions, and a new link logs in alone', async () => {
    assert.equal(console.run('account', 'reset', 'ada').status, 0)
    assert.equal((await get('/v1/session')).status, 401)
    token = await console.login('ada')
    assert.equal((await get('/v1/session')).json['account']?.['factors'], false)
    const headers = { 'x-forwarded-for': '192.0.2.52' }
    const asked = await console.ask('/v1/session/passkey/options', { body: {}, headers })
    const proof = { id: asked.json['id'], credential: passkey.use(asked.json['challenge'] ?? '') }
    assert.equal((await console.ask('/v1/session/passkey', { body: proof, headers })).json['code'], 'LOGIN_REFUSED')
  })
})
