/**
 * Whether another program can flush ghostport's table. Where it can, the server mends it, some 50 ms later. Without a
 * server, such a table has no owner either, until the next one starts.
 */
import { defineCheck, good, ifKnown, judged, notChecked } from '../check.ts'

export const tableOwner = defineCheck({
  code: 'TABLE_OWNER',
  side: 'server',
  question: 'Is the server’s table safe from a flush by other programs?',
  needs: ['tableOwner'],
  judge: ({ tableOwner: fact }) =>
    ifKnown(fact, ({ table, flags, possible }) => {
      if (flags === undefined) return notChecked(`there is no table inet ${table}: no server runs`)
      if (flags.includes('owner')) return good(`table inet ${table} has the flags ${flags.join(', ')}`)
      const why = !possible.known
        ? []
        : possible.value.possible
          ? [
              'this kernel and nftables can give it an owner: NFT_TABLE_OWNER is N, or the server is of an older version',
            ]
          : possible.value.tooOld
      return judged(
        [
          {
            severity: 'hint',
            text: 'another program can flush the server’s table. The server then makes it again, with its grants, within a moment',
            evidence: [`table inet ${table} has no owner`, ...why],
          },
        ],
        '',
      )
    }),
})
