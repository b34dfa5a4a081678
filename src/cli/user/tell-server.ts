/** Has a running server read its files again, and says whether it took them. */
import { askControl, NOBODY_THERE, RELOAD_TIME } from '../../daemon/warden/control.ts'
import type { ReloadAnswer, UsesAnswer } from '../../daemon/warden/warden.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** As JSON has it. */
export type ServerAnswer =
  | { readonly state: 'taken'; readonly stanzas: number }
  | { readonly state: 'refused'; readonly why: string }
  | { readonly state: 'not running' }
  /** Something is there, and does not say what it did. */
  | { readonly state: 'unknown'; readonly why: string }

/** @param socket the path of the control socket. */
export async function tellServer(socket: string): Promise<ServerAnswer> {
  const asked = await askControl(socket, 'reload', RELOAD_TIME)
  if (!asked.ok) {
    const { detail } = asked.failure
    return detail.endsWith(NOBODY_THERE) ? { state: 'not running' } : { state: 'unknown', why: detail }
  }
  const answer = asked.value as ReloadAnswer | { readonly error: string }
  if ('error' in answer)
    return { state: 'unknown', why: 'the running server is of an earlier version: “systemctl reload ghostport”' }
  if (answer.taken) return { state: 'taken', stanzas: answer.stanzas }
  const where = answer.at === undefined ? '' : `${answer.at.file}:${answer.at.line}: `
  return { state: 'refused', why: `${where}${answer.detail} [${answer.code}]` }
}

/** @returns who knocked when, by NAME; undefined if no server says so. */
export async function askUses(socket: string): Promise<UsesAnswer | undefined> {
  const asked = await askControl(socket, 'uses')
  const answer = asked.ok ? (asked.value as UsesAnswer | { readonly error: string }) : undefined
  return answer === undefined || 'error' in answer ? undefined : answer
}

/** @returns the exit status: 1 if a server runs, and the change is not in force there. */
export function reportServer(answer: ServerAnswer, { note, style }: Pick<Terminal, 'note' | 'style'>): number {
  switch (answer.state) {
    case 'taken':
      note('the running server has taken the change')
      return 0
    case 'not running':
      note('no server runs here: the next start reads the change')
      return 0
    case 'refused':
      note(`${'the change is written, but the running server did not take it'}: ${answer.why}`)
      return 1
    case 'unknown':
      note(`the change is written; whether the running server took it is not known: ${answer.why}`)
      return 1
    default:
      void style
      return answer satisfies never
  }
}
