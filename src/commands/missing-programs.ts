/** Warns of programs that the settings name and that this host does not have. They may come later: no start fails. */
import { formatTemplate, type Template } from '../access/cycle.ts'
import { describeStanza } from '../access/stanza-name.ts'
import { splitWords } from '../bytes/words.ts'
import type { LoadedConfig } from '../config/load.ts'
import type { Notice } from '../config/reading/notice.ts'
import { HOOK_EVENTS } from '../config/server/hook-settings.ts'
import type { SourceLocation } from '../result.ts'
import { whyMissing } from './find-program.ts'

/** @returns one warning for each setting. */
export function missingPrograms({
  policy: { stanzas },
  server: { commands, hooks },
  at: places,
}: Pick<LoadedConfig, 'policy' | 'server' | 'at'>): readonly Notice[] {
  const notices: Notice[] = []
  const look = (setting: string, program: string | undefined, at: SourceLocation | undefined): void => {
    const why = program === undefined ? undefined : whyMissing(program)
    if (why === undefined) return
    notices.push({ level: 'warning', text: `${setting}: ${program} cannot be run: ${why}`, ...(at && { at }) })
  }
  const sudoer = stanzas.find((stanza) => stanza.commands?.sudo !== undefined)
  if (sudoer !== undefined) look('SUDO_EXE', commands.sudo, places.SUDO_EXE ?? sudoer.location)
  for (const { id, name, cycle, location } of stanzas) {
    if (cycle === undefined) continue
    const of = `${describeStanza(id, name)}: `
    look(`${of}CMD_CYCLE_OPEN`, programOf(cycle.open), location)
    if (cycle.close !== undefined) look(`${of}CMD_CYCLE_CLOSE`, programOf(cycle.close), location)
  }
  for (const event of HOOK_EVENTS) {
    const setting = `HOOK_${event.toUpperCase()}` as 'HOOK_GRANT' | 'HOOK_REFUSAL' | 'HOOK_EXPIRY'
    look(setting, hooks?.programs[event]?.[0], places[setting])
  }
  return notices
}

/** The first word has no values. */
function programOf(template: Template): string | undefined {
  return splitWords(formatTemplate([template[0]]))?.[0]
}
