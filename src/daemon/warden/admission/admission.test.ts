import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { StanzaIndex } from '../../../access/matching.ts'
import { ManualClock } from '../../../clock.ts'
import { noCommands } from '../../../commands/commands.ts'
import { parseAccessConf } from '../../../config/access/parse-access-conf.ts'
import { filesFromSnapshot } from '../../../config/reading/config-files.ts'
import type { Firewall } from '../../../firewall/firewall.ts'
import { createMemoryFirewall } from '../../../firewall/memory.ts'
import { MemoryLog } from '../../../log.ts'
import type { IpAddress } from '../../../packet/address.ts'
import { memoryReplayStore } from '../../../replay/memory.ts'
import { ok, refuse } from '../../../result.ts'
import { milliseconds, seconds, unixSeconds } from '../../../units.ts'
import { type Knock, parseKnock } from '../../link/knock.ts'
import type { ToReceiver } from '../../link/protocol.ts'
import type { ClusterClaim } from '../cluster-process/cluster.ts'
import { Journal } from '../journal.ts'
import type { ReceiverNumber } from '../receiver-health.ts'
import type { Candidate } from '../under-way.ts'
import { Admission, type AdmissionParts, type Terms } from './admission.ts'
import type { NameAnswer } from './name-lookups.ts'

const NOW = unixSeconds(1_800_000_000)

function terms(access: string, change: Partial<Terms['policy']['nat']> = {}): Terms {
  const files = filesFromSnapshot({ texts: { 'access.conf': access }, folders: {}, failures: {} })
  const parsed = parseAccessConf('access.conf', files)
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.failure.detail)
  const { stanzas } = parsed.value
  const nat = { forward: true, local: false, translation: 'none', resolveNames: true, ...change } as const
  const policy = { stanzas, maxAge: seconds(120), refuseReplays: true, http: 'off', nat } as const
  return { policy, index: new StanzaIndex(stanzas) }
}

let digests = 0
function knock(change: object = {}): Knock {
  const digest = (): string => Buffer.alloc(32, ++digests).toString('base64').replace('=', '')
  const parsed = parseKnock({
    openedBy: 1,
    digest: digest(),
    fwknopDigest: digest(),
    message: {
      ...{ kind: 'access', random: '1234567890123456', username: 'ada', timestamp: NOW, version: '3.0.0' },
      ...{ source: 'packet-source', ports: [{ protocol: 'tcp', port: 22 }] },
      ...change,
    },
    packet: { source: '192.0.2.1', sourcePort: 4321, destinationPort: 62201 },
  })
  assert.ok(parsed.ok)
  return parsed.value
}

/** A knock for an inner host by its name. */
const named = (name = 'inner.example') => {
  const ports = [{ protocol: 'tcp', port: 2222 }]
  return knock({ kind: 'natAccess', ports, target: { host: { name }, port: 22 } })
}

const FIRST = 1 as ReceiverNumber

function admission(firewall: Firewall = createMemoryFirewall(), share?: number, change: Partial<AdmissionParts> = {}) {
  /** Look-ups that have begun. */
  const asked: { name: string; answer: (answer: NameAnswer) => void; ended: boolean }[] = []
  const inForce: { terms?: Terms } = {}

  const replays = memoryReplayStore({ maxAge: seconds(120), ...(share !== undefined && { share }) })
  const log = new MemoryLog()
  const messages: ToReceiver[] = []
  const forbidden: ReceiverNumber[] = []
  const wall = () => new Date(0)
  const journal = new Journal(log, 10, { wall, monotonic: () => milliseconds(0) })
  const made = new Admission({
    ...{ clock: new ManualClock(NOW), firewall, replays, journal, log, commands: noCommands },
    ...{ ownAddresses: () => new Set(), current: () => inForce.terms ?? open },
    doubt: () => undefined,
    resolve: ({ name }, signal) =>
      new Promise((answer) => {
        const lookup = { name, answer, ended: false }
        asked.push(lookup)
        signal.addEventListener('abort', () => {
          lookup.ended = true
          answer({ why: 'ended' })
        })
      }),
    send: (message) => messages.push(message),
    onForbidden: (_, from) => forbidden.push(from),
    ...change,
  })
  const verdicts = () => log.records.map(({ fields }) => fields['code'] ?? fields['verdict'])
  /** Waits until this many verdicts are known. */
  const told = async (count: number): Promise<void> => {
    for (let i = 0; i < 1000 && verdicts().length < count; i++) await setImmediate()
    assert.equal(verdicts().length, count)
  }
  /** Waits until this many names were asked for. */
  const asks = async (count: number): Promise<void> => {
    for (let i = 0; i < 1000 && asked.length < count; i++) await setImmediate()
    assert.equal(asked.length, count)
  }
  return { made, messages, forbidden, verdicts, asked, asks, inForce, told }
}

