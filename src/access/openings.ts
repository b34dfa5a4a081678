/**
 * From a request that a stanza allows to what is opened: access to a port of the server, a ghost service, or a forward
 * to an inner host. All rules about NAT are here, including the differences from fwknop (docs/FROM-FWKNOP.md).
 */
import {
  type AddressFamily,
  familyOf,
  formatHostPort,
  type IpAddress,
  networkContains,
  parseAddress,
} from '../packet/address.ts'
import { cannotBeHost, isLoopback } from '../packet/address-kinds.ts'
import type { AccessMessage, HostName, LocalNatMessage, NatAccessMessage, ProtocolPort } from '../packet/message.ts'
import { type Failure, type Ok, ok, type Refused, type Result, refuse } from '../result.ts'
import type { Port } from '../units.ts'
import type { Opening, TransitOpening, Translated } from './grant.ts'
import type { Policy } from './policy.ts'
import type { Stanza } from './stanza.ts'
import { transitTargets } from './transit.ts'

export type OpeningFailure = Failure<
  'ACCESS_NAT_TARGET_DENIED' | 'ACCESS_NAT_TARGET_INVALID' | 'ACCESS_REQUEST_INVALID' | 'NAME_NOT_LOOKED_UP'
>

/** Asks for the address of a name, in the family of the client. */
export interface NameQuestion extends HostName {
  readonly family: AddressFamily
}

/** A name whose look-up failed. */
export interface Unresolvable {
  /** For the log, after “cannot be resolved:”. */
  readonly why: string
}

/**
 * The openings, or why there are none. `lookUp` means that only the address of the name is missing, and all else allows
 * the request. A caller that cannot look it up takes this as a refusal.
 */
type Choice = Ok<readonly Opening[]> | (Refused<OpeningFailure> & { readonly lookUp?: NameQuestion })

/** Facts about addresses that a request with NAT may lead to, and that policy cannot know by itself. */
export interface TargetKnowledge {
  /** The address of the host name in the message. Absent: the name was not looked up yet. */
  readonly resolvedTarget?: IpAddress | Unresolvable
  /** The addresses of this host now, with or without those of loopback. Absent: unknown. */
  readonly ownAddresses?: ReadonlySet<IpAddress>
  /** Where the packet was sent to: an address of this host. Absent if the way of capture does not report it. */
  readonly packetDestination?: IpAddress
}

/**
 * @param source whom to open for.
 * @returns at least one opening.
 */
export function chooseOpenings(
  policy: Policy,
  stanza: Stanza,
  message: AccessMessage | NatAccessMessage | LocalNatMessage,
  source: IpAddress,
  known: TargetKnowledge,
): Choice {
  // FORCE_NAT replaces what was asked for. The administrator wrote its target, so NAT_TARGETS need not allow it.
  const { forceNat } = stanza
  if (forceNat !== undefined) {
    const named = `FORCE_NAT ${forceNat.address}`
    if (!isLoopback(forceNat.address) && known.ownAddresses?.has(forceNat.address))
      return refuse('ACCESS_NAT_TARGET_INVALID', `${named} is this host itself: write ${loopbackOf(forceNat.address)}`)
    return natOpenings(policy, stanza, message.ports, source, forceNat)
  }
  switch (message.kind) {
    case 'access':
      // As in fwknop: without FORCE_SNAT and FORCE_MASQUERADE, it is for requests with NAT only.
      if (stanza.forwardAll && stanza.forceTranslation !== undefined) return one(transit(policy, stanza, source))
      return ok(message.ports.map(({ protocol, port }) => ({ kind: 'access', protocol, port })))
    case 'localNatAccess':
      return one(ghostRequest(policy, stanza, message, source, known))
    case 'natAccess':
      return forwardRequest(policy, stanza, message, source, known)
    default:
      return message satisfies never
  }
}

function ghostRequest(
  { nat }: Policy,
  stanza: Stanza,
  message: LocalNatMessage,
  source: IpAddress,
  { packetDestination }: TargetKnowledge,
): Result<Opening, OpeningFailure> {
  const target = { address: loopbackOf(source), port: message.localPort }
  if (!isAllowedTarget(stanza, target))
    return refuse('ACCESS_NAT_TARGET_DENIED', `port ${message.localPort} of this host is not in NAT_TARGETS`)
  const opening = ghost(stanza, message.ports, message.localPort)
  if (!opening.ok || opening.value.kind !== 'ghost' || !nat.namesGhosts) return opening
  // Only an address that a packet has reached: a client may name one that is none of this host.
  const host = parseAddress(message.host)
  const isHere = host.ok && host.value === packetDestination && familyOf(host.value) === familyOf(source)
  return isHere ? ok({ ...opening.value, named: host.value }) : opening
}

