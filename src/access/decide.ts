/**
 * Who may have what. The stanzas whose keys opened a packet are asked in file order. The first that grants wins; if one
 * denies, the next is asked, as in fwknop (docs/FROM-FWKNOP.md). Nothing here reads the host: the time and the
 * addresses are arguments.
 */
import { familyOf, type IpAddress } from '../packet/address.ts'
import { cannotBeHost, isLinkLocal, isLoopback } from '../packet/address-kinds.ts'
import type { AccessMessage, LocalNatMessage, Message, NatAccessMessage, ProtocolPort } from '../packet/message.ts'
import { type Failure, ok, type Refused, refuse } from '../result.ts'
import { type Port, type Seconds, seconds, type UnixSeconds } from '../units.ts'
import { checkAge, showTime } from './age.ts'
import { type CommandFacts, judgeCommand } from './command.ts'
import { judgeCycle } from './cycle.ts'
import { cyclePorts } from './cycle-ports.ts'
import { gatewayRules, maxAgeFrom } from './gateways.ts'
import { checkDecryptId, type GnupgReport } from './gnupg-report.ts'
import { distinctOpenings, type Grant, grantId } from './grant.ts'
import { isAmong } from './matching.ts'
import { chooseOpenings, type NameQuestion, type TargetKnowledge } from './openings.ts'
import type { Policy } from './policy.ts'
import { checkSignature } from './signature.ts'
import { answersAt } from './spa-port.ts'
import { gnupgOf, type Stanza } from './stanza.ts'
import { type Action, type CloseAction, type Denial, refusal, type Verdict } from './verdict.ts'

/** An authentic packet, with all that policy needs of it. */
export interface Request extends TargetKnowledge {
  /** For a packet that GnuPG opened: by which key, and who signed it. */
  readonly gnupg?: GnupgReport
  readonly message: Message
  /** Where the packet came from. */
  readonly packetSource: IpAddress
  /** Where it was sent. Absent if the way of capture does not report it. */
  readonly packetDestination?: IpAddress
  /** The port that it was sent to. Absent if nobody knows. */
  readonly packetPort?: Port
  /**
   * It may ask for a loopback address, no matter what its source is: it came in by `lo`, where only this host sends. Or
   * it was recorded elsewhere (PCAP_FILE).
   */
  readonly mayNameLoopback?: true
  /** X-Forwarded-For of the HTTP request that carried the packet. Counts only if policy trusts it. */
  readonly forwardedFor?: IpAddress
  /** Why the cluster does not say that the packet is new. Absent: it says so, or there is none. */
  readonly clusterSilence?: string
  /** Why stanzas of the cluster grant nothing now. Absent: they grant, or there are none. */
  readonly clusterCopyOld?: string
}

type GrantMessage = AccessMessage | NatAccessMessage | LocalNatMessage

/**
 * @param candidates the stanzas whose keys opened the packet, in file order.
 * @returns the action of the first stanza that allows the request. If none does, the reason of the stanza that came
 * closest. If a stanza lacks only the address of a name, its refusal with `lookUp`: ask again with the address.
 */
export function decide(policy: Policy, candidates: readonly Stanza[], request: Request, now: UnixSeconds): Verdict {
  const age = checkAge(request.message.timestamp, maxAgeFrom(policy, request.packetSource), now)
  if (!age.ok) {
    const clocks = { packet: request.message.timestamp, server: now }
    return { ...refusal(age.failure, candidates), clocks }
  }

  const denials: Denial[] = []
  let closest: (Denial & { checksPassed: number }) | undefined
  for (const stanza of candidates) {
    const asked = ask(policy, stanza, request, now)
    if (asked.ok) {
      const others = candidates.slice(candidates.indexOf(stanza) + 1)
      const action =
        asked.action.kind === 'close' ? withOthers(asked.action, others, policy, request, now) : asked.action
      return { granted: true, stanza: stanza.id, action, denials }
    }
    const denial = { stanza: stanza.id, failure: asked.failure }
    denials.push(denial)
    // The address decides whether the next stanza is asked.
    if (asked.lookUp !== undefined) return { granted: false, ...denial, denials, lookUp: asked.lookUp }
    if (closest === undefined || asked.checksPassed > closest.checksPassed)
      closest = { ...denial, checksPassed: asked.checksPassed }
  }
  if (closest === undefined) {
    return refusal(refuse('ACCESS_NO_STANZA', 'no stanza with these keys is for this source and port').failure)
  }
  return { granted: false, failure: closest.failure, stanza: closest.stanza, denials }
}

