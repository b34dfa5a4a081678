/** Whether a service that is shut over IPv4 is open over IPv6. */
import { type LeftState, leftState } from '../../../firewall/host/after-removal.ts'
import type { ProtocolPort } from '../../../packet/message.ts'
import { formatProtocolPorts } from '../../../packet/protocol-port.ts'
import { isForOthers, type Listening } from '../../facts/listening.ts'
import { known } from '../../known.ts'
import { type Answer, defineCheck, ifKnown, judged, notChecked } from '../check.ts'
import type { HostRules } from '../looks/host-rules.ts'

export const ipv6Hole = defineCheck({
  code: 'IPV6_HOLE',
  side: 'server',
  question: 'Is IPv6 filtered like IPv4?',
  needs: ['hostRules', 'listening', 'configuration'],
  judge: ({ hostRules, listening, configuration }) =>
    ifKnown(hostRules, (rules) =>
      ifKnown(listening, (services) => {
        const firewall = configuration.known ? configuration.value.loaded?.server.firewall : undefined
        const gate = firewall?.kind === 'nftables' && firewall.mode.kind === 'gate' ? firewall.mode.protectedPorts : []
        const table = firewall?.kind === 'nftables' ? firewall.table : undefined
        const mark = firewall?.kind === 'nftables' ? firewall.mark : undefined
        return judgeHole(rules, services, { gate, table, mark })
      }),
    ),
})

/** What ghostport itself does. */
export interface OwnGate {
  /** Shut by ghostport itself, over both families. */
  readonly gate: readonly ProtocolPort[]
  readonly table?: string | undefined
  /** The bit of the connections that a knock opened. */
  readonly mark?: number | undefined
}

export function judgeHole({ ruleset, ipv6 }: HostRules, services: readonly Listening[], own: OwnGate): Answer {
  if (!ipv6) return judged([], 'no interface has an IPv6 address')
  const tables = ruleset.tables.filter(({ family, name }) => family !== 'inet' || name !== own.table)
  const reached = services.filter((each) => each.family === 6 && isForOthers(each))
  const asked = distinct(reached.map(({ protocol, port }) => ({ protocol, port }))).filter(
    (each) => !own.gate.some(({ protocol, port }) => protocol === each.protocol && port === each.port),
  )
  const states = asked.map((each) => ({
    each,
    four: leftState(tables, each, 'ip'),
    six: leftState(tables, each, 'ip6'),
  }))
  const holes = states.filter(({ four, six }) => isShut(four) && six === 'open').map(({ each }) => each)
  if (holes.length === 0) {
    const unclear = states.filter(({ four, six }) => isShut(four) && six === 'unclear')
    if (unclear.length > 0)
      return notChecked(`some rules were not understood: for ${formatProtocolPorts(unclear.map(({ each }) => each))}`)
    return judged(
      [],
      asked.length === 0
        ? 'no service listens over IPv6'
        : `${asked.length} services over IPv6 are shut or open as over IPv4`,
    )
  }
  const named = formatProtocolPorts(holes)
  return judged(
    [
      {
        severity: 'error',
        text: `${named} ${holes.length === 1 ? 'is' : 'are'} shut over IPv4, and open to everybody over IPv6`,
        evidence: holes.map((hole) => `${formatProtocolPorts([hole])} listens on ${addressOf(reached, hole)}`),
        cure: { command: holes.map((hole) => shut(hole, own.mark)).join(' && ') },
      },
    ],
    '',
  )
}

function isShut(state: LeftState): boolean {
  return state === 'shut'
}

function addressOf(services: readonly Listening[], { protocol, port }: ProtocolPort): string {
  const found = services.find((each) => each.protocol === protocol && each.port === port)
  const programs = found?.programs ?? known([])
  const by = programs.known && programs.value[0] !== undefined ? ` (${programs.value[0].name})` : ''
  return `${found?.address ?? '::'}${by}`
}

/** At the end of INPUT, after what the host accepts. Connections of a knock pass. It lasts until the next boot. */
function shut({ protocol, port }: ProtocolPort, mark: number | undefined): string {
  const bits = mark === undefined ? '' : ` -m connmark ! --mark 0x${mark.toString(16)}/0x${mark.toString(16)}`
  return `ip6tables -A INPUT ! -i lo -p ${protocol} --dport ${port}${bits} -m conntrack --ctstate NEW -j DROP`
}

function distinct(ports: readonly ProtocolPort[]): readonly ProtocolPort[] {
  return ports.filter(
    ({ protocol, port }, i) => ports.findIndex((other) => other.protocol === protocol && other.port === port) === i,
  )
}
