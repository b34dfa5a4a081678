/**
 * The console under attack: other sites, other names, stolen and ended tokens, guesses, texts that packets bring.
 *
 *   client 10.9.0.1 ── server 10.9.0.2, which drops by default: ssh on tcp/22; the console on a Unix socket
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Answer, type Asked, ConsoleProcess, serverForConsole } from '../support/console.ts'
import { clientAndServer, type Daemon, knock, SERVER } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'

/** The wire format forbids quotes, angle brackets and control characters in names; this is what remains. */
const HOSTILE = "@SUM(1)'onerror&lt{{7-7}}"

describe('the console under attack', { skip: netnsUnavailable(), concurrency: 1 }, () => {
  let net: Network
  let client: Host
  let daemon: Daemon
  let console: ConsoleProcess
  let token = ''

  before(async () => {
    net = await Network.create()
    const [visitor, server] = await clientAndServer(net)
    client = visitor
    const asked = await serverForConsole(net, server)
    daemon = asked.daemon
    console = new ConsoleProcess(net, server, asked.socket)
    await console.start()
    token = await console.loggedIn('ada', 'administrator')
  })
  after(async () => {
    await console?.stop()
    await daemon?.stop()
    await net?.close()
  })

  const ask = (path: string, asked: Asked = {}): Promise<Answer> => console.ask(path, asked)

  it('another name, another site, another page: nothing is answered', async () => {
    const refused: readonly (readonly [number, Readonly<Record<string, string>>])[] = [
      [421, { host: 'evil.example' }],
      [421, { host: '127.0.0.1' }],
      [421, { host: 'console.example.evil.example' }],
      [403, { origin: 'https://evil.example' }],
      [403, { origin: 'null' }],
      [403, { origin: 'http://console.example' }],
    ]
    for (const [status, headers] of refused) {
      assert.equal((await ask('/v1/users', { token, headers })).status, status, JSON.stringify(headers))
      assert.equal((await ask('/v1/revoke', { token, headers, body: { word: 'alice' } })).status, status)
    }
    const form = await ask('/v1/revoke', {
      token,
      body: 'word=alice',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    })
    assert.equal(form.status, 415)
    const good = await ask('/v1/users', { token })
    assert.equal(good.headers['access-control-allow-origin'], undefined)
    assert.equal(good.headers['x-content-type-options'], 'nosniff')
    assert.match(String(good.headers['content-security-policy']), /^default-src 'none'/)
  })

  it('no token, a token elsewhere, a token of another kind', async () => {
    const other = console.run('metrics-token').stdout.trim()
    assert.match(other, /^[\w-]{43}$/)
    assert.ok(!readFileSync(join(console.folder, 'state/metrics-token.json'), 'utf8').includes(other))
    for (const headers of [
      {},
      { cookie: `token=${token}` },
      { authorization: token },
      { authorization: `Basic ${token}` },
      { authorization: `Bearer ${'A'.repeat(43)}` },
      { authorization: `Bearer ${other}` },
      { authorization: `Bearer ${token}x` },
    ])
      for (const path of ['/v1/session', '/v1/stream', '/v1/history', '/v1/history/export', '/v1/users', '/v1/audit'])
        assert.equal((await ask(path, { headers })).status, 401, `${path} ${JSON.stringify(headers)}`)
    assert.equal((await ask('/v1/users?token=x', { token })).status, 400)
    assert.equal((await ask('/metrics', { token })).json['code'], 'METRICS_REFUSED')
    const metrics = await ask('/metrics', { token: other })
    assert.match(metrics.text, /^ghostport_build_info\{version="[^"]+"\} 1$/m)
    const next = console.run('metrics-token', '--file', join(console.folder, 'token'))
    assert.equal(next.status, 0, next.stderr)
    assert.equal((await ask('/metrics', { token: other })).status, 401)
    const written = readFileSync(join(console.folder, 'token'), 'utf8').trim()
    assert.equal((await ask('/metrics', { token: written })).status, 200)
  })

  it('guesses are limited by source, and cost another source nothing', async () => {
    const headers = { 'x-forwarded-for': '198.51.100.9' }
    const began = performance.now()
    const guess = (link: string) => ask('/v1/session', { body: { link }, headers })
    const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => guess(`${i}`.padStart(22, 'A'))))
    assert.ok(performance.now() - began > 250)
    assert.equal(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size, 1)
    const link = console.link('ada')
    const limited = await guess(link)
    assert.equal(limited.text, answers[0]?.text, 'also the right one')
    assert.equal((await ask('/v1/session', { body: { link } })).status, 200, 'it was not spent')
  })

  it('a stream ends at logout at once, and an account has at most eight', async () => {
    const mine = await console.login('ada')
    const streams = []
    for (let i = 0; i < 8; i++) streams.push(await console.stream(mine))
    const ninth = await console.stream(mine)
    assert.equal(ninth.status, 429)
    ninth.close()
    const began = performance.now()
    assert.equal((await ask('/v1/session/end', { token: mine, body: {} })).status, 200)
    for (const stream of streams) await stream.ended(3_000)
    assert.ok(performance.now() - began < 3_000)
    assert.equal((await ask('/v1/stream', { token: mine })).status, 401)
  })

  it('what packets bring stays text, in each answer and each file', async () => {
    const stream = await console.stream(token)
    await stream.until(({ event }) => event === 'hello')
    await daemon.verdictAfter(() => knock(client, SERVER, '-A', 'tcp/22', '-a', '10.9.0.1', '--spoof-user', HOSTILE))
    const told = await stream.until(({ event, data }) => event === 'events' && JSON.stringify(data).includes('onerror'))
    const [event] = (told.data['events'] as unknown as { user?: string }[]).filter(({ user }) => user !== undefined)
    assert.equal(event?.user, HOSTILE)
    stream.close()
    const history = await ask('/v1/history?verdict=granted&q=ONERROR', { token })
    assert.equal((history.json['events'] as unknown as { user: string }[])[0]?.user, HOSTILE)
    const csv = await ask('/v1/history/export?format=csv&q=onerror', { token })
    assert.match(csv.text, /,'@SUM\(1\)'onerror&lt/)
    const lines = await ask('/v1/history/export?format=jsonl&q=onerror', { token })
    const users = await ask('/v1/users', { token })
    for (const { headers } of [history, csv, lines, users]) {
      assert.equal(headers['x-content-type-options'], 'nosniff')
      assert.match(String(headers['content-type']), /^(application\/json|text\/csv|application\/x-ndjson)/)
    }
  })

  it('bodies that are too long, or not what they should be', async () => {
    for (const [status, body] of [
      [413, { word: 'a'.repeat(20_000) }],
      [400, { word: 'alice', by: { name: 'mallory' } }],
      [400, '{"word":"alice","word":1}'],
      [400, '[]'],
      [400, ''],
    ] as const)
      assert.equal((await ask('/v1/revoke', { token, body })).status, status, JSON.stringify(body).slice(0, 80))
    for (const path of ['/v1/nothing', '/v1/users/', '/v1//users', '/v1/users%2f'])
      assert.equal((await ask(path, { token })).status, 404, path)
  })
})