const open = terms('SOURCE ANY\nKEY one\nHMAC_KEY two\nOPEN_PORTS tcp/22, tcp/2222\n')
const shut = terms('SOURCE ANY\nKEY one\nHMAC_KEY two\nOPEN_PORTS tcp/80\n')

test('knocks that wait are judged under the policy that they were opened under, though another is in force by now', async () => {
  const firewall = createMemoryFirewall()
  await firewall.install()
  const { made, verdicts } = admission(firewall)
  // The first is being judged; the others wait, and form one batch.
  made.submit([knock()], open, FIRST)
  made.submit([knock(), knock()], shut, FIRST)
  made.submit([knock()], open, FIRST)
  await made.close()
  assert.deepEqual(verdicts(), ['granted', 'ACCESS_PORT_DENIED', 'ACCESS_PORT_DENIED', 'granted'])
})

test('a forbidden knock is told with the receiver that sent it, though another one has knocks in the same batch', async () => {
  const firewall = createMemoryFirewall()
  await firewall.install()
  const { made, forbidden } = admission(firewall)
  made.submit([knock()], open, FIRST)
  made.submit([{ ...knock(), openedBy: 2 as Knock['openedBy'] }], open, FIRST)
  made.submit([knock()], open, 2 as ReceiverNumber)
  await made.close()
  assert.deepEqual(forbidden, [FIRST])
})

test('each knock is answered: used up, whatever became of it', async () => {
  const firewall = createMemoryFirewall()
  await firewall.install()
  const { made, messages } = admission(firewall)
  const knocks = [knock(), knock()]
  made.submit(knocks, shut, FIRST)
  await made.close()
  assert.deepEqual(messages, [{ type: 'claimed', digests: knocks.map(({ digest }) => digest) }])
})

test('what the share of a key has no room for is told to be as unused as before', async () => {
  const firewall = createMemoryFirewall()
  await firewall.install()
  const { made, messages, verdicts } = admission(firewall, 1)
  const [first, second] = [knock(), knock()]
  made.submit([first, second], open, FIRST)
  await made.close()
  assert.deepEqual(verdicts(), ['granted', 'REPLAY_STORE_FULL'])
  assert.deepEqual(messages, [
    { type: 'claimed', digests: [first.digest] },
    { type: 'unclaimed', digests: [second.digest] },
  ])
})

test('where copies are no replays, one packet sent again and again is not all that waits', async () => {
  const firewall = createMemoryFirewall()
  await firewall.install()
  const { made, verdicts } = admission(firewall)
  const access = 'SOURCE ANY\nKEY one\nHMAC_KEY two\n\nSOURCE ANY\nKEY three\nHMAC_KEY four\n'
  const { policy, index } = terms(access)
  const forgetful = { policy: { ...policy, refuseReplays: false }, index }
  const copied = knock()
  const other = { ...knock(), openedBy: 2 as typeof copied.openedBy }
  made.submit(Array(150_000).fill(copied), forgetful, FIRST)
  assert.ok(made.length <= 2000, `${made.length} wait`)
  made.submit([other], forgetful, FIRST)
  assert.ok(made.length <= 2001)
  await made.close()
  const granted = verdicts().filter((verdict) => verdict === 'granted').length
  assert.equal(granted, 2001)
  assert.ok(verdicts().includes('KEY_BUSY'))
  // That is over: the key has its share again.
  made.submit([copied], forgetful, FIRST)
  await made.close()
  assert.equal(verdicts().filter((verdict) => verdict === 'granted').length, 2002)
})

test('a mistake of ours costs its own knocks, not the next ones', async () => {
  const firewall = createMemoryFirewall()
  await firewall.install()
  let calls = 0
  const faulty: Firewall = {
    ...firewall,
    open: (grants) => (calls++ === 0 ? Promise.reject(new Error('a mistake')) : firewall.open(grants)),
  }
  const { made, messages, verdicts } = admission(faulty)
  const [first, second] = [knock(), knock()]
  made.submit([first], open, FIRST)
  made.submit([second], open, FIRST)
  await made.close()
  assert.deepEqual(verdicts(), [undefined, 'granted'])
  assert.deepEqual(messages, [
    { type: 'unclaimed', digests: [first.digest] },
    { type: 'claimed', digests: [second.digest] },
  ])
})

