/**
 * The console's socket, with a real server: what a console may do, and what one in a stranger's hands gets.
 *
 *   client 10.9.0.1 ── server 10.9.0.2, which drops by default: ssh on tcp/22
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, afterEach, before, test } from 'node:test'
import type { AuditEntry } from '../../src/audit-log/entry.ts'
import { readAudit, verifyAudit } from '../../src/audit-log/verify.ts'
import { askConsoleSocket, NOBODY, serverForConsole } from '../support/console.ts'
import { clientAndServer, type Daemon, keys, knock, SERVER, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { must } from '../support/results.ts'

const skip = netnsUnavailable()
const ADA = { name: 'ada', from: '192.0.2.7' }

let net: Network
let client: Host
let server: Host
let daemon: Daemon
let socket = ''

before(async () => {
  if (skip) return
  net = await Network.create()
  ;[client, server] = await clientAndServer(net)
})
after(() => net?.close())
afterEach(async () => {
  if (!skip) await daemon.stop()
})

async function start(...lines: readonly string[]): Promise<void> {
  ;({ daemon, socket } = await serverForConsole(net, server, lines))
}

const ask = (lines: readonly (string | object)[], uid?: number): readonly unknown[] =>
  askConsoleSocket(server, socket, lines, uid)

/** The value of the one answer. */
function askOne(request: object): Record<string, unknown> {
  const [answer] = ask([request]) as { done: boolean; value: Record<string, unknown> }[]
  assert.equal(answer?.done, true, JSON.stringify(answer))
  return answer.value
}

function refusal(request: object): string {
  const [answer] = ask([request]) as { done: boolean; code: string; detail: string }[]
  assert.equal(answer?.done, false, JSON.stringify(answer))
  return `${answer.code} ${answer.detail}`
}

const audit = (): readonly AuditEntry[] => must(readAudit(daemon.path('state/audit.log')))
const access = (): string => readFileSync(daemon.path('access.conf'), 'utf8')
const enter = (): Promise<unknown> => daemon.verdictAfter(() => knock(client, SERVER, '-A', 'tcp/22', '-a', '10.9.0.1'))

test('it looks, extends, revokes, and changes users; each change is in the audit log with who asked', {
  skip,
}, async () => {
  await start()
  await enter()
  const { grants } = askOne({ ask: 'status' }) as { grants: { id: string; secondsLeft: number }[] }
  const tag = grants[0]?.id ?? ''
  assert.deepEqual(askOne({ ask: 'extend', grant: tag, seconds: 120, by: ADA }), { grant: tag, seconds: 120 })
  const longer = askOne({ ask: 'status' })['grants'] as { secondsLeft: number }[]
  assert.ok((longer[0]?.secondsLeft ?? 0) > 100)
  assert.match(refusal({ ask: 'extend', grant: tag, seconds: 121, by: ADA }), /^CONSOLE_REFUSED .*at most 120 s/)

  assert.equal((askOne({ ask: 'revoke', word: tag, by: ADA })['revoked'] as unknown[]).length, 1)
  assert.equal(await client.tcp(SERVER, 22), 'timeout')
  assert.match(refusal({ ask: 'extend', grant: tag, seconds: 10, by: ADA }), /^REVOKE_UNKNOWN/)

  const added = askOne({ ask: 'user add', name: 'bob', open: 'tcp/22', server: 'h.example', by: ADA, expire: '30d' })
  assert.ok(JSON.stringify(added).includes('bob'))
  assert.match(access(), /NAME\s+bob/)
  assert.match(refusal({ ask: 'user add', name: 'bob', open: 'tcp/22', server: 'h.example', by: ADA }), /USER_EXISTS/)
  askOne({ ask: 'user rotate', name: 'bob', server: 'h.example', by: ADA })
  askOne({ ask: 'user disable', name: 'bob', by: ADA })
  askOne({ ask: 'user enable', name: 'bob', by: ADA })
  assert.match(
    String(askOne({ ask: 'invite', name: 'eve', open: 'tcp/22', server: 'h.example', by: ADA })['link']),
    /^ghostport:/,
  )
  askOne({ ask: 'user remove', name: 'bob', by: ADA })
  assert.deepEqual(askOne({ ask: 'reload', by: ADA }), { taken: true, stanzas: 2 })
  assert.doesNotMatch(access(), /NAME\s+bob/)

  const mine = audit().filter(({ by }) => by.name === 'ada')
  assert.deepEqual(
    mine.map(({ did, to }) => `${did} ${to ?? ''}`.trim().replace(/ for 10.9.0.1, alice$/, '')),
    [
      ...[`extend ${tag}`, `revoke ${tag}`, 'user add bob', 'user rotate bob', 'user disable bob', 'user enable bob'],
      ...['invite eve', 'user remove bob', 'reload'],
    ],
  )
  assert.ok(mine.every(({ by }) => by.via === 'console' && by.from === '192.0.2.7'))
  assert.deepEqual(must(verifyAudit(daemon.path('state/audit.log'))).findings, [])
})

