/** The effective policy as a table: what each stanza allows, after defaults and limits. Never a key. */
import type { AccountName, CommandRule, RunAs } from '../../access/command.ts'
import { type CycleRule, formatTemplate } from '../../access/cycle.ts'
import type { Policy } from '../../access/policy.ts'
import { encryptionsOf, type GnupgEncryption, type Stanza, type StanzaEncryption } from '../../access/stanza.ts'
import { describeStanza } from '../../access/stanza-name.ts'
import { formatFilter } from '../../config/server/pcap-filter.ts'
import type { CaptureConfig, ServerConfig } from '../../config/server/server-config.ts'
import { formatCapturePort } from '../../config/server/spa-ports.ts'
import { familyOf, formatHostPort, type Network } from '../../packet/address.ts'
import { formatProtocolPorts } from '../../packet/protocol-port.ts'
import type { PortRange } from '../../units.ts'

/** What a line is about, and what it is. */
export type PolicyRow = readonly [about: string, value: string]

export interface PolicyTable {
  /** What is the same for all stanzas. */
  readonly server: readonly PolicyRow[]
  /** In the order in which they are asked. */
  readonly stanzas: readonly { readonly stanza: string; readonly at: string; readonly rows: readonly PolicyRow[] }[]
}

export function policyTable({
  server,
  policy,
}: {
  readonly server: ServerConfig
  readonly policy: Policy
}): PolicyTable {
  return {
    server: serverRows(server, policy),
    stanzas: policy.stanzas.map((stanza) => ({
      stanza: describeStanza(stanza.id, stanza.name),
      at: `${stanza.location.file}:${stanza.location.line}`,
      rows: stanzaRows(stanza, policy),
    })),
  }
}

function serverRows(
  { captures, firewall }: ServerConfig,
  { maxAge, gateways, refuseReplays, http, nat }: Policy,
): PolicyRow[] {
  return [
    ['listens', captures.map(describeCapture).join('; ')],
    ['firewall', describeFirewall(firewall)],
    ['a restart', describeRestart(firewall)],
    ['packet age', maxAge === 'unlimited' ? 'any' : `at most ${maxAge} s, in either direction`],
    ...describeGateways(gateways),
    ['used packets', refuseReplays ? 'are refused' : 'open again (ENABLE_DIGEST_PERSISTENCE N)'],
    ['over HTTP', describeHttp(http)],
    ['forwarding', yesNo(nat.forward, 'ENABLE_IPT_FORWARDING')],
    ['ghost services', yesNo(nat.local, 'ENABLE_IPT_LOCAL_NAT')],
    ['source that inner hosts see', describeTranslation(nat.translation)],
    ['names as NAT targets', yesNo(nat.resolveNames, 'ENABLE_NAT_DNS')],
  ]
}

function describeGateways(gateways: Policy['gateways']): PolicyRow[] {
  if (gateways === undefined) return []
  const { networks, maxAge, receipts } = gateways
  const age = maxAge === 'unlimited' ? 'of any age' : `at most ${maxAge} s old`
  const rest = `must name an address; receipts: ${receipts === true ? 'yes' : 'no'}`
  return [[`packets from ${networks.map(formatNetwork).join(', ')}`, `${age}, ${rest}`]]
}

function describeCapture({ kind, interfaces, ports, stanzaPorts, filter, path }: CaptureConfig): string {
  const udp = `udp ${ports.map(formatCapturePort).join(', ')}${describeStanzaPorts(stanzaPorts)}`
  const what = filter === undefined ? udp : formatFilter(filter)
  if (kind === 'pcap-file') return `to the file ${path}, ${what}`
  if (kind === 'tcp-server') return `on a TCP server, tcp ${ports.map(formatCapturePort).join(', ')}`
  const on = kind === 'udp' ? 'a UDP socket' : interfaces === 'any' ? 'all interfaces' : interfaces.join(', ')
  return `on ${on}, ${what}`
}

function formatPorts({ first, last }: PortRange): string {
  return first === last ? `${first}` : `${first}-${last}`
}

/** A thousand users may have a thousand ports. */
function describeStanzaPorts(ports: CaptureConfig['stanzaPorts']): string {
  if (ports === undefined) return ''
  const more = ports.length > MOST_SHOWN ? `, … (${ports.length} in all)` : ''
  return `; for stanzas with SPA_PORT: ${ports.slice(0, MOST_SHOWN).map(formatPorts).join(', ')}${more}`
}

const MOST_SHOWN = 8

function describeFirewall(firewall: ServerConfig['firewall']): string {
  switch (firewall.kind) {
    case 'nftables':
      return firewall.mode.kind === 'mark'
        ? `nftables, mark 0x${firewall.mark.toString(16)}: the host’s own rules accept it`
        : `nftables, shuts ${formatProtocolPorts(firewall.mode.protectedPorts)} without a grant`
    case 'iptables':
      return 'iptables: a rule for each port of a grant'
    case 'relay':
      return `relay on ${firewall.listeners.map(({ port }) => port).join(', ')}`
    default:
      return firewall satisfies never
  }
}

function describeRestart(firewall: ServerConfig['firewall']): string {
  if (firewall.kind === 'relay') return 'ends all grants and connections'
  if (!('flushAtStart' in firewall) || (!firewall.flushAtStart && !firewall.flushAtEnd)) return 'keeps live grants'
  return 'ends live grants (FLUSH_IPT_AT_INIT, FLUSH_IPT_AT_EXIT)'
}

