/** Results of scans, the same in the forms of three generations of nmap, after the DTD of each. */

export interface Told {
  readonly address?: string
  readonly args?: string
  /** `services` of the ports asked. */
  readonly asked?: string
  readonly listed?: Readonly<Record<number, 'open' | 'closed' | 'filtered'>>
  /** Port → attributes of its `service`. */
  readonly services?: Readonly<Record<number, string>>
  /** Port → elements of scripts. */
  readonly scripts?: Readonly<Record<number, string>>
  /** State of the ports that are not listed → how many, and which. */
  readonly extra?: Readonly<Record<string, readonly [count: number, ports: string]>>
}

const TABLE = 'name="unknown" method="table" conf="3"'

const portsOf = ({ listed = {}, services = {}, scripts = {} }: Told, gap: string): string =>
  Object.entries(listed)
    .map(([port, state]) => {
      const service = `<service ${services[Number(port)] ?? TABLE}${gap}/>`
      return `<port protocol="tcp" portid="${port}"><state state="${state}" reason="x" reason_ttl="0"/>${service}${scripts[Number(port)] ?? ''}</port>\n`
    })
    .join('')

/** nmap 5.21, xmloutputversion 1.03: no DOCTYPE, only counts of the ports that are not listed, no `exit`. */
export function nmap5(told: Told): string {
  const { address = '192.0.2.10', args = `nmap -PN -oX x.xml ${address}`, asked = '1-1000', extra = {} } = told
  const more = Object.entries(extra)
    .map(
      ([state, [count]]) =>
        `<extraports state="${state}" count="${count}">\n<extrareasons reason="no-responses" count="${count}"/>\n</extraports>\n`,
    )
    .join('')
  return `<?xml version="1.0"?>
<?xml-stylesheet href="/usr/share/nmap/nmap.xsl" type="text/xsl"?>
<!-- Nmap 5.21 scan initiated Thu Oct 15 21:00:00 2009 as: ${args} -->
<nmaprun scanner="nmap" args="${args}" start="1255640400" startstr="Thu Oct 15 21:00:00 2009" version="5.21" xmloutputversion="1.03">
<scaninfo type="syn" protocol="tcp" numservices="1000" services="${asked}" />
<verbose level="0" />
<debugging level="0" />
<host starttime="1255640400" endtime="1255640405"><status state="up" reason="user-set"/>
<address addr="${address}" addrtype="ipv${address.includes(':') ? 6 : 4}" />
<hostnames>
</hostnames>
<ports>${more}${portsOf(told, ' ')}</ports>
<times srtt="200" rttvar="300" to="100000" />
</host>
<runstats><finished time="1255640405" timestr="Thu Oct 15 21:00:05 2009" elapsed="5.02"/><hosts up="1" down="0" total="1" />
<!-- Nmap done at Thu Oct 15 21:00:05 2009; 1 IP address (1 host up) scanned in 5.02 seconds -->
</runstats></nmaprun>
`
}

/** nmap 6.40, xmloutputversion 1.04: a DOCTYPE with an external identifier, `cpe`, tasks, `exit`. */
export function nmap6(told: Told): string {
  return nmap5(told)
    .replace(/<!-- Nmap done.*-->\n/, '')
    .replace(
      '<?xml-stylesheet',
      '<!DOCTYPE nmaprun PUBLIC "-//IDN nmap.org//DTD Nmap XML 1.04//EN" "https://svn.nmap.org/nmap/docs/nmap.dtd">\n<?xml-stylesheet',
    )
    .replace(/5\.21/g, '6.40')
    .replace('"1.03"', '"1.04"')
    .replace(
      '<debugging level="0" />',
      '<debugging level="0"/>\n<taskbegin task="SYN Stealth Scan" time="1255640401"/>\n<taskend task="SYN Stealth Scan" time="1255640402" extrainfo="1000 total ports"/>',
    )
    .replace('reason="user-set"/>', 'reason="user-set" reason_ttl="0"/>')
    .replace(/<service ([^/]*) \/>/g, '<service $1><cpe>cpe:/a:x:y</cpe></service>')
    .replace('elapsed="5.02"', 'elapsed="5.02" summary="Nmap done; 1 IP address (1 host up)" exit="success"')
}

/** nmap 7.93, xmloutputversion 1.05: hints, and it says which ports are not listed. */
export function nmap7(told: Told): string {
  const { address = '192.0.2.10', extra = {} } = told
  const ports = new Map(Object.entries(extra))
  return nmap6(told)
    .replace(/<!DOCTYPE.*>/, '<!DOCTYPE nmaprun>')
    .replace(/6\.40/g, '7.93')
    .replace('"1.04"', '"1.05"')
    .replace(
      '<host ',
      `<hosthint><status state="up" reason="user-set" reason_ttl="0"/>\n<address addr="${address}" addrtype="ipv4"/>\n<hostnames>\n</hostnames>\n</hosthint>\n<host `,
    )
    .replace(
      /<extraports state="([^"]+)" count="(\d+)">\n<extrareasons [^>]*>/g,
      (_, state, count) =>
        `<extraports state="${state}" count="${count}">\n<extrareasons reason="no-response" count="${count}" proto="tcp" ports="${ports.get(state)?.[1]}"/>`,
    )
}

export const GENERATIONS = { '5.21': nmap5, '6.40': nmap6, '7.93': nmap7 } as const
