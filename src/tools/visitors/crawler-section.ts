/** Addresses that say to be crawlers, asked for in the DNS. */
import { Resolver } from 'node:dns/promises'
import { shownText } from './byte-text.ts'
import type { Section, Value } from './report.ts'
import type { Request } from './request.ts'
import { atLeast, bounds } from './sections.ts'
import type { AddressCell, Survey } from './survey.ts'
import type { Counted } from './tally.ts'
import { domainsOf, type Verified, verifyAddress } from './verify-crawlers.ts'

/** Those with most hits. A log of a hostile client must not cause as many questions as it likes. */
const MOST_ASKED = 500
const AT_A_TIME = 16
const PATIENCE = { timeout: 2_000, tries: 2 }

export async function crawlerSection(survey: Survey, request: Request): Promise<Section> {
  const claimed = survey.addresses.top(Number.POSITIVE_INFINITY, ({ selected, claims }) =>
    claims === '' ? 0 : selected,
  )
  const known = claimed.filter(({ cell }) => domainsOf(cell.claims) !== undefined)
  const asked = request.verify ? known.slice(0, MOST_ASKED) : []
  const found = await verifyAll(asked, request.resolver)
  const shown = claimed.slice(0, request.top)
  const left = claimed.length - shown.length
  return {
    report: 'crawlers',
    title: 'Addresses that say to be crawlers',
    columns: [
      { name: 'hits', kind: 'count' },
      { name: 'says to be', kind: 'text' },
      { name: 'address', kind: 'text' },
      { name: 'is', kind: 'text' },
      { name: 'name', kind: 'text' },
    ],
    rows: shown.map(({ key, cell }): Value[] => [
      atLeast(cell.selected, cell),
      shownText(cell.claims),
      shownText(key),
      found.get(key)?.finding ?? (domainsOf(cell.claims) === undefined ? 'not known' : 'not asked'),
      found.get(key)?.name ?? '',
    ]),
    notes: [
      ...(request.verify ? sums(asked, found) : ['--verify asks the DNS which of them are genuine']),
      ...(known.length > asked.length && request.verify
        ? [`only the first ${MOST_ASKED} addresses were asked for`]
        : []),
      ...(left > 0 ? [`${left} more: --top 0 shows all`] : []),
      ...bounds(survey.addresses, shown),
    ],
  }
}

type Asked = readonly Counted<AddressCell>[]

async function verifyAll(asked: Asked, server: string | undefined): Promise<ReadonlyMap<string, Verified>> {
  const found = new Map<string, Verified>()
  const resolver = new Resolver(PATIENCE)
  if (server !== undefined) resolver.setServers([server])
  let next = 0
  const work = async (): Promise<void> => {
    for (let one = asked[next++]; one !== undefined; one = asked[next++])
      found.set(one.key, await verifyAddress(resolver, one.key, domainsOf(one.cell.claims) ?? []))
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, work))
  return found
}

function sums(asked: Asked, found: ReadonlyMap<string, Verified>): readonly string[] {
  return (['genuine', 'false', 'unknown'] as const).flatMap((finding) => {
    const those = asked.filter(({ key }) => found.get(key)?.finding === finding)
    const hits = those.reduce((sum, { cell }) => sum + cell.selected, 0)
    return those.length === 0 ? [] : [`${finding}: ${hits} hits of ${those.length} addresses`]
  })
}
