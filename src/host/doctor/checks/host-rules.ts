/**
 * Whether the host's own rules let in what a knock opens, and nothing without one; and whether the kernel tracks the
 * connections.
 */
import type { FindingCode } from '../../../firewall/host/findings.ts'
import { type Answer, type Cure, defineCheck, type Finding, ifKnown, judged, notChecked } from '../check.ts'
import type { Configuration } from '../looks/configuration.ts'

/** What opens nothing although it was knocked is an error, and what is open without a knock too. */
const SEVERITIES: Readonly<Record<Exclude<FindingCode, 'HOST_NOT_JUDGED'>, Finding['severity']>> = {
  HOST_DROPS_MARK: 'error',
  HOST_DROPS_PORT: 'error',
  HOST_DROPS_KNOCKS: 'error',
  HOST_OPEN_PORT: 'error',
  HOST_NOTRACK: 'error',
  HOST_DROPS_NEIGHBOURS: 'warning',
}

export const hostRules = defineCheck({
  code: 'HOST_RULES',
  side: 'server',
  question: 'Do the host’s own rules let in what a knock opens, and nothing else of it?',
  needs: ['configuration'],
  judge: ({ configuration }) =>
    ifKnown(configuration, (found) => judgeRules(found, (code) => code !== 'HOST_NOTRACK', 'the rules fit')),
})

export const notrack = defineCheck({
  code: 'NOTRACK',
  side: 'server',
  question: 'Does the kernel track the connections to the ports that a knock opens?',
  needs: ['configuration'],
  judge: ({ configuration }) =>
    ifKnown(configuration, (found) => judgeRules(found, (code) => code === 'HOST_NOTRACK', 'no rule says notrack')),
})

function judgeRules(
  { loaded, refusals, notices }: Configuration,
  wanted: (code: string) => boolean,
  seen: string,
): Answer {
  if (loaded === undefined) return notChecked('the configuration is not good')
  const { kind } = loaded.server.firewall
  if (kind === 'relay') return notChecked('the relay has no rules in the firewall')
  const [refusal] = refusals.filter(({ code }) => code.startsWith('FIREWALL_'))
  if (refusal !== undefined) return notChecked(`the firewall cannot be read: ${refusal.detail}`)
  const found = notices.filter(({ code }) => code !== undefined)
  const findings = found
    .filter(({ code = '' }) => code !== 'HOST_NOT_JUDGED' && wanted(code))
    .map(
      ({ code = '', text, cure }): Finding => ({
        severity: SEVERITIES[code as keyof typeof SEVERITIES],
        text,
        evidence: [],
        ...(cure !== undefined && { cure: cureOf(cure) }),
      }),
    )
  const unjudged = found.filter(({ code }) => code === 'HOST_NOT_JUDGED').map(({ text }) => text)
  if (findings.length === 0 && unjudged.length > 0) return notChecked(unjudged.join('; '))
  return judged(findings, seen)
}

/** Most cures are a line for a program; the others are sentences. */
export function cureOf(cure: string): Cure {
  return /^(nft|ip6?tables(-legacy)?|ufw|sed|firewall-cmd|ghostport|systemctl) /.test(cure)
    ? { command: cure }
    : { advice: cure }
}