function forwardRequest(
  policy: Policy,
  stanza: Stanza,
  message: NatAccessMessage,
  source: IpAddress,
  { resolvedTarget, ownAddresses }: TargetKnowledge,
): Choice {
  const { host, port } = message.target
  if (typeof host === 'string') return forwardTo(policy, stanza, message, source, { address: host, port }, ownAddresses)
  if (!policy.nat.resolveNames)
    return refuse('ACCESS_NAT_TARGET_INVALID', `“${host.name}” is a name, and ENABLE_NAT_DNS is N`)
  if (resolvedTarget === undefined) return unresolved(stanza, host, port, source)
  if (typeof resolvedTarget === 'object')
    return refuse('ACCESS_NAT_TARGET_INVALID', `“${host.name}” cannot be resolved: ${resolvedTarget.why}`)
  return forwardTo(policy, stanza, message, source, { address: resolvedTarget, port }, ownAddresses)
}

/**
 * Refuses requests that no address could make right. For the others, the address decides. A look-up leaves this host,
 * and others can see it, so nothing is looked up in vain.
 */
function unresolved(
  stanza: Stanza,
  { name }: HostName,
  port: Port,
  source: IpAddress,
): Refused<OpeningFailure> & { readonly lookUp?: NameQuestion } {
  const family = familyOf(source)
  const rules = stanza.natTargets?.filter(({ network }) => familyOf(network.prefix) === family)
  if (rules !== undefined && !rules.some(({ ports }) => ports.first <= port && port <= ports.last))
    return refuse(
      'ACCESS_NAT_TARGET_DENIED',
      `NAT_TARGETS has no IPv${family} address with port ${port}, so no address of “${name}” is allowed`,
    )
  return { ...refuse('NAME_NOT_LOOKED_UP', `this process cannot look up “${name}”`), lookUp: { name, family } }
}

function forwardTo(
  policy: Policy,
  stanza: Stanza,
  message: NatAccessMessage,
  source: IpAddress,
  target: Target,
  ownAddresses: TargetKnowledge['ownAddresses'],
): Choice {
  // Only a ghost service may lead to this host, because it has a switch of its own. If the server gets the target
  // address later, the firewall stops the connection.
  if (isLoopback(target.address) || ownAddresses?.has(target.address))
    return refuse('ACCESS_NAT_TARGET_INVALID', `${target.address} is this host itself: ask with --nat-local`)
  if (!isAllowedTarget(stanza, target))
    return refuse('ACCESS_NAT_TARGET_DENIED', `${formatHostPort(target.address, target.port)} is not in NAT_TARGETS`)
  return natOpenings(policy, stanza, message.ports, source, target, 'asked for')
}

interface Target {
  readonly address: IpAddress
  readonly port: Port
}

/**
 * What leads to the target, and with FORWARD_ALL the way to all others. @param by `asked for`: NAT_TARGETS must allow
 * all that is opened.
 */
function natOpenings(
  policy: Policy,
  stanza: Stanza,
  ports: readonly ProtocolPort[],
  source: IpAddress,
  target: Target,
  by: 'asked for' | 'forced' = 'forced',
): Choice {
  if (!stanza.forwardAll) return one(natOpening(policy, stanza, ports, source, target))
  const onwards = transit(policy, stanza, source)
  if (!onwards.ok) return onwards
  if (isLoopback(target.address)) {
    const here = ghost(stanza, ports, target.port)
    return here.ok ? ok([onwards.value, here.value]) : here
  }
  if (stanza.disableDnat) return ok([onwards.value])
  // It checks the target.
  const forwarded = natOpening(policy, stanza, ports, source, target)
  if (!forwarded.ok) return forwarded
  if (by === 'asked for' && !isEveryPortAllowed(stanza, target.address))
    return refuse(
      'ACCESS_NAT_TARGET_DENIED',
      `with FORWARD_ALL every port leads to ${target.address}, and NAT_TARGETS does not allow every port there`,
    )
  const { translation } = onwards.value
  return ok([onwards.value, { kind: 'divert', target: target.address, translation }])
}

