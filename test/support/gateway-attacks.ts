/**
 * Attacks on the real gateway, a process of its own in a namespace of its own, and a knock through it meanwhile.
 *
 *   client 10.9.1.1 ──────── 10.9.1.2 gateway 10.9.0.1 ── 10.9.0.2 server, which drops by default: ssh on tcp/22
 *          10.9.2.1 ───────────────────────────────────── 10.9.2.2
 *   attacker 10.9.5.1 to .5 ─ 10.9.5.254 gateway
 */
import assert from 'node:assert/strict'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Daemon, dropByDefault, eventsIn, ghostportCommand, keys, stanza } from './daemon.ts'
import { type Host, Network, netnsUnavailable, type Program } from './netns.ts'

const PROGRAM = fileURLToPath(new URL('./gateway-attacker.ts', import.meta.url))
const PASSWORD = 'correct horse battery'
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const base64url = (text: string): string => Buffer.from(text).toString('base64url')
const CONNECTIONS = 128

interface Result {
  readonly connected: number
  readonly refused: number
  readonly closed: number
  readonly sent: number
  readonly statuses: Readonly<Record<string, number>>
  readonly seen: unknown
  /** In seconds, at most: it goes on until the knock meanwhile is done. */
  readonly lasted: number
}

/** @param seconds that each attack goes on. */
export function describeAttacks(seconds: number): void {
  describe(`attacks on a gateway, for ${seconds} s each`, { skip: netnsUnavailable(), concurrency: 1 }, () => {
    let net: Network
    let client: Host
    let attacker: Host
    let gate: Host
    let gateway: Program
    let folder: string
    const sources = Array.from({ length: 5 }, (_, i) => `10.9.5.${i + 1}`)
    const conf = (): string => join(folder, 'gateway.conf')

    before(async () => {
      net = await Network.create()
      client = await net.host('client')
      attacker = await net.host('attacker')
      gate = await net.host('gateway')
      const server = await net.host('server')
      await net.link(client, ['10.9.1.1/24'], gate, ['10.9.1.2/24'])
      await net.link(gate, ['10.9.0.1/24'], server, ['10.9.0.2/24'])
      await net.link(client, ['10.9.2.1/24'], server, ['10.9.2.2/24'])
      await net.link(
        attacker,
        sources.map((it) => `${it}/24`),
        gate,
        ['10.9.5.254/24'],
      )
      folder = net.directory()
      chmodSync(folder, 0o755)
      const lines = [
        'LISTEN https://0.0.0.0:443',
        'HOST gate.example, 10.9.1.2',
        'TARGET office 10.9.0.2',
        `STATE_FOLDER ${join(folder, 'state')}`,
        'USER nobody',
        'RECEIPT_WAIT 4000',
        `CONNECTIONS ${CONNECTIONS}`,
        // Many sources can use up what a target may get; docs/THREAT-MODEL.md says so.
        'KNOCKS_PER_TARGET 2000',
        'FORMS Y',
      ]
      writeFileSync(conf(), `${lines.join('\n')}\n`)
      gateway = gate.start(ghostportCommand('gateway', '--config', conf()))
      await gateway.says(/"event":"ready"/)
      const fingerprint = eventsIn(gateway.output).find(({ event }) => event === 'ready')?.['fingerprint']
      const rc = [
        `KEY_BASE64 ${base64(keys.key)}`,
        `HMAC_KEY_BASE64 ${base64(keys.hmac)}`,
        ...['SPA_SERVER 10.9.2.2', 'SPA_SERVER_PROTO https', 'GATEWAY https://10.9.1.2', 'GATEWAY_TARGET office'],
        ...[`GATEWAY_FINGERPRINT ${fingerprint}`, 'ACCESS tcp/22', 'ALLOW_IP 10.9.2.1'],
      ]
      writeFileSync(join(folder, 'rc'), `${['[office]', ...rc].join('\n')}\n`, { mode: 0o600 })
      dropByDefault(server)
      await Daemon.start(net, server, {
        server: ['GATEWAY_ADDRESSES 10.9.0.1', 'GATEWAY_RECEIPTS Y'],
        access: stanza(['OPEN_PORTS tcp/22', 'FW_ACCESS_TIMEOUT 4']),
      })
    })
    after(() => net?.close())

    /** A knock that is answered each time, and by a receipt that comes in time at one of three. */
    function knockMeanwhile(): void {
      const answers: string[] = []
      while (answers.length < 3) {
        const sent = client.run(ghostportCommand('knock', 'office', '--rc-file', join(folder, 'rc'), '--json'))
        assert.equal(sent.status, 0, sent.stdout + sent.stderr)
        if (JSON.parse(sent.stdout).receipt?.verdict === 'open') return
        answers.push(sent.stdout)
      }
      assert.fail(`no receipt said “open”:\n${answers.join('')}`)
    }

    const memory = (): number =>
      Number(/VmRSS:\s+([0-9]+)/.exec(readFileSync(`/proc/${gateway.pid}/status`, 'utf8'))?.[1]) / 1024

    async function under(kind: string, from = sources): Promise<Result> {
      const enough = join(net.directory(), 'enough')
      const argv = ['--conditions=ghostport-source', PROGRAM, kind, '10.9.5.254', String(seconds), from.join(), enough]
      const program = attacker.start([process.execPath, ...argv])
      const began = performance.now()
      await program.says(/begun/)
      knockMeanwhile()
      writeFileSync(enough, '')
      assert.equal(await program.end(seconds * 1_000 + 60_000), 0, program.output)
      const result = program.output.trim().split('\n').at(-1) ?? ''
      assert.match(result, /^\{/, program.output)
      assert.doesNotMatch(gateway.output, /"event":"fault"/)
      return { ...JSON.parse(result), lasted: Math.ceil((performance.now() - began) / 1000) }
    }

    it('slow requests: they take no place that others need, and end', async (test) => {
      const { connected, refused, closed, sent } = await under('slow')
      test.diagnostic(JSON.stringify({ connected, refused, closed, sent }))
      assert.ok(sent > 50 && connected >= CONNECTIONS, `${connected} connections, ${sent} bytes`)
      assert.ok(refused > 0, 'one source may have so many, and no more')
      // Those over the total made room, and with more time all are cut off.
      assert.ok(closed >= connected - CONNECTIONS, `${closed} of ${connected}`)
    })

    it('huge bodies: they are not read', async (test) => {
      const before = memory()
      const { sent, connected, statuses } = await under('bodies')
      test.diagnostic(JSON.stringify({ sent, connected, statuses, before, after: memory() }))
      assert.ok((statuses['413'] ?? 0) > 0 && (statuses['411'] ?? 0) > 0, JSON.stringify(statuses))
      assert.equal(statuses['202'], undefined)
      const first = memory()
      // What the collector has not taken back yet. The unit lets the gateway have 768 MB.
      assert.ok(first < before + 250, `${before} MB, then ${first} MB`)
      // And it is no leak: the same again takes no more.
      if (seconds < 10) return
      await under('bodies')
      assert.ok(memory() < first + 50, `${first} MB, then ${memory()} MB`)
    })

    it('floods of connections and of knocks from one network: it gets its share, and others theirs', async (test) => {
      const { sent, statuses, connected, lasted } = await under('floods', sources.slice(0, 1))
      test.diagnostic(JSON.stringify({ sent, statuses, connected }))
      assert.ok((statuses['429'] ?? 0) > 0, JSON.stringify(statuses))
      assert.ok((statuses['202'] ?? 0) <= 40 + lasted, JSON.stringify(statuses))
    })

    it('floods from many sources: the total is bounded, and the oldest of the greatest makes room', async (test) => {
      const { sent, statuses, connected, lasted } = await under('floods')
      test.diagnostic(JSON.stringify({ sent, statuses, connected, memory: memory() }))
      assert.ok((statuses['202'] ?? 0) <= (40 + lasted) * sources.length, JSON.stringify(statuses))
    })

    it('header tricks: none is taken for a knock', async () => {
      const { seen } = await under('headers', sources.slice(2, 3))
      for (const [what, status] of Object.entries(seen as Record<string, string>))
        assert.match(status, /^(?:4[0-9]{2}|505|closed)$/, what)
      assert.equal(Object.keys(seen as object).length, 22)
    })

    it('forged forwarding headers: the visitor stays who it is, and uses up its own share', async () => {
      const { seen, statuses } = await under('forwarded', sources.slice(3, 4))
      for (const text of seen as readonly string[]) assert.equal(text, '{"address":"10.9.5.4"}')
      assert.ok((statuses['429'] ?? 0) > 0, JSON.stringify(statuses))
      knockMeanwhile()
    })

    it('pages of other sites, and names that were led here: refused', async () => {
      const { seen } = await under('browsers', sources.slice(4, 5))
      assert.deepEqual(seen, {
        origin: '403',
        'an origin that begins alike': '403',
        'no origin, cross-site': '403',
        'an opaque origin': '403',
        'a form': '415',
        preflight: '403',
        'another name': '421',
        'an address': '421',
        localhost: '421',
      })
    })

    it('a cookie after logout, and after a restart, opens nothing', async () => {
      const profile = `ghostport://profile/1?name=ada-form&server=10.9.2.2&open=tcp/22&key=${base64url(keys.key)}&hmac=${base64url(keys.hmac)}&made=1764150000`
      writeFileSync(join(folder, 'profile'), `${profile}\n`, { mode: 0o600 })
      const words = ['user', 'add', 'ada', '--profile', join(folder, 'profile'), '--target', 'office', '--stdin']
      const added = gate.run(ghostportCommand('gateway', '--config', conf(), ...words), { input: `${PASSWORD}\n` })
      assert.equal(added.status, 0, added.stderr)
      const codes = added.stdout.match(/^ {2}[a-z2-7]{4}(?:-[a-z2-7]{4}){3}$/gm)?.map((it) => it.trim()) ?? []
      const jar = (name: string): string => join(folder, `${name}.jar`)
      const curl = (name: string, ...argv: readonly string[]): string =>
        client.must([
          ...['curl', '-sk', '--resolve', 'gate.example:443:10.9.1.2', '-b', jar(name), '-c', jar(name)],
          ...argv,
        ])
      const token = (page: string): string => /name="token" value="([^"]+)"/.exec(page)?.[1] ?? assert.fail(page)
      const FORM = 'https://gate.example/form'
      const login = (name: string, code: string): string => {
        const fields = ['-d', `token=${token(curl(name, FORM))}`, '-d', 'name=ada']
        curl(name, ...fields, '--data-urlencode', `password=${PASSWORD}`, '-d', `code=${code}`, `${FORM}/login`)
        return curl(name, FORM)
      }
      const page = login('one', codes[0] ?? '')
      assert.match(page, /Hello, ada/)
      const stolen = readFileSync(jar('one'))
      writeFileSync(jar('thief'), stolen)
      assert.match(curl('thief', FORM), /Hello, ada/, 'a cookie that is stolen is as good as the session')
      curl('one', '-d', `token=${token(page)}`, `${FORM}/logout`)
      for (const name of ['one', 'thief']) {
        writeFileSync(jar(name), stolen)
        assert.match(curl(name, FORM), /Log in to knock/)
        assert.match(curl(name, '-d', `token=${token(page)}`, `${FORM}/knock`), /You are not logged in/)
      }
      knockMeanwhile()
      // A session ends with the gateway.
      assert.match(login('two', codes[1] ?? ''), /Hello, ada/)
      await gateway.stop()
      gateway = gate.start(ghostportCommand('gateway', '--config', conf()))
      await gateway.says(/"event":"ready"/)
      assert.match(curl('two', FORM), /Log in to knock/)
      knockMeanwhile()
    })
  })
}
