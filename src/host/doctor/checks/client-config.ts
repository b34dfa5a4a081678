/** Whether the stanzas of the rc file can be used, and nobody else can read their keys. */
import { defineCheck, ifKnown, judged } from '../check.ts'
import { failureFinding } from '../failure-finding.ts'

export const clientConfig = defineCheck({
  code: 'CLIENT_CONFIG',
  side: 'client',
  question: 'Can the stanzas of the rc file be used?',
  needs: ['clientStanzas'],
  judge: ({ clientStanzas }) =>
    ifKnown(clientStanzas, ({ file, fault, stanzas }) => {
      if (fault !== undefined) return judged([failureFinding(fault)], '')
      // Several stanzas share the lines of [default].
      const found = new Map(
        stanzas
          .flatMap(({ faults }) => faults.map(failureFinding))
          .map((each) => [`${each.text} ${each.evidence}`, each]),
      )
      const count = stanzas.length
      return judged([...found.values()], `${file} has ${count} ${count === 1 ? 'stanza' : 'stanzas'}`)
    }),
})
