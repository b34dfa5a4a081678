/**
 * Judges vectors like the server: configuration, envelope, HMAC, decryption, replay store, policy, firewall, all at the
 * vector's own clock. Only the network is left out, and a firewall in memory replaces the kernel's.
 */
import { StanzaIndex } from '../../src/access/matching.ts'
import { OpenerMemory } from '../../src/access/opener-memory.ts'
import type { Policy } from '../../src/access/policy.ts'
import { refusal, type Verdict } from '../../src/access/verdict.ts'
import { latin1Bytes } from '../../src/bytes/text.ts'
import { ManualClock } from '../../src/clock.ts'
import { noCommands } from '../../src/commands/commands.ts'
import { buildPolicy } from '../../src/config/access/build-policy.ts'
import { parseAccessConf } from '../../src/config/access/parse-access-conf.ts'
import { filesFromSnapshot } from '../../src/config/reading/config-files.ts'
import type { ConfigFailure } from '../../src/config/reading/notice.ts'
import { parseFwknopdConf } from '../../src/config/server/parse-fwknopd-conf.ts'
import { checkTagsFast } from '../../src/daemon/receiver/fast-tags.ts'
import { begin } from '../../src/daemon/receiver/receive.ts'
import { judge as judgeKnocks } from '../../src/daemon/warden/admission/judge.ts'
import { createMemoryFirewall } from '../../src/firewall/memory.ts'
import { type IpAddress, parseAddress } from '../../src/packet/address.ts'
import { decrypt } from '../../src/packet/decrypt.ts'
import { parseEnvelope } from '../../src/packet/envelope.ts'
import { type DecodedFields, parseFields } from '../../src/packet/fields.ts'
import { openPacket } from '../../src/packet/open.ts'
import { type StrictnessRule, strictnessRules } from '../../src/packet/strictness.ts'
import { memoryReplayStore } from '../../src/replay/memory.ts'
import { type Failure, ok, type Result } from '../../src/result.ts'
import { port, unixSeconds } from '../../src/units.ts'
import { decryptByGnupg, gnupgHome, vouches } from './gnupg.ts'
import type { Vector } from './vector.ts'

export type Judgement =
  | {
      readonly outcome: 'passed'
      /** Refused on purpose, though fwknopd accepts it. */
      readonly stricterBy?: StricterRule
      /** Refused because no server starts with this configuration. */
      readonly notStarted?: ConfigFailure['code']
    }
  | { readonly outcome: 'failed'; readonly why: string }
  | { readonly outcome: 'skipped'; readonly why: string }

/**
 * What ghostport refuses on purpose although fwknopd accepts it: by rule, never by vector. Reasons:
 * docs/FROM-FWKNOP.md. The rules about a packet's form are in the packet library. This one shows only over several
 * packets.
 */
export const stricterRules = {
  ...strictnessRules,
  'used-in-any-spelling': {
    sentence: 'a used packet stays used, even if its text is spelled differently the second time',
    checkedIn: 'packet/replay-digest.ts',
  },
} as const
export type StricterRule = StrictnessRule | 'used-in-any-spelling'

// As the receiver does. The tests beside this file open the same packets with the HMACs of Node.js.
checkTagsFast()

/** Categories of packets that fwknopd accepts leniently, and that a careful server may refuse. */
const MAY_BE_STRICTER: ReadonlySet<string> = new Set(['lenient', 'malleable', 'gpg'])

/** Variables that are not built yet. A stanza with one cannot be judged. */
const NOT_BUILT = /^\s*((?:ENABLE_)?CMD_\w+)/m

/** The test server of the vectors: UDP mode, NAT of both kinds on, aging off. */
const DEFAULT_CONF = {
  ENABLE_IPT_FORWARDING: 'Y',
  ENABLE_IPT_LOCAL_NAT: 'Y',
  ENABLE_SPA_PACKET_AGING: 'N',
}

/** How packets reached the original server. Here only their contents are judged. */
const HOW_CAPTURED = /^(?:PCAP_\w+|ENABLE_PCAP_\w+|ENABLE_UDP_SERVER|UDPSERV_\w+|ENABLE_TCP_SERVER|TCPSERV_\w+)$/

export async function judge(vector: Vector): Promise<Judgement> {
  const missing = NOT_BUILT.exec(vector.accessConf)?.[1]
  if (missing !== undefined) return { outcome: 'skipped', why: `${missing} is not built yet` }
  const server = startServer(vector)
  // A server that does not start accepts nothing.
  if (!server.ok) {
    const judgement = compare(vector, refusal(server.failure), undefined)
    return judgement.outcome === 'passed' ? { ...judgement, notStarted: server.failure.code } : judgement
  }
  for (const packet of vector.prior) await server.value.take(packet)
  return compare(vector, await server.value.take(vector.packet), server.value.read(vector.packet))
}

interface Server {
  take(packet: string): Promise<Verdict>
  /** What the message says, even if policy does not allow it. */
  read(packet: string): DecodedFields | undefined
}

