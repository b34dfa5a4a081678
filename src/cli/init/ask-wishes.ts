/** The questions of `ghostport init` that no option and no file answered. */

import { sshPorts } from '../../host/facts/sshd.ts'
import { lookAtFacts } from '../../host/facts.ts'
import type { Looker } from '../../host/looker.ts'
import { describeShutPorts, type PolicyOffer } from '../../host/set-up/offer-policy.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { ask } from '../terminal/ask.ts'
import { usualServer } from './prepare.ts'
import { type Answers, parseWishes } from './wishes.ts'

/** @returns CLI_USAGE where there is no terminal. */
export async function askWishes(answers: Answers, looker: Looker): Promise<Result<Answers>> {
  const host = await lookAtFacts(looker, ['sshd', 'session', 'interfaces'])
  const ports = host.sshd.known ? sshPorts(host.sshd.value) : []
  const questions = [
    ['hide', 'Which ports are to be hidden?', ports.map((port) => `tcp/${port}`).join(',')],
    ['server', 'By which address or name do clients reach this host?', usualServer(looker, host)],
  ] as const
  let given = answers
  for (const [name, question, usual] of questions) {
    let before = ''
    while (given[name] === undefined) {
      const typed = ask(`${before}${question} [${usual}]`)
      if (typed === undefined) return refuse('CLI_USAGE', 'there is no terminal to ask at', { suggestion: '--yes' })
      const answer = typed === '' ? usual : typed
      const understood = parseWishes({ [name]: answer })
      if (answer !== '' && understood.ok) given = { ...given, [name]: answer }
      before = understood.ok ? '' : notUnderstood(understood.failure.detail)
    }
  }
  return ok(given)
}

/** Before the same question. The person did not type the name of the option. */
function notUnderstood(detail: string): string {
  return `Not understood: ${detail.replace(/^--\w+: /, '')}. `
}

/**
 * The questions about the policy of this host, where it is possible.
 * @returns all answers. CLI_USAGE where there is no terminal.
 */
export function askPolicy(
  answers: Answers,
  { shuts }: Extract<PolicyOffer, { readonly kind: 'offered' }>,
): Result<Answers> {
  const noTerminal = () => refuse('CLI_USAGE', 'there is no terminal to ask at', { suggestion: '--yes' })
  const listening = shuts.length === 0 ? '' : ` Programs listen on ${describeShutPorts(shuts)}.`
  let given = answers
  let before = ''
  while (given.policy === undefined) {
    const typed = ask(
      `${before}This host has no policy that drops by default.${listening} Shut all other ports too, but for those that you name? [y/N]`,
    )
    if (typed === undefined) return noTerminal()
    if (typed === '' || /^no?$/i.test(typed)) return ok({ ...given, policy: 'no' })
    if (/^y(es)?$/i.test(typed)) given = { ...given, policy: 'yes' }
    else before = notUnderstood('type y or n')
  }
  // There is no usual answer: one choice cuts services off, the other leaves them open.
  before = ''
  while (given.allow === undefined && shuts.length > 0) {
    const typed = ask(`${before}Which of them stay open to everybody, without a knock? Such as tcp/80,tcp/443; or none`)
    if (typed === undefined) return noTerminal()
    const understood = parseWishes({ policy: 'yes', allow: typed })
    if (typed !== '' && understood.ok) given = { ...given, allow: typed }
    before = understood.ok ? '' : notUnderstood(understood.failure.detail)
  }
  return ok(given)
}
