/** What a receiver in hostile hands can make of GnuPG packets: nothing that the GnuPG process does not vouch for. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { must } from '../../../../test/support/results.ts'
import { decrypterName } from '../../../access/keyring.ts'
import { StanzaIndex } from '../../../access/matching.ts'
import { parseFingerprint, type SignatureReport } from '../../../access/signature.ts'
import { gnupgOf, type StanzaId } from '../../../access/stanza.ts'
import { encodeText } from '../../../bytes/text.ts'
import { ManualClock } from '../../../clock.ts'
import { noCommands } from '../../../commands/commands.ts'
import { buildPolicy } from '../../../config/access/build-policy.ts'
import { parseAccessConf } from '../../../config/access/parse-access-conf.ts'
import { filesFromSnapshot } from '../../../config/reading/config-files.ts'
import { parseFwknopdConf } from '../../../config/server/parse-fwknopd-conf.ts'
import { createMemoryFirewall } from '../../../firewall/memory.ts'
import { parseAddress, parseNetwork } from '../../../packet/address.ts'
import type { Message } from '../../../packet/message.ts'
import { parseProtocolPorts } from '../../../packet/protocol-port.ts'
import { type FwknopDigest, replayDigest } from '../../../packet/replay-digest.ts'
import { parseUsername } from '../../../packet/username.ts'
import { memoryReplayStore } from '../../../replay/memory.ts'
import { port, seconds, unixSeconds } from '../../../units.ts'
import { type Attested, attest, isAttested } from '../../link/attestation.ts'
import type { Knock } from '../../link/knock.ts'
import { judge } from './judge.ts'

const NOW = 1_700_000_000
const SECRET = encodeText('known to warden and GnuPG process')
const fingerprint = parseFingerprint('1FDDCD755FDA721D0350E893AD8C10297F35D41F') ?? assert.fail()
const other = parseFingerprint('2593D86D2050A4E42AAE0F00FCB0FB6A1CE6B883') ?? assert.fail()
const signed: SignatureReport = { kind: 'verified', fingerprint, primary: fingerprint, state: 'good', isTrusted: true }
const texts = {
  'access.conf': [
    `SOURCE ANY\nOPEN_PORTS tcp/22,tcp/23\nGPG_ALLOW_NO_PW Y\nGPG_FINGERPRINT_ID ${fingerprint}`,
    `SOURCE ANY\nOPEN_PORTS tcp/25\nGPG_HOME_DIR /other\nGPG_ALLOW_NO_PW Y\nGPG_FINGERPRINT_ID ${fingerprint}`,
    'SOURCE ANY\nOPEN_PORTS tcp/24\nKEY symmetric\n',
  ].join('\n'),
}
const { stanzas } = must(parseAccessConf('access.conf', filesFromSnapshot({ texts, folders: {}, failures: {} })))
const { config } = must(parseFwknopdConf('/fwknopd.conf', ''))
const { policy } = must(buildPolicy(config, stanzas))
const decrypter = decrypterName(gnupgOf(stanzas[0] ?? assert.fail()) ?? assert.fail())

function judging() {
  return {
    policy,
    index: new StanzaIndex(stanzas),
    replays: memoryReplayStore({ maxAge: policy.maxAge }),
    firewall: createMemoryFirewall(() => NOW * 1000),
    commands: noCommands,
    clock: new ManualClock(unixSeconds(NOW)),
    ownAddresses: () => new Set<never>(),
    isAttested: (attested: Attested, attestation: Parameters<typeof isAttested>[2]) =>
      isAttested(SECRET, attested, attestation),
  }
}

function messageFor(ports: string): Message {
  return {
    ...{ kind: 'access', random: '1234567890123456', username: must(parseUsername('ada')), version: '3.0.0' },
    ...{ timestamp: unixSeconds(NOW), source: must(parseAddress('192.0.2.1')), ports: must(parseProtocolPorts(ports)) },
  }
}
const digest = replayDigest(encodeText('a packet'))
const honest = { decrypter, digest, signature: signed, decryptIds: [], message: messageFor('tcp/22') }
const knock: Knock = {
  openedBy: 1 as StanzaId,
  digest,
  fwknopDigest: digest as unknown as FwknopDigest,
  message: honest.message,
  packet: { source: must(parseAddress('192.0.2.1')), sourcePort: port(4000), destinationPort: port(62_201) },
  gnupg: { signature: signed, decryptIds: [], attestation: attest(SECRET, honest) },
}

const unwelcome: [what: string, signature: SignatureReport][] = [
  ['that nobody signed', { kind: 'none' }],
  ['that another key signed', { ...signed, fingerprint: other, primary: other }],
  ['whose signature is wrong', { kind: 'unverified', why: 'the signature is wrong' }],
]
for (const [what, signature] of unwelcome)
  test(`a packet ${what} uses up nothing of the store: anybody can encrypt for the server`, async () => {
    let claims = 0
    const { replays, ...rest } = judging()
    const counting: typeof replays.claim = (all, now) => {
      claims += all.length
      return replays.claim(all, now)
    }
    const at = { ...rest, replays: { claim: counting } }
    const proof = { signature, decryptIds: [], attestation: attest(SECRET, { ...honest, signature }) }
    const [refused] = await judge([{ ...knock, gnupg: proof }], at)
    assert(refused?.granted === false && refused.failure.code === 'ACCESS_SIGNATURE_DENIED')
    assert.equal(claims, 0)
    assert((await judge([knock], at))[0]?.granted)
    assert.equal(claims, 1)
  })

test('what the GnuPG process vouches for is granted, once', async () => {
  const at = judging()
  const [first] = await judge([knock], at)
  assert(first?.granted, JSON.stringify(first))
  const [again] = await judge([knock], at)
  assert(again?.granted === false && again.failure.code === 'SPA_REPLAYED')
})

test('through a gateway, only a packet that is used up by its verdict gets a receipt', async () => {
  const networks = [must(parseNetwork('192.0.2.0/24'))]
  const gateways = { networks, maxAge: seconds(30), receipts: true } as const
  const at = { ...judging(), policy: { ...policy, gateways } }
  const dueOf = async (one: Knock): Promise<unknown> => (await judge([one], at))[0]?.receiptDue
  for (const [, signature] of unwelcome) {
    const proof = { signature, decryptIds: [], attestation: attest(SECRET, { ...honest, signature }) }
    assert.equal(await dueOf({ ...knock, gnupg: proof }), undefined)
  }
  assert.equal(await dueOf({ ...knock, openedBy: 3 as StanzaId }), undefined)
  const elsewhere = { ...at, policy: { ...policy, gateways: { ...gateways, networks: [] } } }
  assert.equal((await judge([knock], { ...judging(), policy: elsewhere.policy }))[0]?.receiptDue, undefined)
  assert.equal(
    (await judge([{ ...knock, packet: { ...knock.packet, way: 'tcp' } }], { ...judging(), policy: at.policy }))[0]
      ?.receiptDue,
    undefined,
  )
  assert.equal(await dueOf(knock), NOW)
  assert.equal(await dueOf(knock), undefined)
})

const byOther: SignatureReport = { ...signed, fingerprint: other, primary: other }
const { gnupg: vouched = assert.fail(), ...withoutProof } = knock
const forged: [what: string, knock: Knock, code: string][] = [
  ['asks for another port', { ...knock, message: messageFor('tcp/23') }, 'GNUPG_FAILED'],
  ['says that it is another packet', { ...knock, digest: replayDigest(encodeText('another')) }, 'GNUPG_FAILED'],
  [
    'says that another key signed',
    {
      ...knock,
      gnupg: { ...vouched, signature: { ...signed, state: 'key expired' } },
    },
    'GNUPG_FAILED',
  ],
  ['says that another key decrypted it', { ...knock, gnupg: { ...vouched, decryptIds: ['one'] } }, 'GNUPG_FAILED'],
  ['says that another keyring opened it', { ...knock, openedBy: 2 as StanzaId }, 'GNUPG_FAILED'],
  [
    'vouches by itself',
    { ...knock, gnupg: { ...vouched, attestation: attest(encodeText('a guess'), honest) } },
    'GNUPG_FAILED',
  ],
  ['leaves GnuPG out', withoutProof, 'WARDEN_FORBIDDEN'],
  ['says that a symmetric stanza is for GnuPG', { ...knock, openedBy: 3 as StanzaId }, 'WARDEN_FORBIDDEN'],
  [
    'has a packet that another key signed',
    {
      ...knock,
      gnupg: { ...vouched, signature: byOther, attestation: attest(SECRET, { ...honest, signature: byOther }) },
    },
    'ACCESS_SIGNATURE_DENIED',
  ],
]
for (const [what, claim, code] of forged)
  test(`a receiver that ${what} opens nothing: ${code}`, async () => {
    const at = judging()
    const [verdict] = await judge([claim], at)
    assert(verdict?.granted === false)
    assert.equal(verdict.failure.code, code)
    assert.deepEqual(must(await at.firewall.grants()), [])
    // What nobody vouched for is not used up.
    if (code === 'GNUPG_FAILED') assert((await judge([knock], at))[0]?.granted)
  })
