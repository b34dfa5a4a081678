import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StanzaIndex } from '../access/matching.ts'
import { ManualClock } from '../clock.ts'
import { parseAccessConf } from '../config/access-conf.ts'
import { filesFromSnapshot } from '../config/config-files.ts'
import type { Firewall } from '../firewall/firewall.ts'
import { createMemoryFirewall } from '../firewall/memory.ts'
import { MemoryLog } from '../log.ts'
import { memoryReplayStore } from '../replay/memory.ts'
import { milliseconds, seconds, unixSeconds } from '../units.ts'
import { Admission, type Terms } from './admission.ts'
import { Journal } from './journal.ts'
import { type Knock, parseKnock } from './knock.ts'
import type { ToReceiver } from './protocol.ts'

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

let digests = 0
function knock(): Knock {
  const digest = (): string => Buffer.alloc(32, ++digests).toString('base64').replace('=', '')
  const parsed = parseKnock({
    openedBy: 1,
    digest: digest(),
    fwknopDigest: digest(),
    message: {
      ...{ kind: 'access', random: '1234567890123456', username: 'ada', timestamp: NOW, version: '3.0.0' },
      ...{ source: 'packet-source', ports: [{ protocol: 'tcp', port: 22 }] },
    },
    packet: { source: '192.0.2.1', sourcePort: 4321, destinationPort: 62201 },
  })
  assert.ok(parsed.ok)
  return parsed.value
}

function admission(firewall: Firewall = createMemoryFirewall(), share?: number) {
  const replays = memoryReplayStore({ maxAge: seconds(120), ...(share !== undefined && { share }) })
  const log = new MemoryLog()
  const words: ToReceiver[] = []
  const wall = () => new Date(0)
  const journal = new Journal(log, 10, { wall, monotonic: () => milliseconds(0) })
  const made = new Admission({
    ...{ clock: new ManualClock(NOW), firewall, replays, journal, log },
    ownAddresses: () => new Set(),
    tell: (word) => words.push(word),
    onForbidden: (failure) => assert.fail(failure.detail),
  })
  const verdicts = () => log.records.map(({ fields }) => fields['code'] ?? fields['verdict'])
  return { made, words, verdicts }
}

const open = terms('SOURCE ANY\nKEY one\nHMAC_KEY two\nOPEN_PORTS tcp/22\n')
const shut = terms('SOURCE ANY\nKEY one\nHMAC_KEY two\nOPEN_PORTS tcp/80\n')

test('knocks that wait are judged under the policy that they were opened under, though another is in force by now', async () => {
  const firewall = createMemoryFirewall()
  await firewall.install()
  const { made, verdicts } = admission(firewall)
  // The first is being judged; the others wait, and are one batch.
  made.push([knock()], open)
  made.push([knock(), knock()], shut)
  made.push([knock()], open)
  await made.close()
  assert.deepEqual(verdicts(), ['granted', 'ACCESS_PORT_DENIED', 'ACCESS_PORT_DENIED', 'granted'])
})

test('each knock is answered: used up, whatever became of it', async () => {
  const firewall = createMemoryFirewall()
  await firewall.install()
  const { made, words } = admission(firewall)
  const knocks = [knock(), knock()]
  made.push(knocks, shut)
  await made.close()
  assert.deepEqual(words, [{ say: 'claimed', digests: knocks.map(({ digest }) => digest) }])
})

test('what the share of a key has no room for is told to be as unused as before', async () => {
  const firewall = createMemoryFirewall()
  await firewall.install()
  const { made, words, verdicts } = admission(firewall, 1)
  const [first, second] = [knock(), knock()]
  made.push([first, second], open)
  await made.close()
  assert.deepEqual(verdicts(), ['granted', 'REPLAY_STORE_FULL'])
  assert.deepEqual(words, [
    { say: 'claimed', digests: [first.digest] },
    { say: 'unclaimed', digests: [second.digest] },
  ])
})

test('a mistake of ours costs its own knocks, not the next ones', async () => {
  const firewall = createMemoryFirewall()
  await firewall.install()
  let calls = 0
  const faulty: Firewall = {
    ...{ kernelExpires: true, install: () => firewall.install(), close: () => firewall.close() },
    ...{ revoke: (id) => firewall.revoke(id), grants: () => firewall.grants() },
    open: (grants) => (calls++ === 0 ? Promise.reject(new Error('a mistake')) : firewall.open(grants)),
  }
  const { made, words, verdicts } = admission(faulty)
  const [first, second] = [knock(), knock()]
  made.push([first], open)
  made.push([second], open)
  await made.close()
  assert.deepEqual(verdicts(), [undefined, 'granted'])
  assert.deepEqual(words, [
    { say: 'unclaimed', digests: [first.digest] },
    { say: 'claimed', digests: [second.digest] },
  ])
})
