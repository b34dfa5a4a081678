/** Whether the interfaces and addresses of the capture are well, as the running server sees them. */
import type { ConditionStatus } from '../../../daemon/warden/interface-watch/interface-watch.ts'
import { type Cure, defineCheck, type Finding, ifKnown, judged, notChecked, type Severity } from '../check.ts'

export const interfaces = defineCheck({
  code: 'INTERFACES',
  side: 'server',
  question: 'Do packets come in where the server listens?',
  needs: ['status', 'configuration'],
  judge: ({ status, configuration }) =>
    ifKnown(status, ({ status: running }) => {
      if (running === undefined) return notChecked('no server runs')
      // A server from before an update sends none.
      const { interfaces: conditions }: Partial<Pick<typeof running, 'interfaces'>> = running
      if (conditions === undefined) return notChecked('the server that runs is an older one')
      const loaded = configuration.known ? configuration.value.loaded : undefined
      if (loaded !== undefined && loaded.server.interfaceChecks === undefined)
        return notChecked('ENABLE_INTF_CHECKS is N, or packets come from PCAP_FILE')
      return judged(conditions.map(findingOf), 'the server that runs has found nothing wrong')
    }),
})

/** Where nothing comes in, it is an error. What others send may not be meant for this server. */
const SEVERITIES: Readonly<Record<ConditionStatus['code'], Severity>> = {
  INTF_MISSING: 'error',
  INTF_NOT_RUNNING: 'error',
  INTF_NO_ADDRESS: 'error',
  INTF_ELSEWHERE: 'warning',
  INTF_UNHEARD: 'warning',
  INTF_RESET: 'hint',
}

function findingOf({ code, text, cure, seconds }: ConditionStatus): Finding {
  return {
    severity: SEVERITIES[code] ?? 'warning',
    text,
    evidence: [`${code}, for ${seconds} s`],
    ...(cure !== undefined && { cure: cureOf(cure) }),
  }
}

/** A cure that is one command line of ip(8) can be run. */
function cureOf(cure: string): Cure {
  return cure.startsWith('ip link ') ? { command: cure } : { advice: cure }
}
