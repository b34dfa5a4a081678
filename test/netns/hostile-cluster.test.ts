/**
 * What a cluster process can do that an attacker controls: refuse, and have a packet used that another node has used.
 * The server, its receiver, firewall and control socket are real. The cluster processes are those of the test, as
 * systemd would start them.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Daemon, dropByDefault, ghostportCommand, type LogEvent, sendPacket, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { type ReceiverService, receiverService } from '../support/receiver-service.ts'

const [SERVER, CLIENT] = ['10.9.1.2', '10.9.1.1'] as const
const PROGRAM = fileURLToPath(new URL('../support/hostile-cluster.ts', import.meta.url))
/** As the unit of the helpers does: the first line says which program. */
const AS_HELPER = 'exec <&3 >&3 3<&-; read -r name; exec "$@" 3<&0 </dev/null >/dev/null'
const SHARED = { key: 'of the cluster', hmac: 'one more' } as const
const OWN = { key: 'of this node', hmac: 'another' } as const
/** In MB: garbage that Node.js has not collected yet. Without bounds it is many times as much. */
const MOST_GROWTH = 150

const said = (value: unknown): string => JSON.stringify(value)
const unreadable = (n: number) => ({ kind: 'grant', id: `g${n}`, sealed: Buffer.alloc(60, n).toString('base64') })
const changes = said({ type: 'changes', changes: Array.from({ length: 100 }, (_, n) => unreadable(n)) })
const unasked = said({ type: 'answers', answers: Array.from({ length: 200 }, (_, n) => ({ id: n + 1, first: 'yes' })) })

/** The process of each start, and why it is ended. */
const HOSTILE = [
  {
    what: 'tells without end that etcd is well, and is not, and reads nothing',
    words: ['--deaf', '--says', said({ type: 'health', why: 'a' }), '--says', said({ type: 'health', took: 1 })],
    times: 1_000_000,
    ended: /sends more than an honest process/,
  },
  {
    what: 'answers what nobody asked, and tells of records that nobody can open',
    words: ['--says', unasked, '--says', changes, '--says', said({ type: 'written', number: 7 })],
    times: 1_000_000,
    ended: /too many records that cannot be opened/,
  },
  { what: 'sends a line without an end', words: ['--says', 'x'.repeat(100_000)], times: 1, ended: /a line of / },
] as const

describe('a cluster process in a stranger’s hands', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let daemon: Daemon
  let service: ReceiverService | undefined

  before(async () => {
    net = await Network.create()
    client = await net.host('client')
    const server = await net.host('server')
    await net.link(client, [`${CLIENT}/24`], server, [`${SERVER}/24`])
    dropByDefault(server)
    await server.listen([{ protocol: 'tcp', port: 22, banner: 'ssh' }])
    const folder = net.directory()
    const [helpers, secret] = [join(folder, 'helpers.sock'), join(folder, 'secret')]
    writeFileSync(secret, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 })
    service = receiverService(helpers, (n) => {
      const { words, times } = HOSTILE[n] ?? { words: ['--first'], times: 0 }
      const program = [process.execPath, '--conditions=ghostport-source', PROGRAM, ...words, '--times', `${times}`]
      return ['sh', '-c', AS_HELPER, 'helper', ...program]
    })
    daemon = await Daemon.start(net, server, {
      access: stanza(['FW_ACCESS_TIMEOUT 2'], SHARED) + stanza(['FW_ACCESS_TIMEOUT 2', 'CLUSTER_REQUIRED N'], OWN),
      server: ['CLUSTER etcd://10.9.1.3:2379/front', 'CLUSTER_NODE node-1', `CLUSTER_SECRET_FILE ${secret}`],
      argv: ['--helper-socket', helpers],
    })
  })
  after(async () => {
    service?.close()
    await net?.close()
  })

  function packet({ key, hmac }: typeof SHARED | typeof OWN): string {
    const words = ['--no-rc-file', '-D', SERVER, '-a', CLIENT, '-A', 'tcp/22', '--test', '--verbose']
    const secrets = ['--key-rijndael', key, '--key-hmac', hmac]
    const text = /[A-Za-z0-9+/]{140,}/.exec(client.must(ghostportCommand('knock', ...words, ...secrets)))?.[0]
    assert.ok(text)
    return text
  }
  async function outcome(text: string): Promise<LogEvent> {
    return await daemon.verdictAfter(() => sendPacket(client, SERVER, text))
  }
  /** Resident memory of the warden, in MB: now, or the most so far. */
  function memory(which: 'VmRSS' | 'VmHWM'): number {
    const kilobytes = new RegExp(`^${which}:\\s+([0-9]+) kB$`, 'm').exec(
      readFileSync(`/proc/${daemon.pid}/status`, 'utf8'),
    )?.[1]
    return Number(kilobytes) / 1024
  }

  it('is ended, whatever it says, while the server opens what needs no cluster, and nothing else', async (t) => {
    const before = memory('VmRSS')
    let lost = 0
    for (const { what, ended } of HOSTILE) {
      assert.equal((await outcome(packet(OWN))).verdict, 'granted', what)
      const { detail } = await daemon.until(({ event }) => event === 'cluster lost', lost, 60_000)
      assert.match(`${detail}`, ended, what)
      lost = daemon.events.findIndex(({ event }, at) => at >= lost && event === 'cluster lost') + 1
    }
    const about = daemon.events.filter(({ event }) => event.startsWith('cluster '))
    assert.ok(about.length < 100, `${about.length} lines of the log`)
    assert.ok(daemon.status().grants.every(({ stanza }) => stanza === 2))
    const grown = memory('VmHWM') - before
    t.diagnostic(`${Math.round(grown)} MB more at most, ${about.length} lines of the log`)
    assert.ok(grown < MOST_GROWTH, `${grown} MB more`)
  })

  it('that says “first” to all opens a packet once, and no copy of it', async () => {
    await daemon.until(({ event }) => event === 'cluster usable', daemon.events.length - 1, 60_000)
    const first = (): number =>
      (daemon.status() as { readonly cluster?: { readonly first: number } }).cluster?.first ?? 0
    const [text, before] = [packet(SHARED), first()]
    assert.equal((await outcome(text)).verdict, 'granted')
    assert.equal((await outcome(text)).code, 'SPA_REPLAYED')
    assert.equal(first() - before, 1)
  })
})
