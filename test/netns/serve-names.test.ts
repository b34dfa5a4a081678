/**
 * Inner hosts that are requested by name: which queries leave the server because of a packet, which knocks wait, and
 * which process looks names up.
 *
 *   client 10.9.0.1, fd09::1 ── server 10.9.0.2, fd09::2 / 10.9.1.1, fd09:1::1 ── inner 10.9.1.2, fd09:1::2
 *
 * The server's resolver is a DNS server on its loopback, which counts queries.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { StanzaIndex } from '../../src/access/matching.ts'
import type { StanzaId } from '../../src/access/stanza.ts'
import { encodeText } from '../../src/bytes/text.ts'
import { parseAccessConf } from '../../src/config/access/parse-access-conf.ts'
import { filesFromSnapshot } from '../../src/config/reading/config-files.ts'
import type { Username } from '../../src/packet/message.ts'
import type { OutgoingMessage } from '../../src/packet/message-fields.ts'
import { sealPacket } from '../../src/packet/seal.ts'
import { parsePrivileges } from '../../src/system/privilege.ts'
import { port, unixSeconds } from '../../src/units.ts'
import { Daemon, type DaemonSettings, dropByDefault, type LogEvent, stanza, type TestKeys } from '../support/daemon.ts'
import { askingLoopback, DnsServer } from '../support/dns-server.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { openSender, type Sender } from '../support/sender.ts'
import { symmetricKeys } from '../support/symmetric-keys.ts'

const SERVER = '10.9.0.2'
const SERVER6 = 'fd09::2'
const PORT = 62_201
/** The privilege that the unit of packaging/ leaves to root. */
const AS_THE_UNIT = ['net_admin', 'net_raw', 'net_bind_service', 'setuid', 'setgid', 'setpcap', 'kill']
const INSIDE = [
  ...askingLoopback,
  ...['setpriv', `--bounding-set=-all,${AS_THE_UNIT.map((name) => `+${name}`).join()}`, '--no-new-privs', '--'],
]
const NAT = ['ENABLE_IPT_FORWARDING Y', 'LOG_LIMIT 1000']
/** The first id of ghostport's own is the receiver's. */
const LOOKUP_UID = 60_901

const keysOf = (id: number): TestKeys => ({ key: `encryption ${id}`, hmac: `authentication ${id}` })
/** Stanza 1 belongs to the attacker K1; stanza 2 to the owner. The others deny. */
const STANZAS: readonly (readonly string[])[] = [
  [],
  ['FW_ACCESS_TIMEOUT 10'],
  ['OPEN_PORTS tcp/80'],
  ['REQUIRE_USERNAME ada'],
  ['ACCESS_EXPIRE 12/31/2020'],
  ['NAT_TARGETS 10.9.1.0/24:80'],
  ['NAT_TARGETS 10.9.2.0/24:22'],
  ['SOURCE 10.9.3.0/24'],
]
const ACCESS = STANZAS.map((lines, i) => {
  const [source, ...rest] = lines[0]?.startsWith('SOURCE ') ? lines : ['SOURCE ANY', ...lines]
  return stanza(rest, keysOf(i + 1)).replace('SOURCE ANY', source ?? '')
}).join('\n')

function stanzasOf(accessConf: string): StanzaIndex {
  const files = filesFromSnapshot({ texts: { '/access.conf': accessConf }, folders: {}, failures: {} })
  const parsed = parseAccessConf('/access.conf', files)
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.failure.detail)
  return new StanzaIndex(parsed.value.stanzas)
}
const index = stanzasOf(ACCESS)
const now = (): number => Math.floor(Date.now() / 1000)
let sealed = 0

/** A packet of a stanza, for a forward to port 22 of an inner host by its name. */
function byName(id: number, name: string, change: Partial<OutgoingMessage> = {}): Uint8Array {
  const made = index.byId(id as StanzaId)
  assert.ok(made)
  const message = {
    ...{ kind: 'natAccess', random: String(++sealed).padStart(16, '0'), username: 'k' as Username },
    ...{ timestamp: unixSeconds(now()), source: 'packet-source' },
    ports: [{ protocol: 'tcp', port: port(443) }],
    target: { host: { name }, port: port(22) },
    ...change,
  } as OutgoingMessage
  const salt = new Uint8Array(8)
  new DataView(salt.buffer).setUint32(4, sealed)
  const text = sealPacket(message, symmetricKeys(made), { digestType: 'sha256', salt })
  assert.ok(text.ok, JSON.stringify(text))
  return encodeText(text.value)
}
const plain = (id: number): Uint8Array =>
  byName(id, 'x', { kind: 'access', ports: [{ protocol: 'tcp', port: port(22) }] } as Partial<OutgoingMessage>)

