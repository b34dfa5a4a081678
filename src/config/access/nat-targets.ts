/**
 * NAT_TARGETS, ghostport's own: where the NAT requests of a stanza may lead. fwknop lets the holder of any key reach
 * any inner host and port, since OPEN_PORTS is compared with the public port only.
 *
 * A list of `ADDRESS`, `NETWORK`, `local` (this host's own ports, for ghost services) or `ANY`, each with `:PORT` or
 * `:FIRST-LAST` after it or without: `10.0.0.0/24:22, [2001:db8::]/64:443, local:22, 192.168.1.5:8000-8010`.
 */

import type { NatTargetRule } from '../../access/stanza.ts'
import { type IpAddress, type Network, parseNetwork } from '../../packet/address.ts'
import { isLinkLocalNetwork } from '../../packet/address-kinds.ts'
import { ok, type Result } from '../../result.ts'
import { port } from '../../units.ts'
import { nearest } from '../reading/nearest.ts'
import { invalidValue, listOf, portRangeValue, type ValueFailure } from '../reading/setting-values.ts'

const EVERY_PORT = { first: port(1), last: port(65_535) }

const WORDS: Readonly<Record<string, readonly Network[]>> = {
  any: [network('0.0.0.0', 0), network('::', 0)],
  local: [network('127.0.0.1', 32), network('::1', 128)],
}

export function natTargetsValue(text: string): Result<readonly NatTargetRule[], ValueFailure> {
  const rules = listOf(natTarget)(text)
  return rules.ok ? ok(rules.value.flat()) : rules
}

function natTarget(text: string): Result<readonly NatTargetRule[], ValueFailure> {
  const { where, portsText } = splitPorts(text)
  const networks = networksOf(where)
  if (!networks.ok) return networks
  const ports = portsText === undefined ? ok(EVERY_PORT) : portRangeValue(portsText)
  if (!ports.ok) return ports
  return ok(networks.value.map((network) => ({ network, ports: ports.value })))
}

/** In IPv6, only brackets can tell a port from a group of the address. */
function splitPorts(text: string): { where: string; portsText?: string } {
  const bracketed = /^\[([^\]]*)\](\/[0-9]+)?(?::(.*))?$/.exec(text)
  if (bracketed !== null) return parts(`${bracketed[1]}${bracketed[2] ?? ''}`, bracketed[3])
  const plain = /^([^:]*):([^:]*)$/.exec(text)
  return plain === null ? { where: text } : parts(plain[1] ?? '', plain[2])
}

function parts(where: string, portsText: string | undefined): { where: string; portsText?: string } {
  return portsText === undefined ? { where } : { where, portsText }
}

function networksOf(text: string): Result<readonly Network[], ValueFailure> {
  const word = text.toLowerCase()
  if (Object.hasOwn(WORDS, word)) return ok(WORDS[word] ?? [])
  const network = parseNetwork(text)
  if (network.ok && isLinkLocalNetwork(network.value))
    return invalidValue(`“${text}” is link-local: it is another host on each link, so no request may lead there`)
  if (network.ok) return ok([network.value])
  return invalidValue(`“${text}” is not an address, a network, local or ANY`, nearest(text, ['local', 'ANY']))
}

function network(prefix: string, length: number): Network {
  return { prefix: prefix as IpAddress, length }
}
