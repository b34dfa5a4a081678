/** A run as the XML of nmap, which ndiff and other programs read, and nmap-result.ts too. Pure. */
import { printable } from '../bytes/text.ts'
import { BANNER_SCRIPT, type Range, type ScanRun } from './nmap-result.ts'
import { showRanges } from './port-table.ts'
import { escapeXml } from './xml.ts'

export function writeResult(
  { scanner, commandLine = '', asked, hosts }: ScanRun,
  { start, end }: { readonly start: Date; readonly end: Date },
): string {
  const [name = '', version = ''] = scanner.split(' ')
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE nmaprun>',
    `<nmaprun${attributes({ scanner: name, args: commandLine, start: unix(start), startstr: start.toISOString(), version, xmloutputversion: '1.05' })}>`,
    ...[...asked].map(
      ([protocol, ranges]) =>
        `<scaninfo${attributes({ type: 'connect', protocol, numservices: countOf(ranges), services: showRanges(ranges) })}/>`,
    ),
    '<verbose level="0"/>',
    '<debugging level="0"/>',
  ]
  for (const { address, listed, others, services } of hosts) {
    lines.push(
      `<host${attributes({ starttime: unix(start), endtime: unix(end) })}><status state="up" reason="user-set" reason_ttl="0"/>`,
      `<address${attributes({ addr: address, addrtype: address.includes(':') ? 'ipv6' : 'ipv4' })}/>`,
      '<hostnames>',
      '</hostnames>',
      '<ports>',
    )
    for (const { protocol, state, ports } of others) {
      const count = countOf(ports)
      const reason = { reason: 'user-set', count, proto: protocol, ports: showRanges(ports) }
      lines.push(`<extraports${attributes({ state, count })}><extrareasons${attributes(reason)}/></extraports>`)
    }
    for (const [key, state] of listed) {
      const [protocol = '', portid = ''] = key.split('/')
      const banner = services.get(key)
      const script =
        banner === undefined ? '' : `<script${attributes({ id: BANNER_SCRIPT, output: printable(banner) })}/>`
      lines.push(
        `<port${attributes({ protocol, portid })}><state${attributes({ state, reason: 'user-set', reason_ttl: '0' })}/>${script}</port>`,
      )
    }
    lines.push('</ports>', '</host>')
  }
  const summary = `done at ${end.toISOString()}`
  const elapsed = ((end.getTime() - start.getTime()) / 1000).toFixed(2)
  const count = String(hosts.length)
  lines.push(
    `<runstats><finished${attributes({ time: unix(end), timestr: end.toISOString(), summary, elapsed, exit: 'success' })}/><hosts${attributes({ up: count, down: '0', total: count })}/>`,
    '</runstats>',
    '</nmaprun>',
  )
  return `${lines.join('\n')}\n`
}

function attributes(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${escapeXml(value)}"`)
    .join('')
}

function countOf(ranges: readonly Range[]): string {
  return String(ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0))
}

function unix(date: Date): string {
  return String(Math.floor(date.getTime() / 1000))
}
