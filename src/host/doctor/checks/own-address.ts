/**
 * Whether the address that a knock names is the one that its server sees. Behind a NAT, the server sees the address of
 * the router. This asks nobody outside: it compares the settings with the addresses of this host.
 */
import { familyOf, type IpAddress } from '../../../packet/address.ts'
import { isPrivate } from '../../../packet/address-kinds.ts'
import { type Answer, defineCheck, type Finding, ifKnown, judged, notChecked } from '../check.ts'
import type { ClientStanza, ClientStanzas } from '../looks/client-stanzas.ts'
import type { NamedServer } from '../looks/servers.ts'

export const ownAddress = defineCheck({
  code: 'OWN_ADDRESS',
  side: 'client',
  question: 'Does a knock ask for the address that the server sees?',
  needs: ['clientStanzas', 'servers'],
  judge: ({ clientStanzas, servers }) =>
    ifKnown(clientStanzas, (stanzas) => ifKnown(servers, (named) => judgeStanzas(stanzas, named))),
})

function judgeStanzas({ stanzas, file }: ClientStanzas, named: ReadonlyMap<string, NamedServer>): Answer {
  const findings: Finding[] = []
  const seen: string[] = []
  for (const stanza of stanzas) {
    const server = named.get(stanza.name)
    if (server === undefined || stanza.settings === undefined) continue
    const { allow, resolveOwn } = stanza.settings
    if (allow === 'packet-source') seen.push(`[${stanza.name}] asks for the address that its packet comes from`)
    else if (allow !== undefined) findings.push(...judgeFixed(stanza, allow, server, file))
    else if (resolveOwn === true) seen.push(`[${stanza.name}] asks a service for the own address`)
    else
      findings.push({
        severity: 'hint',
        text: `the stanza [${stanza.name}] does not say for which address to open, so each knock must say it (-R, -s or -a)`,
        evidence: [`stanza [${stanza.name}] of ${file} has no ALLOW_IP`],
        cure: { command: addLine(file, stanza.name, 'ALLOW_IP resolve') },
      })
  }
  if (findings.length === 0 && seen.length === 0) return notChecked('no stanza names a server (SPA_SERVER)')
  return judged(findings, seen.join('; '))
}

function judgeFixed({ name }: ClientStanza, allow: IpAddress, server: NamedServer, file: string): readonly Finding[] {
  const source = server.sources.get(familyOf(allow))
  // For another family than the packet's, or without a way: nothing to compare.
  if (source === undefined || !source.known || source.value === allow) return []
  const addresses = server.addresses.known ? (server.addresses.value ?? []) : []
  const outside = addresses.some((address) => familyOf(address) === familyOf(allow) && !isPrivate(address))
  const evidence = [
    `stanza [${name}] of ${file}: ALLOW_IP ${allow}`,
    `the address of this host towards ${server.server} is ${source.value}`,
  ]
  const cure = { command: replaceLine(file, name, 'ALLOW_IP', 'ALLOW_IP resolve') }
  if (isPrivate(allow) && outside)
    return [
      {
        severity: 'error',
        text: `[${name}] asks to open for ${allow}, and a server on the Internet never sees that address`,
        evidence,
        cure,
      },
    ]
  // Behind a NAT, a public address may well be the right one.
  if (isPrivate(source.value) && outside) return []
  return [
    {
      severity: 'warning',
      text: `[${name}] asks to open for ${allow}, and packets of this host come from ${source.value}`,
      evidence,
      cure,
    },
  ]
}

/** In the lines of one stanza. */
function replaceLine(file: string, stanza: string, setting: string, line: string): string {
  return `sed -i '/^ *\\[ *${escaped(stanza)} *\\]/,/^ *\\[/ s/^[[:space:]]*${setting}[[:space:]].*/${line}/' ${quoted(file)}`
}

function addLine(file: string, stanza: string, line: string): string {
  return `sed -i '/^ *\\[ *${escaped(stanza)} *\\]/ a ${line}' ${quoted(file)}`
}

/** For a regular expression of sed between single quotes. */
function escaped(text: string): string {
  return text.replaceAll(/[.[\]*^$/\\]/g, '\\$&').replaceAll("'", '.')
}

function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`
}