type Asked =
  | { readonly ok: true; readonly action: Action }
  | (Refused & { readonly checksPassed: number; readonly lookUp?: NameQuestion })

function ask(policy: Policy, stanza: Stanza, request: Request, now: UnixSeconds): Asked {
  const question = { policy, stanza, request, now }
  for (const [checksPassed, { check }] of checks.entries()) {
    const denied = check(question)
    if (denied !== undefined) return { ...denied, checksPassed }
  }
  const { message } = request
  if (message.kind === 'command')
    return { ok: true, action: { kind: 'command', command: message.command, facts: factsOf(policy, stanza, request) } }
  const source = grantSource(policy, request)
  if (message.kind === 'close') {
    const { ports, username } = message
    return { ok: true, action: { kind: 'close', closing: { stanzas: [stanza], source, ports, username } } }
  }
  const openings = openingsFor(policy, stanza, message, source, request)
  if (!openings.ok) return { ...openings, checksPassed: checks.length }
  const firstHand = source === packetOrigin(policy, request)
  const chosen = { source, firstHand, openings: distinctOpenings(openings.value) }
  const grant = makeGrant(stanza, message, chosen)
  if (stanza.cycle === undefined) return { ok: true, action: { kind: 'grant', grant } }
  const denied = whyNoCycle(policy, stanza, request, grant)
  if (denied !== undefined) return { ...denied, checksPassed: checks.length }
  return { ok: true, action: { kind: 'cycle', grant, facts: factsOf(policy, stanza, request) } }
}

/** A door may have been opened by any stanza with these keys: the one that allowed the port, or the NAT. */
function withOthers(
  action: CloseAction,
  others: readonly Stanza[],
  policy: Policy,
  request: Request,
  now: UnixSeconds,
): CloseAction {
  const allowing = others.filter((stanza) => ask(policy, stanza, request, now).ok)
  const { closing } = action
  return { ...action, closing: { ...closing, stanzas: [...closing.stanzas, ...allowing] } }
}

/** How one check of a stanza judged a request. */
export interface Examined {
  /** The settings that the check is about. */
  readonly rule: string
  /** Absent: passed. */
  readonly failure?: Failure
}

/**
 * All checks of one stanza, also those after the first that denies: to tell an administrator why. What {@link decide}
 * says is what counts.
 * @returns the checks in order; the last one chooses what is opened.
 */
export function examine(policy: Policy, stanza: Stanza, request: Request, now: UnixSeconds): readonly Examined[] {
  const question = { policy, stanza, request, now }
  const checked = checks.map(({ rule, check }) => examined(rule, check(question)))
  const { message } = request
  if (message.kind === 'command' || message.kind === 'close') return checked
  const source = grantSource(policy, request)
  const openings = openingsFor(policy, stanza, message, source, request)
  const opened = examined('FORCE_NAT, NAT_TARGETS, ENABLE_NAT_DNS', openings.ok ? undefined : openings)
  if (!openings.ok || stanza.cycle === undefined) return [...checked, opened]
  const grant = makeGrant(stanza, message, { source, firstHand: true, openings: distinctOpenings(openings.value) })
  return [...checked, opened, examined('CMD_CYCLE_OPEN, CMD_CYCLE_CLOSE', whyNoCycle(policy, stanza, request, grant))]
}

