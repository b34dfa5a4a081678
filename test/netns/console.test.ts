/**
 * `ghostport console` with a real server: who gets in, what each role may do, and what a page is told.
 *
 *   client 10.9.0.1 ── server 10.9.0.2, which drops by default: ssh on tcp/22; the console on a Unix socket
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { readAudit } from '../../src/audit-log/verify.ts'
import { type Answer, ConsoleProcess, type StreamMessage, serverForConsole } from '../support/console.ts'
import { clientAndServer, type Daemon, knock, SERVER } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { must } from '../support/results.ts'

describe('the console', { skip: netnsUnavailable(), concurrency: 1 }, () => {
  let net: Network
  let client: Host
  let server: Host
  let daemon: Daemon
  let console: ConsoleProcess

  before(async () => {
    net = await Network.create()
    ;[client, server] = await clientAndServer(net)
    const asked = await serverForConsole(net, server)
    daemon = asked.daemon
    console = new ConsoleProcess(net, server, asked.socket, [`SERVER_SETTINGS ${daemon.path('fwknopd.conf')}`])
    await console.start()
  })
  after(async () => {
    await console?.stop()
    await daemon?.stop()
    await net?.close()
  })

  const enter = () => daemon.verdictAfter(() => knock(client, SERVER, '-A', 'tcp/22', '-a', '10.9.0.1'))
  const audit = () => must(readAudit(daemon.path('state/audit.log')))

  it('has no privilege, and no file of its own that others can read', () => {
    const { pid } = console.program
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    assert.match(status, /^Uid:\t65534\t65534\t65534\t65534$/m)
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      assert.match(status, new RegExp(`^${set}:\\t0000000000000000$`, 'm'))
    assert.match(status, /^NoNewPrivs:\t1$/m)
    const modes = server.must(['find', join(console.folder, 'state'), '-printf', '%m %y\n'])
    assert.ok(
      modes
        .trim()
        .split('\n')
        .every((line) => /^(700 d|600 f)$/.test(line)),
      modes,
    )
  })

  it('a link logs in once; each failure looks alike', async () => {
    assert.match(console.run('login', 'nobody-here').stderr, /there is no account/)
    assert.match(console.run('account', 'add', 'a b', '--role', 'viewer').stderr, /other characters/)
    assert.match(console.run('account', 'add', 'vera', '--role', 'vewer').stderr, /is no role — perhaps: --role viewer/)
    assert.equal(console.run('account', 'add', 'vera', '--role', 'viewer').status, 0)
    assert.match(console.run('account', 'add', 'vera', '--role', 'viewer').stderr, /already an account/)
    const link = console.link('vera')
    const stored = readFileSync(join(console.folder, 'state/accounts.json'), 'utf8')
    assert.ok(!stored.includes(link))
    const first = await console.ask('/v1/session', { body: { link } })
    assert.equal(first.status, 200)
    assert.deepEqual(first.json['account'], { name: 'vera', role: 'viewer', totp: false, passkeys: [], factors: false })
    assert.equal(first.headers['set-cookie'], undefined)
    assert.equal(first.headers['cache-control'], 'no-store')
    const again = await console.ask('/v1/session', { body: { link } })
    const unknown = await console.ask('/v1/session', { body: { link: 'A'.repeat(22) } })
    assert.equal(again.status, 401)
    assert.deepEqual([again.text, again.headers], [unknown.text, unknown.headers])
    const { token } = first.json
    const session = await console.ask('/v1/session', { token })
    assert.equal(session.status, 200)
    assert.ok(Date.parse(session.json['endsAt'] ?? '') > Date.now() + 29 * 60_000)
    assert.equal(session.json['stepUpUntil'], null)
    assert.equal((await console.ask('/v1/session/end', { token, body: {} })).status, 200)
    assert.equal((await console.ask('/v1/session', { token })).json['code'], 'SESSION_ENDED')
  })

  it('a link that ended is none, and at most five are open', async () => {
    const first = console.link('vera')
    for (let i = 0; i < 5; i++) console.link('vera')
    assert.equal((await console.ask('/v1/session', { body: { link: first } })).status, 401)
  })

  it('the page is told of grants and verdicts as they come', async () => {
    const token = await console.login('vera')
    const stream = await console.stream(token)
    assert.equal(stream.headers['content-type'], 'text/event-stream')
    assert.equal(stream.headers['x-accel-buffering'], 'no')
    const hello = await stream.until(({ event }) => event === 'hello')
    assert.deepEqual(hello.data['grants'], [])
    await stream.until(
      ({ event, data }) => (event === 'hello' || event === 'server') && /"up"/.test(JSON.stringify(data)),
    )
    await enter()
    const grants = await stream.until(({ event }) => event === 'grants')
    const [grant] = grants.data['added'] as unknown as Record<string, unknown>[]
    assert.deepEqual(
      { ...grant, id: '', since: '', until: '' },
      {
        id: '',
        source: '10.9.0.1',
        opens: ['tcp/22'],
        name: 'alice',
        user: 'root',
        since: '',
        until: '',
        kind: 'local',
        extendable: true,
      },
    )
    const events = await stream.until(
      ({ event, data }) => event === 'events' && /"verdict":"granted"/.test(JSON.stringify(data)),
    )
    assert.match(JSON.stringify(events.data), /"user":"root"/)
    assert.equal(
      (await console.ask('/v1/grants/revoke', { token, body: { grant: grant?.['id'] } })).json['code'],
      'ROLE_TOO_LOW',
    )
    stream.close()
  })

  it('an operator extends and revokes, and the server records who did', async () => {
    const token = await console.loggedIn('otto', 'operator')
    const stream = await console.stream(token)
    const hello = await stream.until(({ event }) => event === 'hello')
    const [grant] = hello.data['grants'] as unknown as { id: string; until: string }[]
    const id = grant?.id ?? ''
    const extended = await console.ask('/v1/grants/extend', { token, body: { grant: id, seconds: 120 } })
    assert.deepEqual(extended.json, { done: true, grant: id, seconds: 120 })
    const changed = await stream.until(
      ({ event, data }) => event === 'grants' && JSON.stringify(data).includes('"changed":[{'),
    )
    assert.match(JSON.stringify(changed.data), new RegExp(id))
    const tooLong = await console.ask('/v1/grants/extend', { token, body: { grant: id, seconds: 121 } })
    assert.equal(tooLong.status, 409)
    assert.match(tooLong.json['detail'] ?? '', /at most 120 s/)
    const revoked = await console.ask('/v1/grants/revoke', { token, body: { grant: id } })
    assert.equal(revoked.status, 200)
    await stream.until(
      ({ event, data }) => event === 'grants' && JSON.stringify(data['removed']) === JSON.stringify([id]),
    )
    assert.equal(await client.tcp(SERVER, 22), 'timeout')
    assert.equal((await console.ask('/v1/grants/revoke', { token, body: { grant: id } })).status, 404)
    assert.equal((await console.ask('/v1/reload', { token, body: {} })).json['code'], 'ROLE_TOO_LOW')
    const lines = audit()
    assert.deepEqual(
      lines.flatMap(({ did, to, by }) => (by.via === 'command' ? [`${did} ${to}`] : [])),
      [
        ...['console account add vera', ...Array.from({ length: 8 }, () => 'console login vera')],
        ...['console account add otto', 'console login otto'],
      ],
    )
    const deeds = lines.filter(({ by }) => by.via === 'console')
    const told = deeds.map(({ did, by }) => `${did} ${by.name ?? '-'} ${by.from}`)
    assert.ok(told.includes('console: login refused - 192.0.2.7'), told.join('\n'))
    assert.ok(told.some((line) => /^console: login by link vera 192\.0\.2\./.test(line)))
    assert.ok(told.some((line) => /^console: login by link otto 192\.0\.2\./.test(line)))
    assert.deepEqual(
      deeds.flatMap(({ did, by }) => (did.startsWith('console:') ? [] : [[did, by.via, by.name, by.from]])),
      [
        ['extend', 'console', 'otto', '192.0.2.7'],
        ['revoke', 'console', 'otto', '192.0.2.7'],
        // Of what is not open any more.
        ['revoke', 'console', 'otto', '192.0.2.7'],
      ],
    )
    stream.close()
  })

  it('what the server would end the connection for is refused before', async () => {
    const token = await console.login('otto')
    for (const word of ['--socket', 'a b', 'x;y', '', 'ä'])
      assert.equal((await console.ask('/v1/revoke', { token, body: { word } })).status, 400, word)
    for (const body of [{}, { grant: 1 }, { grant: 'g:0', more: 1 }, [], 'null', '{"grant":'])
      assert.equal((await console.ask('/v1/grants/revoke', { token, body })).status, 400, JSON.stringify(body))
    assert.equal((await console.ask('/v1/grants/revoke', { token, body: { grant: 'alice' } })).status, 400)
  })

  it('an administrator reloads', async () => {
    const token = await console.loggedIn('ada', 'administrator')
    const reloaded = await console.ask('/v1/reload', { token, body: {} })
    assert.deepEqual(reloaded.json, { inForce: true, problems: [] })
  })

  it('an account that changes loses its sessions, and its stream ends', async () => {
    const token = await console.login('otto')
    const stream = await console.stream(token)
    await stream.until(({ event }) => event === 'hello')
    assert.equal(console.run('account', 'role', 'otto', '--role', 'viewer').status, 0)
    assert.equal((await console.ask('/v1/session', { token })).status, 401)
    await stream.ended(20_000)
    const other = await console.login('otto')
    assert.equal((await console.ask('/v1/session', { token: other })).json['account']?.['role'], 'viewer')
    assert.equal(console.run('account', 'remove', 'otto').status, 0)
    assert.equal((await console.ask('/v1/session', { token: other })).status, 401)
    assert.match(console.run('account', 'list').stdout, /^ada {2}administrator {2}has no second factor$/m)
  })

  it('what was is kept: paged, summed, exported, and there after the console was killed', async () => {
    knock(client, SERVER, '-A', 'tcp/23', '-a', '10.9.0.1')
    await daemon.until(({ code }) => code === 'ACCESS_PORT_DENIED')
    await enter()
    const token = await console.login('ada')
    const ask = async (path: string) => await console.ask(path, { token })
    const found = async (): Promise<Answer> => {
      for (let tries = 0; tries < 100; tries++) {
        const page = await ask('/v1/history?verdict=granted&user=alice&limit=1')
        if ((page.json['events'] as unknown as unknown[]).length === 1) return page
      }
      assert.fail('no such event')
    }
    const { json } = await found()
    const [event] = json['events'] as unknown as { id: number; for: string }[]
    assert.equal(event?.for, '10.9.0.1')
    const refusals = await ask('/v1/refusals?step=3600')
    assert.deepEqual(refusals.json['codes'], [{ code: 'ACCESS_PORT_DENIED', count: 1 }])
    const csv = await ask('/v1/history/export?format=csv&verdict=refused')
    assert.match(
      csv.text,
      /^id,at,level,event,verdict,code,[^\r]*\r\n\d+,20[^\r]*,refused,ACCESS_PORT_DENIED,[^\r]*\r\n$/,
    )
    assert.match(csv.headers['content-disposition'] ?? '', /^attachment/)
    for (const path of ['/v1/history?limit=501', '/v1/history?before=x', '/v1/history/export?format=exe'])
      assert.equal((await ask(path)).status, 400)
    await console.stop('SIGKILL')
    await console.start()
    const again = await console.login('ada')
    assert.equal((await console.ask('/v1/session', { token })).status, 401)
    const page = await console.ask('/v1/history?verdict=granted&user=alice&limit=1', { token: again })
    assert.deepEqual((page.json['events'] as unknown as { id: number }[])[0]?.id, event?.id)
  })

  it('a server that starts again is told, and its events are there', async () => {
    const token = await console.login('ada')
    const stream = await console.stream(token)
    const hello = await stream.until(({ event }) => event === 'hello')
    await daemon.restart()
    const isUpAgain = ({ event, data }: StreamMessage): boolean =>
      event === 'server' && data['state'] === 'up' && data['since'] !== hello.data['server']?.['since']
    await stream.until(isUpAgain)
    await stream.until(({ event, data }) => event === 'events' && /the server started again/.test(JSON.stringify(data)))
    await stream.until(({ event, data }) => event === 'events' && /"event":"ready"/.test(JSON.stringify(data)))
    stream.close()
  })

  it('without a server, it says so', async () => {
    const other = new ConsoleProcess(net, server, join(console.folder, 'no.sock'))
    await other.start()
    const token = await other.loggedIn('ada', 'administrator')
    const stream = await other.stream(token)
    const hello = await stream.until(({ event }) => event === 'hello')
    assert.equal(hello.data['server']?.['state'], 'away')
    const away = await other.ask('/v1/revoke', { token, body: { word: 'alice' } })
    assert.deepEqual([away.status, away.json['code']], [503, 'SERVER_AWAY'])
    stream.close()
    await other.stop()
  })
})
