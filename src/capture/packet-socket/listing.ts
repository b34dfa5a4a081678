/** A program for the kernel while it is written: its jumps name labels. */
import { type Instruction, JA, LONGEST_PROGRAM } from '../../system/bpf.ts'

/** Of a conditional jump, in instructions. */
const FARTHEST_JUMP = 255

/** An instruction whose jumps still name labels. */
interface Line {
  readonly code: number
  readonly k: number
  readonly then?: string
  readonly otherwise?: string
}

/** Instructions with labels, until the distances are known. */
export class Listing {
  readonly #lines: (Line | Instruction)[] = []
  readonly #labels = new Map<string, number>()

  label(name: string): void {
    this.#labels.set(name, this.#lines.length)
  }

  add(code: number, k: number): void {
    this.#lines.push({ code, k, jt: 0, jf: 0 })
  }

  /** A jump over so many instructions. */
  skip(code: number, k: number, jt: number, jf: number): void {
    this.#lines.push({ code, k, jt, jf })
  }

  /** A jump to a label; undefined goes on with the next instruction. */
  branch(code: number, k: number, then: string | undefined, otherwise: string | undefined): void {
    this.#lines.push({
      code,
      k,
      ...(then === undefined ? {} : { then }),
      ...(otherwise === undefined ? {} : { otherwise }),
    })
  }

  assemble(): Instruction[] {
    if (this.#lines.length > LONGEST_PROGRAM) throw new RangeError('too many ports for a kernel filter')
    return this.#lines.map((line, i) => {
      if ('jt' in line) return line
      const distance = (label: string | undefined): number => {
        if (label === undefined) return 0
        const target = this.#labels.get(label)
        if (target === undefined) throw new Error(`no label ${label}`)
        return target - i - 1
      }
      const [then, otherwise] = [distance(line.then), distance(line.otherwise)]
      if (line.code === JA) return { code: JA, jt: 0, jf: 0, k: then }
      if (Math.max(then, otherwise) > FARTHEST_JUMP) throw new Error(`the jump ${i} is too far`)
      return { code: line.code, jt: then, jf: otherwise, k: line.k }
    })
  }
}
