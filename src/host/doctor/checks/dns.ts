/** Whether the servers' names have addresses that this host can reach, over IPv4 and IPv6. */
import type { ClientSettings } from '../../../config/client/layer.ts'
import { type AddressFamily, familyOf, type IpAddress } from '../../../packet/address.ts'
import { type Answer, defineCheck, type Finding, ifKnown, judged, notChecked } from '../check.ts'
import type { ClientStanzas } from '../looks/client-stanzas.ts'
import type { NamedServer } from '../looks/servers.ts'

export const dns = defineCheck({
  code: 'DNS',
  side: 'client',
  question: 'Do the servers have addresses that this host can send to?',
  needs: ['clientStanzas', 'servers'],
  judge: ({ clientStanzas, servers }) =>
    ifKnown(clientStanzas, (stanzas) => ifKnown(servers, (named) => judgeServers(stanzas, named))),
})

function judgeServers({ stanzas, file }: ClientStanzas, named: ReadonlyMap<string, NamedServer>): Answer {
  const findings: Finding[] = []
  const seen: string[] = []
  const unknown: string[] = []
  for (const { name, settings } of stanzas) {
    const server = named.get(name)
    if (server === undefined) continue
    if (!server.addresses.known) {
      unknown.push(server.addresses.because)
      continue
    }
    const evidence = [`stanza [${name}] of ${file}: SPA_SERVER ${server.server}`]
    findings.push(...judgeServer(server, server.addresses.value ?? [], settings, evidence))
    seen.push(`${server.server}: ${(server.addresses.value ?? []).join(', ')}`)
  }
  if (findings.length === 0 && unknown.length > 0)
    return notChecked(`the names could not be looked up: ${unknown.join('; ')}`)
  if (findings.length === 0 && seen.length === 0) return notChecked('no stanza names a server (SPA_SERVER)')
  return judged(findings, [...new Set(seen)].join('; '))
}

function judgeServer(
  { server, isAddress, sources }: NamedServer,
  addresses: readonly IpAddress[],
  settings: ClientSettings | undefined,
  evidence: readonly string[],
): readonly Finding[] {
  const records = `A: ${listed(addresses, 4)}; AAAA: ${listed(addresses, 6)}`
  if (addresses.length === 0)
    return [
      {
        severity: 'error',
        text: `the name ${server} has no address, so no packet can be sent`,
        evidence: [...evidence, records],
        cure: { advice: `correct SPA_SERVER, or the name: getent ahosts ${server}` },
      },
    ]
  const wanted = settings?.family
  if (wanted !== undefined && !addresses.some((address) => familyOf(address) === wanted))
    return [
      {
        severity: 'error',
        text: `${server} has no IPv${wanted} address, and the stanza wants one`,
        evidence: [...evidence, isAddress ? `${server} is an address` : records],
        cure: { advice: wanted === 4 ? 'take SERVER_RESOLVE_IPV4 out of the stanza' : 'correct SPA_SERVER' },
      },
    ]
  const used = [...sources].filter(([family]) => wanted === undefined || family === wanted)
  const ways = used.filter(([, source]) => source.known)
  if (ways.length > 0) return []
  return [
    {
      severity: 'error',
      text: `this host has no way to ${server}`,
      evidence: [
        ...evidence,
        records,
        ...used.map(([family, source]) => `IPv${family}: ${source.known ? '' : source.because}`),
      ],
      cure: { advice: 'look at the network of this host: ip route' },
    },
  ]
}

function listed(addresses: readonly IpAddress[], family: AddressFamily): string {
  return addresses.filter((address) => familyOf(address) === family).join(' ') || 'none'
}
