/** The findings that affect one grant, for its line in the log. */
import type { Grant } from '../../access/grant.ts'
import { familyOf } from '../../packet/address.ts'
import type { Finding, FindingCode } from './findings.ts'

/**
 * @param known the latest findings.
 * @returns the codes of what keeps this grant from opening its doors, each once.
 */
export function whatShuts(grant: Grant, known: readonly Finding[]): readonly FindingCode[] {
  const family = familyOf(grant.source) === 4 ? 'IPv4' : 'IPv6'
  const isAbout = ({ shuts, family: only = family }: Finding): boolean =>
    shuts !== undefined &&
    only === family &&
    grant.openings.some((opening) => {
      if (opening.kind === 'transit' || opening.kind === 'divert') return false
      if (shuts === 'all') return opening.kind !== 'forward'
      const asked = opening.kind === 'access' ? opening.port : opening.publicPort
      return shuts.some(({ protocol, port }) => protocol === opening.protocol && port === asked)
    })
  return [...new Set(known.filter(isAbout).map(({ code }) => code))]
}
