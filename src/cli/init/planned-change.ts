/** What `ghostport init` is going to change, for the audit log: no key is in it. */
import { readFileSync } from 'node:fs'
import { changedLines } from '../../audit-log/changed-lines.ts'
import { USUAL_SETTINGS, USUAL_STANZAS } from '../../host/facts/own-state.ts'
import { type Step, shownCommand } from '../../host/set-up/steps.ts'
import type { HostChange } from '../recorded.ts'
import type { Prepared } from './prepare.ts'

/** The lines of the server's settings as they change, and of everything else its path or command. */
export function plannedChange({ steps }: Pick<Prepared, 'steps'>): HostChange {
  const files = steps.now.flatMap((step) => (step.kind === 'file' ? [step.file] : []))
  const settings = files.filter(({ path }) => path === USUAL_SETTINGS || path === USUAL_STANZAS)
  const earlier = new Map(settings.map(({ path }) => [path, textOf(path)]))
  const { before, after } = changedLines(earlier, new Map(settings.map(({ path, text }) => [path, text])))
  return { did: 'init', before, after: [...after, ...steps.now.flatMap(described)] }
}

/** What is done once a knock confirmed it. */
export function confirmedChange(steps: readonly Step[], note?: string): HostChange {
  return { did: 'init: confirmed', after: steps.flatMap(described), ...(note !== undefined && { note }) }
}

/** What is taken back, the last change first. */
export function takenBackChange(changes: readonly { readonly what: string }[], note?: string): HostChange {
  return {
    ...{ did: 'init: taken back', before: [...changes].reverse().map(({ what }) => what), after: [] },
    ...(note !== undefined && { note }),
  }
}

function described(step: Step): readonly string[] {
  switch (step.kind) {
    case 'file':
      return [`wrote ${step.file.path}`]
    case 'run':
      return [shownCommand(step.argv)]
    case 'sessions':
      return [step.about]
    case 'owe':
      return []
    default:
      return step satisfies never
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