function later<T>() {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((resolver) => {
    resolve = resolver
  })
  return { promise, resolve }
}

/** A node of a cluster, whose store and whose etcd answer when the test says so. */
async function inCluster(access?: string) {
  const firewall = await installed()
  const steps: string[] = []
  const memory = memoryReplayStore({ maxAge: seconds(120) })
  const disk = later<'written' | 'failed'>()
  const etcd = later<ClusterClaim>()
  const clusterTerms = access === undefined ? open : terms(access)
  const { made, verdicts, messages, told } = admission(firewall, undefined, {
    replays: {
      ...memory,
      claim: async (claims, now, onDecided) => {
        const answers = await memory.claim(claims, now, onDecided)
        steps.push('written')
        return (await disk.promise) === 'written' ? answers : refuse('REPLAY_STORE_FAILED', 'no disk')
      },
    },
    cluster: {
      claim: (digests, when) => {
        steps.push(`asked for ${digests.length} ${when}`)
        return digests.map(() => etcd.promise)
      },
    },
    current: () => clusterTerms,
  })
  const submit = (...knocks: Knock[]) => made.submit(knocks, clusterTerms, FIRST)
  const isOpen = async () => {
    const grants = await firewall.grants()
    return grants.ok && grants.value.length > 0
  }
  return { made, submit, verdicts, messages, told, steps, disk, etcd, isOpen }
}

test('the cluster is asked before the packet is on the disk, once for each new packet', async () => {
  const { made, submit, steps, disk, etcd, verdicts } = await inCluster()
  const packet = knock()
  submit(packet, packet, knock())
  await setImmediate()
  assert.deepEqual(steps, ['asked for 2 at once', 'written'])
  disk.resolve('written')
  etcd.resolve('first')
  await made.close()
  assert.deepEqual(verdicts(), ['SPA_REPLAYED', 'granted', 'granted'])
  assert.equal(steps.length, 2)
})

for (const [first, then] of [
  ['disk', 'etcd'],
  ['etcd', 'disk'],
] as const)
  test(`no door opens before disk and cluster have both answered: ${first} first`, async () => {
    const { made, submit, disk, etcd, isOpen, verdicts } = await inCluster()
    const answer = { disk: () => disk.resolve('written'), etcd: () => etcd.resolve('first') }
    submit(knock())
    answer[first]()
    for (let i = 0; i < 100; i++) await setImmediate()
    assert.equal(await isOpen(), false)
    answer[then]()
    await made.close()
    assert.equal(await isOpen(), true)
    assert.deepEqual(verdicts(), ['granted'])
  })

for (const [said, claimed] of [
  ['first', 'first'],
  ['nothing', { unknown: 'no answer in time' }],
] as const)
  test(`a packet that the disk does not take opens nothing, though the cluster says ${said} and is not required`, async () => {
    const { made, submit, disk, etcd, isOpen, verdicts, messages } = await inCluster(
      'SOURCE ANY\nKEY one\nHMAC_KEY two\nOPEN_PORTS tcp/22\nCLUSTER_REQUIRED N\n',
    )
    const packet = knock()
    submit(packet)
    etcd.resolve(claimed)
    disk.resolve('failed')
    await made.close()
    assert.deepEqual(verdicts(), ['REPLAY_STORE_FAILED'])
    assert.deepEqual(messages, [{ type: 'unclaimed', digests: [packet.digest] }])
    assert.equal(await isOpen(), false)
  })

test('a packet that another node has used opens nothing, and is used here', async () => {
  const { made, submit, disk, etcd, isOpen, verdicts, messages } = await inCluster()
  const packet = knock()
  submit(packet)
  etcd.resolve({ usedAt: 'web-2' })
  disk.resolve('written')
  await made.close()
  assert.deepEqual(verdicts(), ['SPA_REPLAYED'])
  assert.deepEqual(messages, [{ type: 'claimed', digests: [packet.digest] }])
  assert.equal(await isOpen(), false)
})

async function installed(): Promise<Firewall> {
  const firewall = createMemoryFirewall()
  await firewall.install()
  return firewall
}
const INNER = '10.0.0.5' as IpAddress

