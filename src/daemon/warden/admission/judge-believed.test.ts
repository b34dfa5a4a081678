import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StanzaIndex } from '../../../access/matching.ts'
import { ManualClock } from '../../../clock.ts'
import { noCommands } from '../../../commands/commands.ts'
import { parseAccessConf } from '../../../config/access/parse-access-conf.ts'
import { filesFromSnapshot } from '../../../config/reading/config-files.ts'
import { createMemoryFirewall } from '../../../firewall/memory.ts'
import { MemoryLog } from '../../../log.ts'
import { memoryReplayStore } from '../../../replay/memory.ts'
import { milliseconds, seconds, unixSeconds } from '../../../units.ts'
import { type Knock, parseKnock } from '../../link/knock.ts'
import type { ToReceiver } from '../../link/protocol.ts'
import { Journal } from '../journal.ts'
import type { ReceiverNumber } from '../receiver-health.ts'
import { Admission, type Terms } from './admission.ts'
import { type Doubt, judgeBelieved } from './judge-believed.ts'

const NOW = unixSeconds(1_800_000_000)

function terms(access: string): Terms {
  const files = filesFromSnapshot({ texts: { 'access.conf': access }, folders: {}, failures: {} })
  const parsed = parseAccessConf('access.conf', files)
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.failure.detail)
  const { stanzas } = parsed.value
  const nat = { forward: false, local: false, translation: 'none', resolveNames: false } as const
  const policy = { stanzas, maxAge: seconds(120), refuseReplays: true, http: 'off', nat } as const
  return { policy, index: new StanzaIndex(stanzas) }
}
const open = terms('SOURCE ANY\nKEY one\nHMAC_KEY two\nOPEN_PORTS tcp/22\n')

let digests = 0
function knock(interfaceIndex: number, timestamp: number = NOW): Knock {
  const digest = (): string => Buffer.alloc(32, ++digests).toString('base64').replace('=', '')
  const parsed = parseKnock({
    ...{ openedBy: 1, digest: digest(), fwknopDigest: digest() },
    message: {
      ...{ kind: 'access', random: '1234567890123456', username: 'ada', timestamp, version: '3.0.0' },
      ...{ source: 'packet-source', ports: [{ protocol: 'tcp', port: 22 }] },
    },
    packet: { source: '192.0.2.1', sourcePort: 4321, destinationPort: 62201, interfaceIndex },
  })
  assert.ok(parsed.ok)
  return parsed.value
}

/** Submits knocks in batches. @returns what the log and the receiver get. */
async function admitted(doubt: Doubt, ...batches: Knock[][]) {
  const firewall = createMemoryFirewall()
  await firewall.install()
  const log = new MemoryLog()
  const messages: ToReceiver[] = []
  const journal = new Journal(log, 10, { wall: () => new Date(0), monotonic: () => milliseconds(0) })
  const admission = new Admission({
    ...{ clock: new ManualClock(NOW), firewall, replays: memoryReplayStore({ maxAge: seconds(120) }), journal, log },
    commands: noCommands,
    ...{ ownAddresses: () => new Set(), doubt, send: (message: ToReceiver) => messages.push(message) },
    ...{ current: () => open, resolve: () => assert.fail('no name is asked for') },
    onForbidden: (failure) => assert.fail(failure.detail),
  })
  for (const batch of batches) admission.submit(batch, open, 1 as ReceiverNumber)
  await admission.close()
  return { messages, verdicts: log.records.map(({ fields }) => fields['code'] ?? fields['verdict']) }
}

test('what the kernel would not have taken is not used up, and the same packet is good where it is believed', async () => {
  const disbelief = { code: 'SPA_NOT_FOR_US', detail: 'it was sent to 192.0.2.9, which is not this host' } as const
  const [passing, other] = [knock(2), knock(3)]
  const { verdicts, messages } = await admitted(
    ({ interfaceIndex }) => (interfaceIndex === 2 ? disbelief : undefined),
    [passing, other],
    [{ ...passing, packet: { ...passing.packet, interfaceIndex: 3 } }],
  )
  assert.deepEqual(verdicts, ['SPA_NOT_FOR_US', 'granted', 'granted'])
  assert.deepEqual(messages, [
    { type: 'claimed', digests: [other.digest] },
    { type: 'unclaimed', digests: [passing.digest] },
    { type: 'claimed', digests: [passing.digest] },
  ])
})

test('a packet whose date becomes good meanwhile is not believed unasked', async () => {
  const { policy, index } = open
  const firewall = createMemoryFirewall()
  await firewall.install()
  let now: number = NOW
  const ticking = { now: () => unixSeconds(now++) }
  const replays = memoryReplayStore({ maxAge: seconds(120) })
  const admitting = {
    policy,
    index,
    firewall,
    commands: noCommands,
    replays,
    clock: ticking,
    ownAddresses: () => new Set<never>(),
  }
  const verdicts = await judgeBelieved([knock(2, NOW + 121)], admitting, () => assert.fail('asked'))
  assert.deepEqual(
    verdicts.map((verdict) => !verdict.granted && verdict.failure.code),
    ['SPA_FROM_FUTURE'],
  )
})

test('the kernel is not asked about a packet that is too old', async () => {
  const old = knock(2, NOW - 1000)
  const { verdicts, messages } = await admitted(() => assert.fail('asked'), [old])
  assert.deepEqual(verdicts, ['SPA_STALE'])
  assert.deepEqual(messages, [{ type: 'claimed', digests: [old.digest] }])
})
