/** What rules do not cover: programs and parts of the kernel that see packets before the rules, or beside them. */
import { parseDeviceList } from '../../daemon/warden/interfaces.ts'
import type { Listening } from '../facts/listening.ts'
import { holdersOf } from '../facts/processes.ts'
import { type Known, known } from '../known.ts'
import type { Looker } from '../looker.ts'

/** One thing, as a sentence; `notKnown` if it could not be looked for. */
export interface Uncovered {
  readonly about: 'docker-proxy' | 'packet sockets' | 'XDP' | 'tc' | 'tcx' | 'netfilter' | 'namespaces' | 'provider'
  /** Empty: there is none. */
  readonly found: Known<readonly string[]>
}

export async function lookForUncovered(looker: Looker, listening: readonly Listening[]): Promise<readonly Uncovered[]> {
  return [
    { about: 'docker-proxy', found: known(dockerProxies(listening)) },
    { about: 'packet sockets', found: packetSockets(looker) },
    ...(await drivers(looker)),
    { about: 'netfilter', found: besideRules(looker) },
    {
      about: 'provider',
      found: known([
        'a firewall of the provider, or of a router, cannot be seen from here: scan from outside (--from-outside)',
      ]),
    },
  ]
}

/** Such a port is published in FORWARD, and open in INPUT as well. */
function dockerProxies(listening: readonly Listening[]): readonly string[] {
  const ports = listening.flatMap(({ protocol, port, programs }) =>
    programs.known && programs.value.some(({ name }) => name.startsWith('docker-pr')) ? [`${protocol}/${port}`] : [],
  )
  const named = [...new Set(ports)].join(', ')
  return ports.length === 0
    ? []
    : [
        `docker-proxy listens on ${named}: packets from outside reach the container through FORWARD, whatever INPUT says`,
      ]
}

/** A packet socket gets copies of packets before any rule. It can read, and answers nothing by itself. */
function packetSockets(looker: Looker): Known<readonly string[]> {
  const text = looker.read('/proc/self/net/packet')
  if (!text.known) return text
  const inodes = (text.value ?? '')
    .split('\n')
    .slice(1)
    .flatMap((line) => line.trim().split(/\s+/).at(-1) || [])
  if (inodes.length === 0) return known([])
  const holders = holdersOf(looker, new Set(inodes))
  if (!holders.known) return holders
  const names = inodes.map((inode) => holders.value.get(inode)?.[0])
  const shown = [
    ...new Set(names.map((held) => (held === undefined ? 'a process that is not seen' : `${held.name} (${held.pid})`))),
  ]
  return known(shown.map((name) => `${name} reads packets before any rule does (a packet socket)`))
}

async function drivers(looker: Looker): Promise<readonly Uncovered[]> {
  const links = await looker.ask('links')
  const queues = await looker.ask('queues')
  const devices = looker.read('/proc/self/net/dev')
  const names = devices.known ? parseDeviceList(devices.value ?? '') : []
  return [
    { about: 'XDP', found: links.known ? namesIn(links.value.output, xdpOf, names) : links },
    { about: 'tc', found: queues.known ? namesIn(queues.value.output, tcOf, names) : queues },
    { about: 'tcx', found: linkedPrograms(looker, names) },
  ]
}

/** Programs that hang at an interface by a link, where tc does not show them. */
function linkedPrograms(looker: Looker, names: readonly string[]): Known<readonly string[]> {
  const found: string[] = []
  for (const name of names) {
    const counted = looker.tcxPrograms(name)
    if (!counted.known) return counted
    if (counted.value > 0) found.push(`${name}: a program of eBPF (tcx) may decide about packets before any rule does`)
  }
  return known(found)
}

/** They are asked at the same hooks as the rules, and no program that lists rules shows them. */
function besideRules(looker: Looker): Known<readonly string[]> {
  const programs = looker.netfilterPrograms()
  if (!programs.known) return programs
  return known(
    programs.value.map(
      ({ family, hook, priority }) =>
        `a program of eBPF decides about packets at the hook ${hook} of netfilter (${family}, priority ${priority}), of this network or of a container’s: “bpftool net” shows it`,
    ),
  )
}

interface Row {
  readonly [name: string]: unknown
}

function namesIn(
  output: string,
  sentence: (row: Row) => string | undefined,
  names: readonly string[],
): Known<readonly string[]> {
  let rows: unknown
  try {
    rows = JSON.parse(output === '' ? '[]' : output)
  } catch {
    return { known: false, because: 'the answer is no JSON' }
  }
  if (!Array.isArray(rows)) return { known: false, because: 'the answer is no list' }
  const found = rows.flatMap((row: unknown) => {
    const said = typeof row === 'object' && row !== null ? sentence(row as Row) : undefined
    return said === undefined ? [] : [said]
  })
  return known(
    [...new Set(found)].filter((said) => names.length === 0 || names.some((name) => said.startsWith(`${name}: `))),
  )
}

function xdpOf({ ifname, xdp }: Row): string | undefined {
  return typeof ifname === 'string' && xdp !== undefined
    ? `${ifname}: an XDP program decides about packets before any rule does`
    : undefined
}

/** The places where programs and filters of tc hang. */
function tcOf({ dev, kind }: Row): string | undefined {
  return typeof dev === 'string' && (kind === 'clsact' || kind === 'ingress')
    ? `${dev}: filters of tc (${kind}) may decide about packets before any rule does`
    : undefined
}