test('what accounts do at the console is recorded; floods of it leave their number', { skip }, async () => {
  await start()
  const deed = (did: string, more: object = {}): object => ({ ask: 'account', did, ...more })
  askOne(deed('login by link', ADA))
  const refused = Array.from({ length: 30 }, () => deed('login refused', { from: '192.0.2.8' }))
  assert.equal(ask(refused).length, 30)
  askOne(deed('passkey added', { ...ADA, missing: 4 }))
  assert.deepEqual(
    audit().map(({ did, by, note }) => [did, by.name, by.from, note]),
    [
      ['console: login by link', 'ada', '192.0.2.7', undefined],
      ...Array.from({ length: 20 }, () => ['console: login refused', undefined, '192.0.2.8', undefined]),
      ['console: passkey added', 'ada', '192.0.2.7', '14 more before it have no line'],
    ],
  )
  assert.equal(audit()[0]?.by.via, 'console')
})

test('the stream of events goes on from where the asker was', { skip }, async () => {
  await start()
  const first = askOne({ ask: 'events', after: 0 }) as { events: { event: string; number: number }[]; next: number }
  assert.ok(first.events.some(({ event }) => event === 'ready'))
  await enter()
  knock(client, SERVER, '-A', 'tcp/23', '-a', '10.9.0.1')
  await daemon.until(({ code }) => code === 'ACCESS_PORT_DENIED')
  const second = askOne({ ask: 'events', after: first.next }) as { events: Record<string, unknown>[]; lost: number }
  assert.deepEqual(
    second.events.flatMap(({ verdict, code }) => (verdict === undefined ? [] : [code ?? verdict])),
    ['granted', 'ACCESS_PORT_DENIED'],
  )
  assert.equal(second.lost, 0)
  assert.equal(second.events[0]?.['number'], first.next + 1)
})

test('nobody but its user may ask, not even root', { skip }, async () => {
  await start()
  for (const uid of [0, 1, NOBODY - 1]) assert.deepEqual(ask([{ ask: 'status' }], uid), ['closed'])
  assert.equal((ask([{ ask: 'status' }]) as { done: boolean }[])[0]?.done, true)
  await daemon.until(({ event, text }) => event === 'console' && String(text).startsWith('user 1 may not ask'))
})

const good = { ask: 'user add', name: 'mallory', open: 'tcp/22', server: 'h.example', by: ADA }
const hostile: readonly (string | object)[] = [
  'no JSON',
  '[]',
  'null',
  '{"ask":"__proto__"}',
  { ask: 'status', more: 1 },
  { ask: 'shutdown' },
  { ask: 'events', after: -1 },
  { ask: 'events', after: '0' },
  { ask: 'revoke', word: 'alice' },
  { ask: 'revoke', word: '--socket', by: ADA },
  { ask: 'revoke', word: 'alice', by: { name: 'a b' } },
  { ask: 'account', did: 'reboot', ...ADA },
  { ask: 'account', did: 'login refused', name: 'a b' },
  { ask: 'extend', grant: 'g:1', seconds: 10, by: ADA },
  { ask: 'extend', grant: 'g:00000000', seconds: 86_401, by: ADA },
  { ask: 'extend', grant: 'g:00000000', seconds: 1.5, by: ADA },
  { ask: 'user disable', name: '--config-file', by: ADA },
  { ask: 'user disable', name: '../../etc/passwd', by: ADA },
  { ...good, name: 'a\nENABLE_CMD_EXEC Y' },
  { ...good, open: 'tcp/22\nENABLE_CMD_EXEC Y' },
  { ...good, open: '--nat-targets' },
  { ...good, source: 'ANY;KEY x' },
  { ...good, server: '--profile-file=/etc/cron.d/x' },
  { ...good, 'nat-targets': '10.0.0.1:22' },
  { ...good, 'profile-file': '/etc/cron.d/x' },
  { ...good, expire: '1d --nat x' },
  { ...good, by: { ...ADA, from: 'x\u001b[2J' } },
  { ask: 'invite', name: 'x', open: 'tcp/22', server: 'h', file: '/etc/x', by: ADA },
  `{"ask":"revoke","word":"${'a'.repeat(5000)}","by":{"name":"ada"}}`,
  'x'.repeat(100_000),
]