test('a knock that waits for a name is used up at once, holds up no others, and is granted when the name is known', async () => {
  const { made, messages, verdicts, asked, told } = admission(await installed())
  const [waits, other, copy] = [named(), knock(), knock()]
  made.submit([waits, other, { ...copy, digest: waits.digest, fwknopDigest: waits.fwknopDigest }], open, FIRST)
  await told(2)
  assert.deepEqual(verdicts(), ['granted', 'SPA_REPLAYED'])
  assert.deepEqual(messages, [{ type: 'claimed', digests: [waits.digest, other.digest, waits.digest] }])
  assert.deepEqual([made.length, asked.map(({ name }) => name)], [1, ['inner.example']])
  asked[0]?.answer(INNER)
  await told(3)
  assert.deepEqual([verdicts()[2], made.length, messages.length], ['granted', 0, 1])
  await made.close()
})

test('a name that nobody knows is a refusal of its knock', async () => {
  const { made, verdicts, asked, asks, told } = admission(await installed())
  made.submit([named()], open, FIRST)
  await asks(1)
  asked[0]?.answer({ why: 'nobody knows it' })
  await told(1)
  assert.deepEqual(verdicts(), ['ACCESS_NAT_TARGET_INVALID'])
  await made.close()
})

test('more names of one key than may wait are refused in the log', async () => {
  const { made, verdicts, told } = admission(await installed())
  made.submit(
    Array.from({ length: 12 }, (_, i) => named(`n${i}`)),
    open,
    FIRST,
  )
  await told(4)
  assert.deepEqual(verdicts(), Array(4).fill('NAME_NOT_LOOKED_UP'))
  assert.equal(made.length, 8)
  await made.close()
})

test('a new configuration ends look-ups, and what still may have its name is looked up anew', async () => {
  const { made, verdicts, asked, asks, inForce, told } = admission(await installed())
  made.submit([named()], open, FIRST)
  await asks(1)
  inForce.terms = terms('SOURCE ANY\nKEY new\nHMAC_KEY newer\n\nSOURCE ANY\nKEY one\nHMAC_KEY two\n')
  made.reconsider()
  assert.equal(asked[0]?.ended, true)
  await asks(2)
  asked[1]?.answer(INNER)
  await told(1)
  assert.deepEqual(verdicts(), ['granted'])
  await made.close()
})

for (const [what, access, change, code] of [
  ['the keys are gone', 'SOURCE ANY\nKEY new\nHMAC_KEY newer\n', {}, 'ACCESS_NO_STANZA'],
  ['the port is denied', 'SOURCE ANY\nKEY one\nHMAC_KEY two\nOPEN_PORTS tcp/80\n', {}, 'ACCESS_PORT_DENIED'],
  ['names are off', 'SOURCE ANY\nKEY one\nHMAC_KEY two\n', { resolveNames: false }, 'ACCESS_NAT_TARGET_INVALID'],
] as const)
  test(`a knock that waits for a name is refused, and nothing is asked, once ${what} by a reload`, async () => {
    const { made, verdicts, asked, asks, inForce, told } = admission(await installed())
    made.submit([named()], open, FIRST)
    await asks(1)
    inForce.terms = terms(access, change)
    made.reconsider()
    // Opened under the earlier terms; the current terms decide whether its name is asked for.
    made.submit([named('other.example')], open, FIRST)
    await told(2)
    assert.deepEqual([verdicts(), asked.length], [[code, code], 1])
    await made.close()
  })

test('at the end, what waits for a name is refused', async () => {
  const { made, verdicts, asked, asks } = admission(await installed())
  made.submit([named()], open, FIRST)
  await asks(1)
  await made.close()
  assert.deepEqual([verdicts(), asked[0]?.ended], [['NAME_NOT_LOOKED_UP'], true])
})

const SOON = milliseconds(20)
const PATIENCE = milliseconds(5000)

test('settled waits for a knock that the cluster was asked about: then it is open', async () => {
  const { made, submit, disk, etcd, isOpen } = await inCluster()
  submit(knock())
  disk.resolve('written')
  for (let i = 0; i < 50; i++) await setImmediate()
  assert.equal(await made.settled(SOON), false)
  const settled = made.settled(PATIENCE)
  etcd.resolve('first')
  assert.equal(await settled, true)
  assert.equal(await isOpen(), true)
  assert.equal(await made.settled(SOON), true)
  await made.close()
})

test('settled waits for a knock that another node has used, or whose disk fails, no longer than for its verdict', async () => {
  for (const end of [{ usedAt: 'web-2' }, { unknown: 'no answer in time' }] as const) {
    const { made, submit, disk, etcd, isOpen } = await inCluster()
    submit(knock())
    disk.resolve('written')
    etcd.resolve(end)
    assert.equal(await made.settled(PATIENCE), true)
    assert.equal(await isOpen(), false)
    await made.close()
  }
  const { made, submit, disk } = await inCluster()
  submit(knock())
  disk.resolve('failed')
  assert.equal(await made.settled(PATIENCE), true)
  await made.close()
})