function describeHttp(http: Policy['http']): string {
  if (http === 'off') return 'no (ENABLE_SPA_OVER_HTTP)'
  const agents = http.anyUserAgent ? 'any user agent' : 'user agent Fwknop'
  const from = http.proxies?.map(({ prefix, length }) => `${prefix}/${length}`).join(', ')
  const forwarded = `, X-Forwarded-For counts${from === undefined ? '' : ` if it comes from ${from}`}`
  return `yes, ${agents}${http.trustForwardedFor ? forwarded : ''}`
}

function describeTranslation(translation: Policy['nat']['translation']): string {
  if (typeof translation === 'object') return translation.snat
  return translation === 'masquerade' ? 'this host’s' : 'the client’s'
}

function yesNo(is: boolean, name: string): string {
  return is ? 'yes' : `no (${name} N)`
}

function stanzaRows(stanza: Stanza, policy: Policy): PolicyRow[] {
  const { sources, destinations, spaPorts, openPorts, restrictPorts, timeout, maxTimeout, forceNat, forceTranslation } =
    stanza
  const rows: (PolicyRow | undefined)[] = [
    ['packets from', describeNetworks(sources)],
    destinations === 'any' ? undefined : ['packets to', describeNetworks(destinations)],
    spaPorts === undefined ? undefined : ['packets to port', `udp ${spaPorts.map(formatPorts).join(', ')} (SPA_PORT)`],
    ['keys', describeKeys(stanza)],
    ['may open', openPorts === undefined ? 'every port (no OPEN_PORTS)' : formatProtocolPorts(openPorts)],
    restrictPorts.length === 0 ? undefined : ['never', formatProtocolPorts(restrictPorts)],
    [
      'open for',
      `${stanza.cycle?.timer ?? timeout} s, or what the client asks for, at most ${Math.max(maxTimeout, stanza.cycle?.timer ?? 0)} s`,
    ],
    ['opens for', describeWhom(stanza)],
    stanza.requireUsername === undefined ? undefined : ['user', stanza.requireUsername],
    forceNat === undefined ? undefined : ['always leads to', formatHostPort(forceNat.address, forceNat.port)],
    forceTranslation === undefined ? undefined : ['source seen there', describeTranslation(forceTranslation)],
    policy.nat.forward || policy.nat.local ? ['NAT may lead to', describeTargets(stanza)] : undefined,
    stanza.cycle === undefined ? undefined : ['opened by', describeCycle(stanza.cycle)],
    stanza.commands === undefined ? undefined : ['commands', describeCommands(stanza.commands)],
    stanza.expires === undefined ? undefined : ['ends', new Date(stanza.expires * 1000).toISOString()],
  ]
  return rows.filter((row) => row !== undefined)
}

function describeCycle({ open, close, runAs }: CycleRule): string {
  const closed = close === undefined ? 'and nothing closes' : `and “${formatTemplate(close)}” closes`
  return `“${formatTemplate(open)}”, ${closed}, as ${describeRunAs(runAs)}`
}

function describeCommands({ runAs, sudo, pattern }: CommandRule): string {
  const which = pattern === undefined ? 'any command of a client (no CMD_REGEX)' : `commands that match ${pattern.text}`
  return `${which}, as ${describeRunAs(runAs)}${sudo === undefined ? '' : ` through sudo as ${describeRunAs(sudo)}`}`
}

function describeRunAs({ user = 'root' as AccountName, group }: RunAs): string {
  return group === undefined ? user : `${user}, group ${group}`
}

function describeNetworks(networks: Stanza['sources']): string {
  return networks === 'any' ? 'any address' : networks.map(formatNetwork).join(', ')
}

function describeKeys(stanza: Stanza): string {
  const { hmac } = stanza
  return `${encryptionsOf(stanza).map(describeEncryption).join('; or ')}, ${hmac === undefined ? 'no HMAC' : `HMAC ${hmac.type}`}`
}

function describeSigners(signature: GnupgEncryption['signature']): string {
  if (signature.kind === 'disabled') return 'signed or not'
  const { fingerprints = [], ids = [], ignoresErrors } = signature
  const both = fingerprints.length > 0 && ids.length > 0
  const keys = both ? `${fingerprints.join(', ')}, and by ${ids.join(', ')}` : [...fingerprints, ...ids].join(', ')
  return `signed by ${keys}${ignoresErrors ? ', also if the key is expired or not trusted' : ''}`
}

function describeEncryption(encryption: StanzaEncryption): string {
  switch (encryption.kind) {
    case 'symmetric':
      return `Rijndael ${encryption.mode}`
    case 'gnupg':
      return `GnuPG with ${encryption.home}, ${describeSigners(encryption.signature)}`
    default:
      return encryption satisfies never
  }
}

function describeWhom({ requirePacketSource, requireSourceAddress }: Stanza): string {
  if (requirePacketSource) return 'the address that the packet comes from'
  return requireSourceAddress ? 'the address that the packet names' : 'the address that the packet names, or its source'
}

function describeTargets({ natTargets }: Stanza): string {
  if (natTargets === undefined) return 'any host and port (no NAT_TARGETS)'
  return natTargets
    .map(({ network, ports: { first, last } }) => {
      const ports = first === last ? `${first}` : first === 1 && last === 65_535 ? 'every port' : `${first}-${last}`
      return `${formatNetwork(network)} ${ports}`
    })
    .join(', ')
}

/** A whole address without its length. */
function formatNetwork({ prefix, length }: Network): string {
  return length === (familyOf(prefix) === 4 ? 32 : 128) ? prefix : `${prefix}/${length}`
}
