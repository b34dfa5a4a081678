/** Who probes the decoy, and who knocks. */
import { shownText } from './byte-text.ts'
import { type KnockCell, plainAddress } from './knocks.ts'
import type { Section, Value } from './report.ts'
import type { Request } from './request.ts'
import { atLeast, bounds } from './sections.ts'
import type { Survey } from './survey.ts'
import type { Tally } from './tally.ts'

interface Known {
  readonly address: string
  readonly kind: string
  readonly hits: number
  readonly probes: number
  readonly granted: number
  readonly refused: number
  readonly missing: number
  readonly last: string
}

/** What an address does here and there, the most remarkable first. */
const GROUPS: readonly { readonly name: string; readonly has: (known: Known) => boolean }[] = [
  { name: 'scans, and was granted', has: ({ probes, granted }) => probes > 0 && granted > 0 },
  { name: 'scans, and was refused', has: ({ probes, refused }) => probes > 0 && refused > 0 },
  { name: 'scans, and never knocked', has: ({ probes }) => probes > 0 },
  { name: 'was granted, and visits', has: ({ hits, granted }) => granted > 0 && hits > 0 },
  { name: 'was granted, and never visits', has: ({ granted }) => granted > 0 },
  { name: 'was refused, and visits', has: ({ hits }) => hits > 0 },
  { name: 'was refused, and never visits', has: () => true },
]

export function knockSections(survey: Survey, knocks: Tally<KnockCell>, { top }: Request): readonly Section[] {
  const all = knownAddresses(survey, knocks)
  const groups = GROUPS.map(({ name }) => ({ name, addresses: 0, hits: 0, granted: 0, refused: 0 }))
  const ranked = all.map((known) => ({ known, rank: GROUPS.findIndex(({ has }) => has(known)) }))
  for (const { known, rank } of ranked) {
    const group = groups[rank]
    if (group === undefined) continue
    group.addresses++
    group.hits += known.hits
    group.granted += known.granted
    group.refused += known.refused
  }
  ranked.sort(
    (a, b) => a.rank - b.rank || weight(b.known) - weight(a.known) || (a.known.address < b.known.address ? -1 : 1),
  )
  const shown = ranked.slice(0, top)
  const left = ranked.length - shown.length
  const limits = [...bounds(survey.addresses, []), ...bounds(knocks, [])]
  return [
    {
      report: 'knocks',
      title: 'Who probes, and who knocks',
      columns: [
        { name: 'addresses', kind: 'count' },
        { name: 'hits', kind: 'count' },
        { name: 'granted', kind: 'count' },
        { name: 'refused', kind: 'count' },
        { name: 'group', kind: 'text' },
      ],
      rows: groups.map(({ name, addresses, hits, granted, refused }) => [addresses, hits, granted, refused, name]),
      notes: limits,
    },
    {
      report: 'knocks',
      title: 'Their addresses',
      columns: [
        { name: 'address', kind: 'text' },
        { name: 'kind', kind: 'text' },
        { name: 'hits', kind: 'count' },
        { name: 'probes', kind: 'count' },
        { name: 'granted', kind: 'count' },
        { name: 'refused', kind: 'count' },
        { name: 'last visit', kind: 'text' },
        { name: 'group', kind: 'text' },
      ],
      rows: shown.map(({ known, rank }): Value[] => [
        known.address,
        known.kind,
        atLeast(known.hits, { count: known.hits, missing: known.missing }),
        known.probes,
        known.granted,
        known.refused,
        known.last,
        GROUPS[rank]?.name ?? '',
      ]),
      notes: left > 0 ? [`${left} more: --top 0 shows all`] : [],
    },
  ]
}

/** Addresses that scan or knock. */
function knownAddresses(survey: Survey, knocks: Tally<KnockCell>): readonly Known[] {
  const found = new Map<string, Known>()
  for (const [address, cell] of survey.addresses) {
    const plain = plainAddress(address)
    const knock = knocks.get(plain)
    if (cell.probes === 0 && knock === undefined) continue
    const before = found.get(plain)
    found.set(plain, {
      address: shownText(plain),
      kind: cell.kind,
      hits: (before?.hits ?? 0) + cell.count,
      probes: (before?.probes ?? 0) + cell.probes,
      granted: knock?.granted ?? 0,
      refused: knock?.refused ?? 0,
      missing: cell.missing,
      last: cell.last,
    })
  }
  for (const [address, { granted, refused }] of knocks)
    if (!found.has(address))
      found.set(address, { address, kind: '-', hits: 0, probes: 0, granted, refused, missing: 0, last: '-' })
  return [...found.values()]
}

function weight({ probes, granted, refused, hits }: Known): number {
  return (probes + granted + refused) * 1_000_000 + hits
}