/** Whether the commands of a cycle can be made for each port. */
function whyNoCycle(policy: Policy, stanza: Stanza, request: Request, grant: Grant): Refused | undefined {
  if (stanza.cycle === undefined) return undefined
  const facts = factsOf(policy, stanza, request)
  for (const port of cyclePorts(grant.openings, grant.source)) {
    const judged = judgeCycle(stanza.cycle, { ...facts, port, seconds: grant.lifetime })
    if (!judged.ok) return judged
  }
  return undefined
}

function examined(rule: string, denied: Refused | undefined): Examined {
  return denied === undefined ? { rule } : { rule, failure: denied.failure }
}

interface Question {
  readonly policy: Policy
  readonly stanza: Stanza
  readonly request: Request
  readonly now: UnixSeconds
}
type Check = (question: Question) => Refused | undefined

/**
 * In fwknop's order (docs/WIRE.md § 11), each with the settings that it holds a request against. A check that fwknop
 * does not have follows the one that is most like it.
 */
const checks: readonly { readonly rule: string; readonly check: Check }[] = [
  { rule: 'SOURCE, DESTINATION', check: checkAddresses },
  { rule: 'SPA_PORT', check: checkSpaPort },
  { rule: 'ACCESS_EXPIRE', check: checkExpiry },
  { rule: 'GPG_DECRYPT_ID', check: checkDecrypter },
  { rule: 'GPG_FINGERPRINT_ID, GPG_REMOTE_ID', check: checkSigner },
  { rule: 'REQUIRE_SOURCE_ADDRESS', check: checkNamedSource },
  { rule: 'GATEWAY_ADDRESSES', check: checkGatewaySource },
  { rule: 'REQUIRE_PACKET_SOURCE', check: checkPacketSource },
  { rule: 'the address to open for', check: checkGrantSource },
  { rule: 'REQUIRE_USERNAME', check: checkUsername },
  { rule: 'ENABLE_IPT_FORWARDING, ENABLE_IPT_LOCAL_NAT', check: checkNatEnabled },
  { rule: 'ENABLE_CMD_EXEC, CMD_REGEX', check: checkCommand },
  { rule: 'OPEN_PORTS, RESTRICT_PORTS', check: checkPorts },
  { rule: 'CMD_CYCLE_CLOSE', check: checkCloses },
  { rule: 'CLUSTER_COPY_AGE', check: checkCopy },
  { rule: 'CLUSTER_REQUIRED', check: checkCluster },
]

/** A user may have been removed from the cluster meanwhile. */
function checkCopy({ stanza, request: { clusterCopyOld, message } }: Question): Refused | undefined {
  if (clusterCopyOld === undefined || stanza.ofCluster !== true || message.kind === 'close') return undefined
  return refuse('CLUSTER_USERS_OUTDATED', clusterCopyOld)
}

function checkCluster({ stanza, request: { clusterSilence } }: Question): Refused | undefined {
  return clusterSilence === undefined || stanza.withoutCluster
    ? undefined
    : refuse('CLUSTER_UNREACHABLE', clusterSilence)
}

function checkAddresses({ stanza, request }: Question): Refused | undefined {
  const { packetSource, packetDestination } = request
  if (!isAmong(stanza.sources, packetSource)) return refuse('ACCESS_NO_SOURCE', `the stanza is not for ${packetSource}`)
  if (isAmong(stanza.destinations, packetDestination)) return undefined
  const sentTo = packetDestination ?? 'an unknown address (a UDP socket does not report it)'
  return refuse('ACCESS_DESTINATION_DENIED', `the packet was sent to ${sentTo}`)
}

function checkSpaPort({ policy, stanza, request: { packetPort } }: Question): Refused | undefined {
  if (packetPort === undefined || answersAt(stanza, policy.sharedPorts, packetPort)) return undefined
  return refuse('ACCESS_NO_SOURCE', `the stanza does not answer at port ${packetPort}`)
}

function checkExpiry({ stanza: { expires }, now }: Question): Refused | undefined {
  if (expires === undefined || now < expires) return undefined
  return refuse('ACCESS_EXPIRED', `it expired at ${showTime(expires)}`)
}

