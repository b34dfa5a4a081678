/** The Node.js that runs this program. */
import type { Subject } from '../subject.ts'

export interface NodeFacts {
  /** `24.21.0` */
  readonly version: string
  readonly path: string
  readonly now: number
}

export function lookAtNode({ now }: Subject): NodeFacts {
  return { version: process.versions.node, path: process.execPath, now }
}
