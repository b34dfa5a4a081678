/** The questions of `ghostport init` that no option and no file answered. */

import { sshPorts } from '../../host/facts/sshd.ts'
import { lookAtFacts } from '../../host/facts.ts'
import type { Looker } from '../../host/looker.ts'
import { type Result, refuse } from '../../result.ts'
import { ask } from '../terminal/ask.ts'
import { usualServer } from './prepare.ts'
import { type Answers, parseWishes, type Wishes } from './wishes.ts'

/** @returns CLI_USAGE where there is no terminal. */
export async function askWishes(answers: Answers, looker: Looker): Promise<Result<Wishes>> {
  const host = await lookAtFacts(looker, ['sshd', 'session', 'interfaces'])
  const ports = host.sshd.known ? sshPorts(host.sshd.value) : []
  const questions = [
    ['hide', 'Which ports are to be hidden?', ports.map((port) => `tcp/${port}`).join(',')],
    ['server', 'By which address or name do clients reach this host?', usualServer(looker, host)],
  ] as const
  let given = answers
  for (const [name, question, usual] of questions) {
    while (given[name] === undefined) {
      const typed = ask(`${question} [${usual}]`)
      if (typed === undefined) return refuse('CLI_USAGE', 'there is no terminal to ask at', { suggestion: '--yes' })
      const answer = typed === '' ? usual : typed
      if (answer !== '' && parseWishes({ [name]: answer }).ok) given = { ...given, [name]: answer }
    }
  }
  return parseWishes(given)
}