function checkDecrypter({ stanza, request: { gnupg: report } }: Question): Refused | undefined {
  if (report === undefined) return undefined
  const gnupg = gnupgOf(stanza)
  if (gnupg === undefined) return refuse('ACCESS_SIGNATURE_DENIED', 'the stanza is not for GnuPG')
  return checkDecryptId(gnupg, report)
}

function checkSigner({ stanza, request: { gnupg: report } }: Question): Refused | undefined {
  const gnupg = gnupgOf(stanza)
  if (report === undefined || gnupg === undefined) return undefined
  return checkSignature(gnupg.signature, report.signature)
}

function checkNamedSource({ stanza, request }: Question): Refused | undefined {
  if (!stanza.requireSourceAddress || request.message.source !== 'packet-source') return undefined
  return refuse('ACCESS_SOURCE_REQUIRED', 'the packet names no address (sent with -s); the client must name one (-a)')
}

/** “The address that I come from” would be the gateway. */
function checkGatewaySource({ policy, request: { message, packetSource } }: Question): Refused | undefined {
  if (message.source !== 'packet-source' || gatewayRules(policy, packetSource) === undefined) return undefined
  return refuse(
    'ACCESS_GATEWAY_SOURCE',
    `the packet came through the gateway ${packetSource} and names no address; the client must name its own (-a, -R)`,
  )
}

function checkPacketSource({ policy, stanza, request }: Question): Refused | undefined {
  if (!stanza.requirePacketSource) return undefined
  const [asked, from] = [grantSource(policy, request), packetOrigin(policy, request)]
  if (asked === from) return undefined
  return refuse('ACCESS_SOURCE_MISMATCH', `the packet asks for ${asked} and came from ${from}`)
}

/**
 * Refuses a grant for an address that does not mean one host on every interface. A broadcast address opens for nobody,
 * as in fwknop.
 */
function checkGrantSource({ policy, request }: Question): Refused | undefined {
  const asked = grantSource(policy, request)
  const isNamed = request.message.source !== 'packet-source'
  const unusable = isNamed && !isLinkLocal(asked) ? undefined : cannotBeHost(asked)
  if (unusable !== undefined)
    return refuse('ACCESS_SOURCE_UNUSABLE', `${unusable}; the client must name another of its addresses (-a)`)
  if (isLoopback(asked) && !isLoopback(request.packetSource) && request.mayNameLoopback !== true)
    return refuse('ACCESS_SOURCE_UNUSABLE', `${asked} is this host itself, but the packet came from another host`)
  return undefined
}

function checkUsername({ stanza: { requireUsername }, request }: Question): Refused | undefined {
  if (requireUsername === undefined || requireUsername === request.message.username) return undefined
  return refuse(
    'ACCESS_USERNAME_DENIED',
    `the packet names “${request.message.username}”, the stanza requires “${requireUsername}”`,
  )
}

function checkNatEnabled({ policy: { nat }, request: { message } }: Question): Refused | undefined {
  if (message.kind === 'natAccess' && !nat.forward)
    return refuse('ACCESS_NAT_DISABLED', 'forwarding to an inner host needs ENABLE_IPT_FORWARDING Y')
  if (message.kind === 'localNatAccess' && !nat.local)
    return refuse('ACCESS_NAT_DISABLED', 'a ghost service needs ENABLE_IPT_LOCAL_NAT Y')
  return undefined
}

function checkCommand({ stanza, request: { message } }: Question): Refused | undefined {
  if (message.kind !== 'command') return undefined
  const judged = judgeCommand(stanza.commands, message.command)
  return judged.ok ? undefined : judged
}

/** What a close command does is not known. It may shut a port for everybody, so it runs at its time alone. */
function checkCloses({ stanza: { cycle }, request: { message } }: Question): Refused | undefined {
  if (message.kind !== 'close' || cycle === undefined) return undefined
  return refuse(
    'ACCESS_REQUEST_INVALID',
    'the stanza opens by commands (CMD_CYCLE_OPEN), and their close runs at its time; “ghostport revoke” runs it now',
  )
}