describe('ghostport serve: inner hosts by name', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let sender: Sender
  let dns: DnsServer
  let running: Daemon | undefined

  before(async () => {
    net = await Network.create()
    const inner = await net.host('inner')
    ;[client, server] = [await net.host('client'), await net.host('server')]
    await net.link(client, ['10.9.0.1/24', 'fd09::1/64'], server, [`${SERVER}/24`, `${SERVER6}/64`])
    await net.link(server, ['10.9.1.1/24', 'fd09:1::1/64'], inner, ['10.9.1.2/24', 'fd09:1::2/64'])
    inner.must(['ip', 'route', 'add', 'default', 'via', '10.9.1.1'])
    inner.must(['ip', '-6', 'route', 'add', 'default', 'via', 'fd09:1::1'])
    server.sysctl({ 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 })
    dropByDefault(server)
    await inner.listen([{ protocol: 'tcp', port: 22, banner: 'inner' }])
    await server.listen([{ protocol: 'tcp', port: 22, banner: 'ssh' }])
    sender = await openSender(client)
    dns = await DnsServer.start(server, {
      ...{ 'inner.example': '10.9.1.2', 'inner6.example': 'fd09:1::2' },
      ...{ 'loopback.example': '127.0.0.1', 'server.example': '10.9.1.1', 'elsewhere.example': '10.9.1.2' },
    })
  })
  afterEach(() => running?.program.stop('SIGKILL'))
  after(async () => {
    await sender?.[Symbol.asyncDispose]()
    await net?.close()
  })

  async function start(settings: Partial<DaemonSettings> = {}): Promise<Daemon> {
    running = await Daemon.start(net, server, { server: NAT, access: ACCESS, inside: INSIDE, ...settings })
    return running
  }
  const send = (packet: Uint8Array, address = SERVER): Promise<void> => sender.send(packet, address, PORT)
  const verdictOf = (daemon: Daemon, packet: Uint8Array, address = SERVER): Promise<LogEvent> =>
    daemon.verdictAfter(() => send(packet, address))
  /** Latency of a packet of stanza 2, while knocks of others are judged. */
  async function ownersVerdict(daemon: Daemon, packet: Uint8Array): Promise<LogEvent> {
    const from = daemon.events.length
    await send(packet)
    return await daemon.until(({ verdict, stanza: by }) => verdict !== undefined && by === 2, from)
  }
  /**
   * The names asked for while `act` ran. One more name, asked for at its end, shows that all earlier ones have arrived.
   */
  async function asksOf(daemon: Daemon, act: () => Promise<unknown>): Promise<readonly string[]> {
    const from = dns.queries.length
    await act()
    const last = `last-${from}.example`
    assert.equal((await verdictOf(daemon, byName(2, last))).code, 'ACCESS_NAT_TARGET_INVALID')
    const queries = dns.queries.slice(from)
    assert.deepEqual(queries.slice(-1), [`A ${last}`])
    return queries.slice(0, -1)
  }
  /** Processes that the warden has started for names. */
  function lookups(daemon: Daemon): readonly number[] {
    const children = readFileSync(`/proc/${daemon.pid}/task/${daemon.pid}/children`, 'utf8').trim().split(' ')
    return children.filter((pid) => pid !== '' && commandOf(pid).startsWith('getent')).map(Number)
  }
  function commandOf(pid: string | number): string {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8')
    } catch {
      return ''
    }
  }
  /** Waits until a look-up runs. */
  async function lookup(daemon: Daemon): Promise<number> {
    let pid: number | undefined
    await until(() => {
      pid = lookups(daemon)[0]
      return pid !== undefined
    }, `a look-up runs\n${daemon.program.output}`)
    return pid as unknown as number
  }
  async function until(holds: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + 20_000
    for (; !holds(); await delay(5)) assert.ok(performance.now() < deadline, `never: ${what}`)
  }
  async function gone(pid: number): Promise<void> {
    for (let i = 0; i < 100 && runs(pid); i++) await delay(10)
    assert.ok(!runs(pid))
  }
  /** A look-up whose parent was killed waits as a zombie for its new parent. */
  function runs(pid: number): boolean {
    try {
      return !/^State:\s*[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
    } catch {
      return false
    }
  }

  it('are looked up in the family of the client, once for several knocks', async () => {
    const daemon = await start()
    const queries = await asksOf(daemon, async () => {
      for (let i = 0; i < 3; i++) assert.equal((await verdictOf(daemon, byName(2, 'inner.example'))).verdict, 'granted')
      assert.equal((await verdictOf(daemon, byName(2, 'inner6.example'), SERVER6)).verdict, 'granted')
    })
    assert.deepEqual(queries, ['A inner.example', 'AAAA inner6.example'])
    for (const address of [SERVER, SERVER6]) await client.until('inner', { protocol: 'tcp', address, port: 443 })
  })

  it('a packet that is stale, early, used, or denied for whatever reason, asks nobody anything', async () => {
    const daemon = await start()
    const used = byName(2, 'inner.example')
    assert.equal((await verdictOf(daemon, used)).verdict, 'granted')
    const cases: [packet: Uint8Array, code: string][] = [
      [byName(1, 'stale.example', { timestamp: unixSeconds(now() - 180) }), 'SPA_STALE'],
      [byName(1, 'early.example', { timestamp: unixSeconds(now() + 180) }), 'SPA_FROM_FUTURE'],
      [used, 'SPA_REPLAYED'],
      [byName(3, 'port.example'), 'ACCESS_PORT_DENIED'],
      [byName(4, 'user.example'), 'ACCESS_USERNAME_DENIED'],
      [byName(5, 'expired.example'), 'ACCESS_EXPIRED'],
      [byName(6, 'target-port.example'), 'ACCESS_NAT_TARGET_DENIED'],
      [byName(8, 'source.example'), 'SPA_HMAC_MISMATCH'],
    ]
    const queries = await asksOf(daemon, async () => {
      for (const [packet, code] of cases) assert.equal((await verdictOf(daemon, packet)).code, code)
      // The receiver no longer knows this copy.
      await daemon.restart()
      assert.equal((await verdictOf(daemon, used)).code, 'SPA_REPLAYED')
    })
    assert.deepEqual(queries, [])
    daemon.configure({ access: ACCESS })
    await daemon.restart()
    const off = dns.queries.length
    assert.equal((await verdictOf(daemon, byName(2, 'off.example'))).code, 'ACCESS_NAT_DISABLED')
    await delay(300)
    assert.equal(dns.queries.length, off)
  })

  it('what a DNS server answers is judged as if the packet had named the address', async () => {
    const daemon = await start()
    for (const [id, name, code, detail] of [
      [2, 'loopback.example', 'ACCESS_NAT_TARGET_INVALID', /127\.0\.0\.1 is this host itself/],
      [2, 'server.example', 'ACCESS_NAT_TARGET_INVALID', /10\.9\.1\.1 is this host itself/],
      [2, 'inner6.example', 'ACCESS_NAT_TARGET_INVALID', /“inner6\.example” cannot be resolved: .*no IPv4 address/],
      [2, 'nowhere.example', 'ACCESS_NAT_TARGET_INVALID', /cannot be resolved: .*no IPv4 address/],
      [7, 'elsewhere.example', 'ACCESS_NAT_TARGET_DENIED', /10\.9\.1\.2:22 is not in NAT_TARGETS/],
    ] as const) {
      const ports = [{ protocol: 'tcp', port: port(444) }] as const
      const verdict = await verdictOf(daemon, byName(id, name, { ports }))
      assert.equal(verdict.code, code, name)
      assert.match(String(verdict['detail']), detail)
    }
    assert.equal(await client.tcp(SERVER, 444), 'timeout')
  })

  it('a resolver that never answers holds up nobody else, and is waited for some seconds', async () => {
    const daemon = await start()
    const from = daemon.events.length
    await send(byName(1, 'silent.example'))
    await lookup(daemon)
    for (const packet of [plain(2), byName(2, 'inner.example')])
      assert.equal((await ownersVerdict(daemon, packet)).verdict, 'granted')
    assert.ok(!daemon.events.slice(from).some(({ stanza: by }) => by === 1), daemon.program.output)
    const vain = await daemon.until(({ stanza: by }) => by === 1, from)
    assert.equal(vain.code, 'ACCESS_NAT_TARGET_INVALID')
    assert.match(String(vain['detail']), /“silent\.example” cannot be resolved/)
  })

  it('five hundred names of one key do not keep the owner of another waiting', async () => {
    const daemon = await start()
    const before = dns.queries.length
    const judged = (): number => daemon.events.filter(({ stanza: by }) => by === 1).length
    for (let i = 0; i < 500; i++) {
      await send(byName(1, `silent-${i}.example`))
      // The socket must not lose any: all but the eight that may wait for names are refused at once.
      if (i % 50 === 49) await until(() => judged() >= i + 1 - 8, `${i + 1} knocks are judged`)
    }
    await lookup(daemon)
    assert.ok(lookups(daemon).length <= 2, `${lookups(daemon).length} look-ups, and places for the owner`)
    const owner = await ownersVerdict(daemon, byName(2, 'inner.example'))
    assert.equal(owner.verdict, 'granted', JSON.stringify(owner))
    assert.ok(lookups(daemon).length <= 3, `${lookups(daemon).length} look-ups`)
    await daemon.until(({ detail }) => /it waited 5000 ms/.test(String(detail)))
    const counts = (daemon.status()['counters'] as { refused: Record<string, number> }).refused
    assert.ok((counts['NAME_NOT_LOOKED_UP'] ?? 0) >= 484, JSON.stringify(counts))
    const names = new Set(dns.queries.slice(before))
    assert.ok(names.size <= 16, `${names.size} names`)
    // Knocks of the other key are still being refused.
    assert.equal((await ownersVerdict(daemon, byName(2, 'inner.example'))).verdict, 'granted')
  })

  it('what looks a name up is nobody, alone, and holds nothing', async () => {
    const daemon = await start()
    await send(byName(1, 'silent.example'))
    const pid = await lookup(daemon)
    const { uid, gid, groups, ...rest } = parsePrivileges(readFileSync(`/proc/${pid}/status`, 'utf8'))
    assert.deepEqual([uid, gid, groups], [LOOKUP_UID, LOOKUP_UID, []])
    assert.deepEqual(rest, {
      ...{ permitted: 0n, effective: 0n, inheritable: 0n, ambient: 0n, bounding: 0n },
      noNewPrivileges: true,
    })
    const session = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[3]
    assert.equal(session, String(pid))
    const look = () => readdirSync(`/proc/${pid}/fd`).map((fd) => [fd, readlinkSync(`/proc/${pid}/fd/${fd}`)])
    // While it loads a library, it holds that file.
    for (let tries = 0; tries < 100 && look().some(([, what]) => /\.so(\.|$)|ld\.so/.test(String(what))); tries++)
      await delay(5)
    const held = look()
    assert.match(readFileSync(`/proc/${pid}/limits`, 'latin1'), /^Max processes +0 +0 /m)
    const [input, output, errors, ...more] = held.map(([, what]) => what)
    assert.deepEqual([input, errors], ['/dev/null', '/dev/null'])
    assert.match(String(output), /^(pipe|socket):/)
    // Its own socket to the DNS server, and no file.
    assert.ok(more.length <= 1 && more.every((what) => what?.startsWith('socket:')), JSON.stringify(held))
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean).sort()
    assert.deepEqual(environment, ['LC_ALL=C', 'PATH=/usr/bin:/bin', 'RES_OPTIONS=timeout:1 attempts:2'])
    // It may not even end the receiver.
    const receiver = (daemon.status() as unknown as { receiver: number }).receiver
    const become = ['setpriv', `--reuid=${LOOKUP_UID}`, `--regid=${LOOKUP_UID}`, '--clear-groups']
    assert.notEqual(server.run([...become, 'sh', '-c', `kill -9 ${receiver}`]).status, 0)
  })

  for (const signal of ['SIGTERM', 'SIGKILL'] as const)
    it(`no look-up outlives a server that is ended with ${signal}`, async () => {
      const daemon = await start()
      for (const name of ['silent-1.example', 'silent-2.example']) await send(byName(1, name))
      await lookup(daemon)
      await until(() => lookups(daemon).length === 2, 'two look-ups run')
      const pids = lookups(daemon)
      await daemon.stop(signal)
      // Without that, each would end 2 s after its begin.
      for (const pid of pids) await gone(pid)
      if (signal === 'SIGTERM')
        assert.equal(daemon.events.filter(({ code }) => code === 'NAME_NOT_LOOKED_UP').length, 2)
    })

  it('a reload ends look-ups, and judges what waits by the new configuration', async () => {
    const daemon = await start()
    const from = daemon.events.length
    await send(byName(1, 'silent.example'))
    const pid = await lookup(daemon)
    daemon.configure({ server: NAT, access: stanza([], keysOf(2)) })
    daemon.reload()
    const refused = await daemon.until(({ verdict }) => verdict !== undefined, from)
    assert.equal(refused.code, 'ACCESS_NO_STANZA')
    await gone(pid)
    const from2 = daemon.events.length
    await send(byName(2, 'silent.example'))
    await lookup(daemon)
    daemon.configure({ server: NAT, access: `${stanza(['OPEN_PORTS tcp/80'], keysOf(1))}\n${stanza([], keysOf(2))}` })
    daemon.reload()
    await daemon.until(({ event }) => event === 'reload', from2)
    const vain = await daemon.until(({ verdict }) => verdict !== undefined, from2)
    assert.deepEqual([vain.code, vain.stanza], ['ACCESS_NAT_TARGET_INVALID', 2])
  })
})