test('a console in a stranger’s hands: what is no request ends the connection, and changes nothing', {
  skip,
}, async () => {
  await start()
  const before = access()
  for (const line of hostile) assert.deepEqual(ask([line]), ['closed'], JSON.stringify(line).slice(0, 100))
  // Valid, and refused by the code that an administrator meets too.
  assert.match(refusal({ ...good, open: 'tcp/99999' }), /^CONSOLE_REFUSED/)
  assert.match(refusal({ ...good, source: '10.0.0.0/99' }), /^CONSOLE_REFUSED/)
  assert.match(refusal({ ask: 'user remove', name: 'alice', by: ADA }), /only user/)
  assert.equal(access(), before)
  assert.deepEqual(audit(), [])
})

test('one that floods: each is answered, and knocks are judged as ever', { skip }, async () => {
  await start()
  assert.equal(ask(Array.from({ length: 300 }, () => ({ ask: 'status' }))).length, 300)
  await enter()
  assert.equal(await client.tcp(SERVER, 22), 'ssh')
})

test('CONSOLE_RIGHTS: what is not there is refused, and recorded', { skip }, async () => {
  await start('CONSOLE_RIGHTS revoke')
  await enter()
  const [grant] = askOne({ ask: 'status' })['grants'] as { id: string }[]
  const requests = [good, { ask: 'extend', grant: grant?.id, seconds: 9, by: ADA }, { ask: 'reload', by: ADA }]
  for (const request of requests) assert.match(refusal(request), /^CONSOLE_REFUSED CONSOLE_RIGHTS does not have/)
  assert.equal((askOne({ ask: 'revoke', word: 'alice', by: ADA })['revoked'] as unknown[]).length, 1)
  assert.deepEqual(
    audit().map(({ did }) => did),
    ['user add: refused', 'extend: refused', 'reload: refused', 'revoke'],
  )
  assert.doesNotMatch(access(), /mallory/)
})

test('a stanza that was disabled or narrowed meanwhile: its grant is not extended', { skip }, async () => {
  await start()
  await enter()
  const [grant] = askOne({ ask: 'status' })['grants'] as { id: string }[]
  daemon.configure({
    server: ['CONSOLE_USER nobody', `CONSOLE_SOCKET ${socket}`],
    access: stanza(['NAME alice', 'OPEN_PORTS tcp/23']),
  })
  askOne({ ask: 'reload', by: ADA })
  assert.match(refusal({ ask: 'extend', grant: grant?.id, seconds: 9, by: ADA }), /does not allow these ports any more/)
})

test('a server that was killed starts again where its socket was left', { skip }, async () => {
  await start()
  await daemon.restart('SIGKILL')
  assert.equal((ask([{ ask: 'status' }]) as { done: boolean }[])[0]?.done, true)
})

test('what it may look at is looked at once for all who ask, and shows no key', { skip }, async () => {
  await start()
  const all = ask([{ ask: 'users' }, { ask: 'users' }, { ask: 'policy' }, { ask: 'doctor' }, { ask: 'audit' }]) as {
    done: boolean
    value: object
  }[]
  assert.deepEqual(
    all.map(({ done }) => done),
    [true, true, true, true, true],
    JSON.stringify(all.filter(({ done }) => !done)),
  )
  assert.deepEqual(all[0], all[1])
  const text = JSON.stringify(all)
  assert.ok(text.includes('alice'))
  for (const key of [keys.key, keys.hmac])
    assert.ok(!text.includes(key) && !text.includes(Buffer.from(key).toString('base64')))
  assert.deepEqual(audit(), [])
})