/** RESTRICT_PORTS and OPEN_PORTS. With NAT, `ports` are the public ports: fwknop compares these too. */
function checkPorts({ stanza, request: { message } }: Question): Refused | undefined {
  // What is open may be closed, whether or not it may be opened again.
  if (message.kind === 'command' || message.kind === 'close') return undefined
  const { openPorts, restrictPorts } = stanza
  for (const asked of message.ports) {
    const isSame = (port: ProtocolPort) => port.protocol === asked.protocol && port.port === asked.port
    const name = `${asked.protocol}/${asked.port}`
    if (restrictPorts.some(isSame)) return refuse('ACCESS_PORT_DENIED', `${name} is in RESTRICT_PORTS`)
    if (openPorts !== undefined && !openPorts.some(isSame))
      return refuse('ACCESS_PORT_DENIED', `${name} is not in OPEN_PORTS`)
  }
  return undefined
}

/** Whom to open for: the address in the message; else the one in X-Forwarded-For; else the source of the packet. */
function grantSource(
  policy: Pick<Policy, 'http'>,
  request: Pick<Request, 'message' | 'packetSource' | 'forwardedFor'>,
): IpAddress {
  const { source } = request.message
  return source === 'packet-source' ? packetOrigin(policy, request) : source
}

/** Where the packet came from: the address before the proxy, if policy trusts X-Forwarded-For. */
function packetOrigin(
  { http }: Pick<Policy, 'http'>,
  { packetSource, forwardedFor }: Pick<Request, 'packetSource' | 'forwardedFor'>,
): IpAddress {
  const trusted = http !== 'off' && http.trustForwardedFor && isAmong(http.proxies ?? 'any', packetSource)
  return trusted && forwardedFor !== undefined ? forwardedFor : packetSource
}

/** What is opened, and with ENABLE_DESTINATION_RULE at which address of this server. */
function openingsFor(
  policy: Policy,
  stanza: Stanza,
  message: GrantMessage,
  source: IpAddress,
  request: Request,
): ReturnType<typeof chooseOpenings> {
  const chosen = chooseOpenings(policy, stanza, message, source, request)
  const { packetDestination: destination } = request
  if (!chosen.ok || !policy.atDestination) return chosen
  if (destination === undefined || familyOf(destination) !== familyOf(source))
    return refuse(
      'ACCESS_REQUEST_INVALID',
      `ENABLE_DESTINATION_RULE: the packet was sent to ${destination ?? 'an unknown address'}, and no connection from ${source} can go there`,
    )
  return ok(
    chosen.value.map((opening) =>
      opening.kind === 'transit' || opening.kind === 'divert' ? opening : { ...opening, destination },
    ),
  )
}

function makeGrant(
  stanza: Stanza,
  message: GrantMessage,
  chosen: Pick<Grant, 'source' | 'firstHand' | 'openings'>,
): Grant {
  return {
    id: grantId(chosen.source, chosen.openings),
    stanza: stanza.id,
    ...(stanza.name !== undefined && { stanzaName: stanza.name }),
    ...chosen,
    lifetime: chooseLifetime(stanza, message.timeout),
    username: message.username,
  }
}

function factsOf(policy: Policy, stanza: Stanza, request: Request): CommandFacts {
  const { packetSource, packetDestination, message } = request
  return {
    source: grantSource(policy, request),
    packetSource,
    ...(packetDestination !== undefined && { packetDestination }),
    username: message.username,
    stanza: stanza.name ?? `${stanza.id}`,
  }
}

/** What the client asks for, up to MAX_FW_TIMEOUT. A client that asks for 0 gets the stanza's default. */
function chooseLifetime({ timeout, maxTimeout, cycle }: Stanza, asked: Seconds | undefined): Seconds {
  const byDefault = cycle?.timer ?? timeout
  if (asked === undefined || asked === 0) return byDefault
  // CMD_CYCLE_TIMER may be above MAX_FW_TIMEOUT: a client must not get less by asking.
  return seconds(Math.min(asked, Math.max(maxTimeout, cycle?.timer ?? 0)))
}