function startServer(vector: Vector): Result<Server, ConfigFailure> {
  const policy = policyOf(vector)
  if (!policy.ok) return policy
  const index = new StanzaIndex(policy.value.stanzas)
  const receiving = { policy: policy.value, index, openers: new OpenerMemory() }
  const judging = {
    policy: policy.value,
    index,
    replays: memoryReplayStore({ maxAge: policy.value.maxAge }),
    firewall: createMemoryFirewall(() => vector.now * 1000),
    commands: noCommands,
    clock: new ManualClock(unixSeconds(vector.now)),
    ownAddresses: () => new Set<never>(),
    isAttested: vouches,
  }
  const source = sourceOf(vector)
  /** What gpg decrypted last. */
  let plaintext: Uint8Array | undefined
  return ok({
    async take(packet) {
      const payload = payloadOf(packet)
      const ports = { sourcePort: port(40_000), destinationPort: port(62_201) }
      let received = begin({ via: 'udp', payload, source, ...ports }, receiving)
      while (received.state === 'pending') {
        const { encryption } = received
        received =
          encryption.kind === 'symmetric'
            ? received.goOn(decrypt(received.envelope, encryption))
            : await decryptByGnupg(received, encryption, (text) => {
                plaintext = text
              })
      }
      if (received.state === 'refused') return refusal(received.failure)
      const [verdict] = await judgeKnocks([received.knock], judging)
      if (verdict === undefined) throw new Error('a knock without a verdict')
      return verdict
    },
    read(packet) {
      const envelope = parseEnvelope(payloadOf(packet), policy.value)
      if (!envelope.ok) return undefined
      for (const { encryption, hmac } of index.keyringsFor(source, 'any')) {
        if (encryption.kind !== 'symmetric') continue
        const opened = openPacket(envelope.value, { encryption, ...(hmac && { hmac }) })
        if (opened.ok) return opened.value.fields
      }
      const fields = plaintext === undefined ? undefined : parseFields(plaintext)
      return fields?.ok ? fields.value : undefined
    },
  })
}

function policyOf({ accessConf, conf }: Vector): Result<Policy, ConfigFailure> {
  const settings = Object.entries({ ...DEFAULT_CONF, ...conf }).filter(([name]) => !HOW_CAPTURED.test(name))
  const server = parseFwknopdConf('/fwknopd.conf', settings.map(([name, value]) => `${name} ${value};\n`).join(''))
  if (!server.ok) return server
  const text = accessConf.replaceAll(/^GPG_HOME_DIR GPG_HOME$/gm, () => `GPG_HOME_DIR ${gnupgHome()}`)
  const files = filesFromSnapshot({ texts: { '/access.conf': text }, folders: {}, failures: {} })
  const access = parseAccessConf('/access.conf', files)
  if (!access.ok) return access
  const policy = buildPolicy(server.value.config, access.value.stanzas)
  return policy.ok ? ok(policy.value.policy) : policy
}

function compare(vector: Vector, verdict: Verdict, fields: DecodedFields | undefined): Judgement {
  if (vector.expect === 'reject') {
    if (!verdict.granted) return { outcome: 'passed' }
    return { outcome: 'failed', why: `accepted for a ${verdict.action.kind}, but fwknopd rejects it` }
  }
  if (verdict.granted) return compareFields(vector, fields)
  const stricterBy = MAY_BE_STRICTER.has(vector.category) ? ruleOf(verdict.failure) : undefined
  if (stricterBy !== undefined) return { outcome: 'passed', stricterBy }
  const { code, detail } = verdict.failure
  return { outcome: 'failed', why: `rejected (${code}: ${detail}), but fwknopd accepts it` }
}

function ruleOf(failure: Failure & { readonly rule?: StrictnessRule }): StricterRule | undefined {
  return failure.rule ?? (failure.code === 'SPA_REPLAYED' ? 'used-in-any-spelling' : undefined)
}

function compareFields({ fields: expected }: Vector, read: DecodedFields | undefined): Judgement {
  if (read === undefined) return { outcome: 'failed', why: 'accepted, but its fields cannot be read' }
  const got: Readonly<Record<string, string | number | null>> = {
    rand_val: read.randVal,
    username: read.username,
    timestamp: read.timestamp,
    version: read.version,
    message_type: read.messageType,
    message: read.message,
    nat_access: read.natAccess,
    server_auth: read.serverAuth,
    client_timeout: read.clientTimeout,
    digest: read.digest,
  }
  for (const [name, value] of Object.entries(expected)) {
    // Compared as text: the file has some numbers as numbers and some as in the packet.
    if (!Object.hasOwn(got, name) || String(got[name]) !== String(value))
      return { outcome: 'failed', why: `accepted, but ${name} is “${got[name]}”, not “${value}”` }
  }
  return { outcome: 'passed' }
}

function payloadOf(packet: string): Uint8Array {
  const bytes = latin1Bytes(packet)
  if (bytes === undefined) throw new Error('a packet is not Latin-1')
  return bytes
}

function sourceOf({ name, source }: Vector): IpAddress {
  const address = parseAddress(source)
  if (!address.ok) throw new Error(`${name}: ${address.failure.detail}`)
  return address.value
}
