/** Whether the Node.js that runs ghostport still gets security fixes. */
import { defineCheck, good, judged, notChecked, type Severity } from '../check.ts'
import type { NodeFacts } from '../looks/node.ts'
import { NODE_SUPPORT_ENDS } from '../node-support.ts'

/** Before the end of support, it is a hint for so many days. */
const SOON = 90
const DAY = 86_400_000
/** Where the package of ghostport keeps its own. */
const BUNDLED = /^\/usr\/(lib|libexec)\/ghostport\//

export const node = defineCheck({
  code: 'NODE',
  side: 'host',
  question: 'Does this Node.js still get security fixes?',
  needs: ['node'],
  judge: ({ node: facts }) => judgeNode(facts),
})

export function judgeNode({ version, path, now }: NodeFacts) {
  const major = Number(version.split('.')[0])
  const end = NODE_SUPPORT_ENDS.get(major)
  if (end === undefined) return notChecked(`the end of support of Node.js ${major} was not known when this was built`)
  const left = Math.ceil((Date.parse(`${end}T00:00:00Z`) - now) / DAY)
  if (left > SOON) return good(`Node.js ${version} is supported until ${end}`)
  const severity: Severity = left > 0 ? 'hint' : 'warning'
  return judged(
    [
      {
        severity,
        text:
          left > 0
            ? `Node.js ${major} gets security fixes for ${left} more days`
            : `Node.js ${major} gets no security fixes any more`,
        evidence: [`${path} is ${version}`, `the support ends on ${end}`],
        cure: BUNDLED.test(path)
          ? { advice: 'this Node.js came with the package of ghostport: install a newer ghostport' }
          : { advice: 'install a newer Node.js. Then “ghostport unit” shows whether the unit of the server names it' },
      },
    ],
    '',
  )
}