/** FORWARD_ALL: the way through this host, as far as NAT_TARGETS allows. */
function transit(policy: Policy, stanza: Stanza, source: IpAddress): Result<TransitOpening, OpeningFailure> {
  const to = transitTargets(stanza.natTargets, familyOf(source))
  if (to.length === 0)
    return refuse('ACCESS_NAT_TARGET_DENIED', `NAT_TARGETS has no other host for IPv${familyOf(source)}`)
  const translation = chooseTranslation(policy, stanza, source)
  return translation.ok ? ok({ kind: 'transit', to, translation: translation.value }) : translation
}

/** A ghost service if the target is this host, else a forward. Only the first requested port counts, as in fwknop. */
function natOpening(
  policy: Policy,
  stanza: Stanza,
  ports: readonly ProtocolPort[],
  source: IpAddress,
  target: Target,
): Result<Opening, OpeningFailure> {
  if (isLoopback(target.address)) return ghost(stanza, ports, target.port)
  const asked = ports[0]
  if (asked === undefined) return refuse('ACCESS_REQUEST_INVALID', 'no port is asked for')
  const unusable = cannotBeHost(target.address)
  if (unusable !== undefined) return refuse('ACCESS_NAT_TARGET_INVALID', unusable)
  if (familyOf(target.address) !== familyOf(source))
    return refuse(
      'ACCESS_NAT_TARGET_INVALID',
      `${source} cannot be forwarded to ${target.address}: both must be IPv4, or both IPv6`,
    )
  const translation = chooseTranslation(policy, stanza, target.address)
  if (!translation.ok) return translation
  if (stanza.disableDnat) {
    const network = { prefix: target.address, length: familyOf(target.address) === 4 ? 32 : 128 }
    const to = { network, ports: { first: target.port, last: target.port }, protocol: asked.protocol }
    return ok({ kind: 'transit', to: [to], translation: translation.value })
  }
  return ok({
    kind: 'forward',
    protocol: asked.protocol,
    publicPort: asked.port,
    target,
    translation: translation.value,
  })
}

/**
 * A ghost service on its own port is plain access: there is no other port to hide behind. DISABLE_DNAT leaves the local
 * port, at its own number.
 */
function ghost(
  { disableDnat }: Pick<Stanza, 'disableDnat'>,
  ports: readonly ProtocolPort[],
  localPort: Port,
): Result<Opening, OpeningFailure> {
  const asked = ports[0]
  if (asked === undefined) return refuse('ACCESS_REQUEST_INVALID', 'no port is asked for')
  const { protocol, port } = asked
  return ok(
    port === localPort || disableDnat
      ? { kind: 'access', protocol, port: localPort }
      : { kind: 'ghost', protocol, publicPort: port, localPort },
  )
}

/** FORCE_SNAT, then FORCE_MASQUERADE (both of the stanza), then SNAT_TRANSLATE_IP, then masquerade. */
function chooseTranslation(policy: Policy, stanza: Stanza, target: IpAddress): Result<Translated, OpeningFailure> {
  const forced = stanza.forceTranslation
  if (typeof forced === 'object' && familyOf(forced.snat) !== familyOf(target))
    return refuse(
      'ACCESS_NAT_TARGET_INVALID',
      `FORCE_SNAT ${forced.snat} and the target ${target} must both be IPv4, or both IPv6`,
    )
  if (forced !== undefined) return ok(forced)
  const { translation } = policy.nat
  // One address serves one family. Forwards of the other family are masqueraded.
  if (typeof translation === 'object' && familyOf(translation.snat) !== familyOf(target)) return ok('masquerade')
  return ok(translation)
}

function isAllowedTarget({ natTargets }: Stanza, { address, port }: Target): boolean {
  if (natTargets === undefined) return true
  return natTargets.some(
    ({ network, ports }) => networkContains(network, address) && ports.first <= port && port <= ports.last,
  )
}

/** Several rules together may have every port. */
function isEveryPortAllowed({ natTargets }: Stanza, address: IpAddress): boolean {
  if (natTargets === undefined) return true
  const ranges = natTargets.filter(({ network }) => networkContains(network, address)).map(({ ports }) => ports)
  let next = 1
  for (const { first, last } of ranges.toSorted((a, b) => a.first - b.first))
    if (first <= next) next = Math.max(next, last + 1)
  return next > 65_535
}

function one(opening: Result<Opening, OpeningFailure>): Choice {
  return opening.ok ? ok([opening.value]) : opening
}

function loopbackOf(address: IpAddress): IpAddress {
  return (familyOf(address) === 4 ? '127.0.0.1' : '::1') as IpAddress
}
