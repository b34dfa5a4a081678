/** `ghostport invite`: a profile for a new user that is handed over by a link or a file, without keys to read in it. */
import { parseStanzaName } from '../access/stanza-name.ts'
import { nearest } from '../config/reading/nearest.ts'
import { refuse } from '../result.ts'
import { defineCommand, type Outcome } from './command.ts'
import { ACTIONS, type Action, type Given, options, TAKEN } from './invite/options.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

export const command = defineCommand({
  options,
  operands: { required: ['NAME|ACTION'], optional: ['NAME'] },
  about: [
    'Adds a user, as “ghostport user add” does, and seals the profile: its keys are shown to nobody. Who is invited needs',
    'the sealed profile and the secret.',
    '  NAME          without --file: keeps the profile on this server, and shows a link. Who has the link gets the',
    '                profile from “ghostport invite claim”: once, and until the time of --for is over',
    '  NAME --gateway URL   a link for a browser. The profile goes through the gateway, which cannot read it, to the first',
    '                device that claims it, once you have confirmed that device. The user is switched off until then',
    '  NAME --file F writes the sealed profile into F, to be sent by any way, and shows the secret, to be sent by another.',
    '                A file can be copied. So the keys end with the invitation, unless you confirm the user before or after',
    '  claim         reads a link or its secret, and prints the profile, once',
    '  list          all invitations, and what became of them',
    '  confirm NAME  after --gateway: this device gets the profile. Asks for the digits that the person reads to you.',
    '                After --file: the user stays, because it was the right person who knocked',
    '  cancel NAME   takes an invitation back, and removes the user',
    'Exit status 1: the invitation was used, has ended or was cancelled; or there is none for NAME.',
  ],
  after: [
    'ghostport invite ada-phone --for 30m',
    'ghostport invite ada-phone --gateway https://gate.example.org --gateway-target office',
    'ghostport invite ada-phone --file ada.invitation --for 2d',
    'ssh server sudo ghostport invite claim < link | ghostport client add',
  ],
  run,
})

async function run(line: ParsedCommandLine<typeof options>, terminal: Terminal): Promise<Outcome> {
  const [word = '', second] = line.operands
  const action: Action = isAction(word) ? word : 'make'
  const taken: readonly (keyof Given)[] = TAKEN[action]
  for (const name of Object.keys(options) as (keyof Given)[]) {
    const value = line.options[name]
    if (value !== undefined && value !== 0 && !taken.includes(name))
      return refuse('CLI_USAGE', `--${name} has no effect with “invite ${action === 'make' ? 'NAME' : action}”`)
  }
  // Not quoted: it may be a link, and messages are kept in logs.
  if (action === 'claim' && second !== undefined)
    return refuse('CLI_USAGE', 'a link is not an argument: other users would see it in the list of processes', {
      suggestion: 'ghostport invite claim, which asks for it',
    })
  if (action === 'list' || action === 'claim') {
    if (second !== undefined) return refuse('CLI_USAGE', `unexpected argument “${second}”`)
    return action === 'list'
      ? (await import('./invite/list.ts')).listAll(line.options, terminal)
      : (await import('./invite/claim.ts')).claim(line.options, terminal)
  }
  if (action === 'make' && second !== undefined) {
    const meant = nearest(word, ACTIONS)
    return refuse(
      'CLI_USAGE',
      `unexpected argument “${second}”`,
      meant === undefined ? {} : { suggestion: `ghostport invite ${meant} ${second}` },
    )
  }
  const name = nameOf(action, action === 'make' ? word : second)
  if (!name.ok) return name
  switch (action) {
    case 'make':
      return (await import('./invite/make.ts')).invite(name.value, line.options, terminal)
    case 'confirm':
      return (await import('./invite/confirm.ts')).confirm(name.value, line.options, terminal)
    case 'cancel':
      return (await import('./invite/cancel.ts')).cancel(name.value, line.options, terminal)
    default:
      return action satisfies never
  }
}

function nameOf(action: Action, text: string | undefined) {
  if (text === undefined) return refuse('CLI_USAGE', `missing argument NAME: ghostport invite ${action} NAME`)
  const name = parseStanzaName(text)
  return name.ok ? name : refuse('VALUE_INVALID', `NAME: ${name.failure.detail}`)
}

function isAction(word: string): word is Exclude<Action, 'make'> {
  return (ACTIONS as readonly string[]).includes(word)
}
