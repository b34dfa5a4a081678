/** Whether there is room to record used packets. A packet that cannot be recorded opens nothing. */
import { defineCheck, type Finding, ifKnown, judged } from '../check.ts'

const MB = 1 << 20
/** Below these, the server may stop to grant at any moment; and below those, soon. */
const FEW = { bytes: 16 * MB, inodes: 100 }
const SOME = { bytes: 128 * MB, inodes: 1000 }

export const disk = defineCheck({
  code: 'DISK',
  side: 'server',
  question: 'Is there room to record used packets?',
  needs: ['replaySpace'],
  judge: ({ replaySpace }) =>
    ifKnown(replaySpace, (space) => {
      if (space === undefined) return judged([], 'used packets are not recorded, as the settings say')
      const { folder, freeBytes, freeInodes, inodes } = space
      const findings: Finding[] = []
      const seen = `${folder}: ${Math.floor(freeBytes / MB)} MB free`
      if (freeBytes < SOME.bytes)
        findings.push({
          severity: freeBytes < FEW.bytes ? 'error' : 'warning',
          text: 'the disk that records used packets is nearly full, and without room no knock opens anything',
          evidence: [seen],
          cure: { advice: `make room there. This shows what takes it: du -xh ${folder} | sort -h | tail` },
        })
      if (inodes > 0 && freeInodes < SOME.inodes)
        findings.push({
          severity: freeInodes < FEW.inodes ? 'error' : 'warning',
          text: 'the disk that records used packets has no room for more files',
          evidence: [`${folder}: ${freeInodes} of ${inodes} inodes free`],
          cure: {
            advice: `remove files there. This shows where there are many: du -x --inodes ${folder} | sort -n | tail`,
          },
        })
      return judged(findings, seen)
    }),
})
