/** Asks the kernel what the watch needs to know. */
import { describeErrno } from '../../../system/errno.ts'
import { LinkQuestions } from '../../../system/links.ts'
import type { LinkLook, LinkState } from './conditions.ts'

export interface Looked {
  readonly links: LinkLook
  /** Why something could not be asked for; absent if all could. */
  readonly fault?: string
}

export interface Links {
  /** @param names of interfaces. */
  look(names: readonly string[]): Looked
  close(): void
}

/** @throws Error where the system cannot be asked. */
export function openKernelLinks(): Links {
  const questions = new LinkQuestions()
  return {
    look(names) {
      const links = new Map<string, LinkState | null>()
      let fault: string | undefined
      for (const name of names) {
        const link = questions.link(name)
        if (link === undefined) links.set(name, null)
        else if ('errno' in link)
          fault = `the interface “${name}” could not be asked for (${describeErrno(link.errno)})`
        // Found by an alternative name. Capture goes by the real one.
        else links.set(name, link.name === name ? link : null)
      }
      return { links, ...(fault !== undefined && { fault }) }
    },
    close: () => questions.close(),
  }
}
