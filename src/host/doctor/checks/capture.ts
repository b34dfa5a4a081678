/** Whether packets that arrive at this host reach the receiver. */
import { defineCheck, type Finding, ifKnown, judged, notChecked } from '../check.ts'

export const capture = defineCheck({
  code: 'CAPTURE',
  side: 'server',
  question: 'Does the server see a packet that arrives?',
  needs: ['captureProbe'],
  judge: ({ captureProbe }) =>
    ifKnown(captureProbe, (probed) => {
      const missed = probed.filter(({ seen }) => seen.known && !seen.value)
      const seen = probed.filter((each) => each.seen.known && each.seen.value)
      const [unknown] = probed.flatMap((each) => (each.seen.known ? [] : [`${each.where}: ${each.seen.because}`]))
      if (missed.length === 0 && seen.length === 0) return notChecked(unknown ?? 'no packet was sent')
      return judged(
        missed.length === 0
          ? []
          : [
              {
                severity: 'error',
                text: 'a packet arrived, and the server did not see it: no knock there opens anything',
                evidence: missed.map(({ where }) => `not counted: ${where}`),
                cure: {
                  advice:
                    'restart the server, which then has the settings of its files (systemctl restart ghostport). If that does not help, look for rules that drop before it (nft list ruleset netdev)',
                },
              } satisfies Finding,
            ],
        `a packet of our own was counted at ${seen.map(({ where }) => where).join('; ')}`,
      )
    }),
})