test('settled waits for a knock that waits for a name, also over a reload, and after the cluster has answered', async () => {
  const firewall = await installed()
  const etcd = later<ClusterClaim>()
  const { made, asked, asks, inForce, verdicts } = admission(firewall, undefined, {
    cluster: { claim: (digests) => digests.map(() => etcd.promise) },
  })
  made.submit([named()], open, FIRST)
  for (let i = 0; i < 50; i++) await setImmediate()
  let isSettled = false
  const settled = made.settled(PATIENCE).then((is) => {
    isSettled = is
  })
  etcd.resolve('first')
  await asks(1)
  inForce.terms = terms('SOURCE ANY\nKEY one\nHMAC_KEY two\n')
  made.reconsider()
  await asks(2)
  assert.equal(isSettled, false)
  asked[1]?.answer(INNER)
  await settled
  assert.deepEqual([isSettled, verdicts()], [true, ['granted']])
  await made.close()
})

test('settled does not wait for knocks of others at the cluster', async () => {
  const { made, submit, disk, etcd } = await inCluster(
    'SOURCE ANY\nKEY one\nHMAC_KEY two\nNAME ada\nOPEN_PORTS tcp/22\n\n' +
      'SOURCE ANY\nKEY three\nHMAC_KEY four\nNAME bob\nOPEN_PORTS tcp/22\n',
  )
  submit(knock(), { ...knock({ source: '198.51.100.9' }), openedBy: 2 as Knock['openedBy'] })
  disk.resolve('written')
  for (let i = 0; i < 50; i++) await setImmediate()
  const seen: Candidate[] = []
  assert.equal(await made.settled(PATIENCE, (one) => seen.push(one) < 0), true)
  assert.deepEqual(seen, [
    { stanzas: ['ada'], sources: ['192.0.2.1'] },
    { stanzas: ['bob'], sources: ['192.0.2.1', '198.51.100.9'] },
  ])
  assert.equal(await made.settled(SOON, ({ stanzas }) => stanzas.includes('bob')), false)
  etcd.resolve('first')
  await made.close()
})

test('a mistake of ours over a knock that the cluster has answered leaves nobody waiting for it', async () => {
  const firewall = await installed()
  const faulty: Firewall = { ...firewall, open: () => Promise.reject(new Error('a mistake')) }
  const { made } = admission(faulty, undefined, { cluster: { claim: (all) => all.map(async () => 'first') } })
  made.submit([knock()], open, FIRST)
  assert.equal(await made.settled(PATIENCE), true)
  await made.close()
})

test('a closing knock waits for the earlier knocks of its key that are at the cluster, and for no others', async () => {
  const firewall = await installed()
  const etcd: ReturnType<typeof later<ClusterClaim>>[] = []
  const both = terms(
    'SOURCE ANY\nKEY one\nHMAC_KEY two\nOPEN_PORTS tcp/22\n\nSOURCE ANY\nKEY three\nHMAC_KEY four\nOPEN_PORTS tcp/22\n',
  )
  const steps: string[] = []
  const { made, verdicts, told } = admission(
    {
      ...firewall,
      open: (grants) => {
        steps.push('open')
        return firewall.open(grants)
      },
    },
    undefined,
    {
      closeOwn: async () => {
        steps.push('close')
        return ok([])
      },
      cluster: {
        claim: (digests) =>
          digests.map(() => {
            const one = later<ClusterClaim>()
            etcd.push(one)
            return one.promise
          }),
      },
      current: () => both,
    },
  )
  const other = { ...knock(), openedBy: 2 as Knock['openedBy'] }
  made.submit([knock(), other], both, FIRST)
  for (let i = 0; i < 50; i++) await setImmediate()
  made.submit([knock({ kind: 'close', ports: [] })], both, FIRST)
  for (let i = 0; i < 50; i++) await setImmediate()
  etcd[2]?.resolve('first')
  for (let i = 0; i < 50; i++) await setImmediate()
  assert.deepEqual(verdicts(), [])
  etcd[0]?.resolve('first')
  await told(2)
  assert.deepEqual(steps, ['open', 'close'])
  etcd[1]?.resolve('first')
  await made.close()
  assert.equal(verdicts().length, 3)
})
