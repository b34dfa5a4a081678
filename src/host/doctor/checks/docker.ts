/**
 * Whether Docker opens what a knock should open. Its published ports are redirected before the rules of INPUT, and take
 * FORWARD. If a restart of nftables has removed its rules, its proxy still listens, and they take INPUT.
 */
import { grantedPorts } from '../../../daemon/warden/admission/granted-ports.ts'
import type { HostTable } from '../../../firewall/host/ruleset.ts'
import type { ProtocolPort } from '../../../packet/message.ts'
import { formatProtocolPorts } from '../../../packet/protocol-port.ts'
import { type Port, parsePort } from '../../../units.ts'
import { isForOthers, type Listening } from '../../facts/listening.ts'
import { type Answer, defineCheck, type Finding, ifKnown, judged } from '../check.ts'

export const dockerPorts = defineCheck({
  code: 'DOCKER_PORTS',
  side: 'server',
  question: 'Does Docker leave shut what a knock opens?',
  needs: ['hostRules', 'listening', 'configuration'],
  judge: ({ hostRules, listening, configuration }) =>
    ifKnown(hostRules, ({ ruleset }) =>
      ifKnown(listening, (services) => {
        const loaded = configuration.known ? configuration.value.loaded : undefined
        const firewall = loaded?.server.firewall
        return judgeDocker(published(ruleset.tables, services), {
          hidden: loaded === undefined ? [] : grantedPorts(loaded.policy.stanzas),
          gate: firewall?.kind === 'nftables' && firewall.mode.kind === 'gate' ? firewall.mode.protectedPorts : [],
        })
      }),
    ),
})

/** A port of this host that Docker leads to a container. */
export interface Published extends ProtocolPort {
  /** Where its packets pass: by redirection, by the proxy, or both. */
  readonly by: readonly ('FORWARD' | 'INPUT')[]
  readonly evidence: readonly string[]
}

/** As nft prints it: with the target in its own words, or, without its translations, as a target of iptables. */
const REDIRECTED = /\b(tcp|udp) dport (\d+)\b.* (?:dnat (?:ip6? )?to (\S+)|xt target "DNAT")/
/** As iptables-legacy-save prints it. */
const REDIRECTED_LEGACY = /-p (tcp|udp) .*--dport (\d+) -j DNAT --to-destination (\S+)/
const INTO_DOCKER = /^DOCKER$/

export function published(tables: readonly HostTable[], services: readonly Listening[]): readonly Published[] {
  const found = new Map<string, Published>()
  const add = (protocol: 'tcp' | 'udp', port: Port, by: 'FORWARD' | 'INPUT', seen: string): void => {
    const before = found.get(`${protocol}/${port}`)
    found.set(`${protocol}/${port}`, {
      protocol,
      port,
      by: [...new Set([...(before?.by ?? []), by])],
      evidence: [...new Set([...(before?.evidence ?? []), seen])],
    })
  }
  for (const { name, chains } of tables)
    for (const chain of chains.values()) {
      if (!INTO_DOCKER.test(chain.name) && name !== 'docker-bridges') continue
      for (const rule of chain.rules) {
        const [, protocol, number = '', target = 'a container'] =
          REDIRECTED.exec(rule.shown) ?? REDIRECTED_LEGACY.exec(rule.shown) ?? []
        const port = parsePort(number)
        if (port.ok) add(protocol as 'tcp' | 'udp', port.value, 'FORWARD', `FORWARD: leads to ${target}`)
      }
    }
  for (const service of services) {
    const isProxy = service.programs.known && service.programs.value.some(({ name }) => name === 'docker-proxy')
    if (isProxy && isForOthers(service))
      add(service.protocol, service.port, 'INPUT', `INPUT: docker-proxy listens on ${service.address}`)
  }
  return [...found.values()]
}

export function judgeDocker(
  ports: readonly Published[],
  { hidden, gate }: { readonly hidden: readonly ProtocolPort[]; readonly gate: readonly ProtocolPort[] },
): Answer {
  const isAmong = (each: ProtocolPort, list: readonly ProtocolPort[]): boolean =>
    list.some(({ protocol, port }) => protocol === each.protocol && port === each.port)
  const unguarded = ports.filter((each) => !isAmong(each, gate))
  const [first] = ports
  if (first === undefined) return judged([], 'Docker publishes no port')
  const findings = unguarded.map((each): Finding => {
    const name = formatProtocolPorts([each])
    if (isAmong(each, hidden))
      return {
        severity: 'error',
        text: `a stanza opens ${name} to those who knock, and Docker has it open to everybody`,
        evidence: each.evidence,
        cure: {
          advice: `set FIREWALL_MODE gate and PROTECTED_PORTS ${name}: the gate is before Docker’s rules, on both ways`,
        },
      }
    return {
      severity: 'hint',
      text: `Docker publishes ${name} to everybody, past the rules of INPUT`,
      evidence: each.evidence,
      cure: {
        advice: `to hide it: add it to PROTECTED_PORTS with FIREWALL_MODE gate, or publish it as 127.0.0.1:${each.port}`,
      },
    }
  })
  return judged(findings, `the gate guards ${formatProtocolPorts(ports.filter((each) => isAmong(each, gate)))}`)
}
