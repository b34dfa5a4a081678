/**
 * One key holder tries to fill the whole firewall, and an owner tries to get in. Mallory asks for any address and any
 * port, thousands of times. The test is whether the owner's door opens.
 *
 *   client 10.9.0.2, fd09::2 ── 10.9.0.1, fd09::1 server: “ssh” on 22
 */
import assert from 'node:assert/strict'
import { randomBytes, randomInt } from 'node:crypto'
import { after, afterEach, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import {
  EncryptionKey,
  HmacKey,
  type IpAddress,
  type PacketKeys,
  parseAddress,
  parseUsername,
  port,
  sealPacket,
  unixSeconds,
} from '../../src/packet.ts'
import { Daemon, dropByDefault, knock, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { must } from '../support/results.ts'
import { openSender, type Sender } from '../support/sender.ts'

const skip = netnsUnavailable()
const PLACES = 201
/** `shareOfOneSource(PLACES)`. */
const SHARE = 64

const [encryption, hmac] = [randomBytes(32), randomBytes(64)]
const malloryKeys: PacketKeys = {
  encryption: { key: must(EncryptionKey.fromBytes(encryption)), mode: 'CBC' },
  hmac: { key: must(HmacKey.fromBytes(hmac)), type: 'sha256' },
}
const mallory = [
  'SOURCE ANY',
  'NAME mallory',
  `KEY_BASE64 ${encryption.toString('base64')}`,
  `HMAC_KEY_BASE64 ${hmac.toString('base64')}`,
  'MAX_FW_TIMEOUT 3600',
  'FW_ACCESS_TIMEOUT 3600',
  '',
]
const owner = stanza(['NAME owner'])

function sealed(source: IpAddress | 'packet-source', ports: readonly number[]): Uint8Array {
  const text = sealPacket(
    {
      kind: 'access',
      random: String(randomInt(1e8, 1e9)) + String(randomInt(1e6, 1e7)),
      username: must(parseUsername('mallory')),
      timestamp: unixSeconds(Math.floor(Date.now() / 1000)),
      source,
      ports: ports.map((number) => ({ protocol: 'tcp', port: port(number) })),
    },
    malloryKeys,
    { digestType: 'sha256', salt: randomBytes(8) },
  )
  return Buffer.from(must(text), 'latin1')
}

const families = [
  { family: 4, at: '10.9.0.1', own: '10.9.0.2', victim: (n: number) => `10.66.${n >> 8}.${n & 255}` },
  // Each in a network of its own.
  { family: 6, at: 'fd09::1', own: 'fd09::2', victim: (n: number) => `fd66:0:0:${(n + 1).toString(16)}::1` },
] as const

describe('a key holder who asks for everything', { skip }, () => {
  let net: Network
  let client: Host
  let server: Host
  let daemon: Daemon
  let sender: Sender

  before(async () => {
    net = await Network.create()
    client = await net.host('client')
    server = await net.host('server')
    await net.link(client, ['10.9.0.2/24', 'fd09::2/64'], server, ['10.9.0.1/24', 'fd09::1/64'])
    await server.listen([{ protocol: 'tcp', port: 22, banner: 'ssh' }])
    sender = await openSender(client)
  })
  afterEach(() => daemon.stop().catch(() => {}))
  after(async () => {
    await sender[Symbol.asyncDispose]()
    await net.close()
  })

  const started = async (): Promise<void> => {
    server.must(['nft', 'flush', 'ruleset'])
    dropByDefault(server)
    daemon = await Daemon.start(net, server, {
      server: [`MAX_GRANTS ${PLACES}`, 'LOG_LIMIT 1000000'],
      access: [...mallory, owner].join('\n'),
    })
  }
  const flood = async (at: string, packets: readonly Uint8Array[]): Promise<void> => {
    const from = daemon.events.length
    const verdicts = () => daemon.events.slice(from).filter(({ verdict }) => verdict !== undefined).length
    for (const [i, packet] of packets.entries()) {
      await sender.send(packet, at, 62_201)
      // Not faster than the server judges them: the line's capacity is not tested here.
      for (let tries = 0; i - verdicts() > 50 && tries < 1_000; tries++) await delay(5)
    }
    for (let tries = 0; verdicts() < packets.length && tries < 1_000; tries++) await delay(10)
    assert.equal(verdicts(), packets.length)
  }
  const codes = (): Set<string> => new Set(daemon.events.flatMap(({ code }) => (code === undefined ? [] : [code])))

  for (const { family, at, own, victim } of families) {
    test(`IPv${family}: fills the table, and the owner gets in: by the own address, and by another’s name`, async () => {
      await started()
      const everything = Array.from({ length: 100 }, (_, n) => sealed(must(parseAddress(victim(n))), [22, 25, 80]))
      await flood(at, everything)
      assert.ok(codes().has('FIREWALL_FULL'), 'it is full')
      assert.equal(daemon.status().grants.length, PLACES / 3)
      const from = daemon.events.length
      assert.equal((await daemon.verdictAfter(() => knock(client, at, '-s', '-A', 'tcp/22'))).verdict, 'granted')
      assert.equal(await client.tcp(at, 22), 'ssh')
      const ended = await daemon.until(({ event }) => event === 'grant ended', from)
      assert.deepEqual([ended['name'], ended['detail']], ['mallory', 'its place was needed for another grant'])
      const second = await daemon.verdictAfter(() => knock(client, at, '-a', victim(5_000), '-A', 'tcp/22'))
      assert.equal(second.verdict, 'granted')
      // More knocks do not help: the owner has less than a share.
      await flood(
        at,
        everything.map((_, n) => sealed(must(parseAddress(victim(1_000 + n))), [22, 25, 80])),
      )
      assert.deepEqual(
        daemon
          .status()
          .grants.filter(({ name }) => name === 'owner')
          .map((grant) => grant.for)
          .toSorted(),
        [own, victim(5_000)].toSorted(),
      )
    })

    test(`IPv${family}: fills the owner’s own share, and the owner gets in`, async () => {
      await started()
      const address = must(parseAddress(own))
      await flood(
        at,
        Array.from({ length: 100 }, (_, n) => sealed(address, [1_000 + 2 * n, 1_001 + 2 * n])),
      )
      assert.equal(daemon.status().grants.length, SHARE / 2, 'one address has a share, not the whole table')
      assert.equal((await daemon.verdictAfter(() => knock(client, at, '-s', '-A', 'tcp/22'))).verdict, 'granted')
      assert.equal(await client.tcp(at, 22), 'ssh')
    })
  }

  test('the same ports in every order, and twice, are one grant', async () => {
    await started()
    const address = must(parseAddress('10.66.0.1'))
    const orders = Array.from({ length: 300 }, (_, n) =>
      Array.from({ length: 9 }, (_, bit) => (((n >> bit) & 1) === 1 ? 22 : 25)).concat(22, 25),
    )
    await flood(
      '10.9.0.1',
      orders.map((ports) => sealed(address, ports)),
    )
    assert.equal(daemon.status().grants.length, 1)
    assert.ok(!codes().has('FIREWALL_FULL'))
  })

  test('after a kill, the next start tells what is open: a line for each of the first grants, and how many more', async () => {
    await started()
    await flood(
      '10.9.0.1',
      Array.from({ length: 24 }, (_, n) => sealed(must(parseAddress(`10.66.0.${n + 1}`)), [22])),
    )
    assert.equal((await daemon.verdictAfter(() => knock(client, '10.9.0.1', '-s', '-A', 'tcp/22'))).verdict, 'granted')
    await daemon.restart('SIGKILL')
    assert.equal(await client.tcp('10.9.0.1', 22), 'ssh')
    const found = daemon.events.filter(({ event }) => event === 'grant found')
    assert.equal(found.length, 20)
    const first = found.find(({ name }) => name === 'mallory')
    assert.deepEqual(
      [first?.['name'], first?.stanza, first?.['grant'], first?.['user'], typeof first?.['secondsLeft']],
      ['mallory', 1, 'tcp/22', 'mallory', 'number'],
    )
    const more = daemon.events.find(({ event }) => event === 'grants found')
    assert.deepEqual([more?.['grants'], more?.['notListed']], [25, 5])
    assert.ok(
      daemon.events.indexOf(found[0] as (typeof found)[number]) <
        daemon.events.findIndex(({ event }) => event === 'ready'),
    )
  })
})
