/** `ghostport client add`: writes the profile that “ghostport user add” showed into the rc file. */
import { rcPath } from '../client/rc-stanza.ts'
import { systemClock } from '../clock.ts'
import { hasStanza, putStanza } from '../config/client/edit-fwknoprc.ts'
import { parseFwknoprc } from '../config/client/parse-fwknoprc.ts'
import { isStanzaName, type Profile, parseProfile } from '../config/client/profile.ts'
import { isSealed, parseSealed, parseSecret, unseal } from '../invitations/secret.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { createUserFile, replaceUserFile } from '../system/replace-user-file.ts'
import { readUserFile, refuseExposed, refuseMissing } from '../system/user-file.ts'
import type { UnixSeconds } from '../units.ts'
import { defineCommand, type Outcome } from './command.ts'
import type { OptionValues, ParsedCommandLine } from './terminal/parse-command-line.ts'
import { readTyped } from './terminal/read-typed.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = {
  file: { value: 'FILE', help: 'read the profile from FILE, which only you may read' },
  name: { value: 'NAME', help: 'the name of the stanza, in place of that in the profile' },
  replace: { help: 'replace the settings of a stanza that is there' },
  'rc-file': { value: 'FILE', help: 'write to FILE instead of ~/.fwknoprc' },
  json: { help: 'print one JSON object, also for a failure' },
} as const
type Given = OptionValues<typeof options>

export const command = defineCommand({
  options,
  operands: { required: ['ACTION'], optional: ['PROFILE|FILE'] },
  about: [
    'add writes a stanza into ~/.fwknoprc, from the line ghostport://… that “ghostport user add” shows on the server.',
    'Without an argument, it asks for the line, or reads it from standard input. That is better: the line holds keys, and a',
    'command line is seen in the list of processes, and kept in the history of the shell. FILE has the profile, or the',
    'sealed profile of “ghostport invite --file”: then the secret is asked for, or read from standard input.',
  ],
  after: [
    'ghostport client add                       paste the line',
    'ghostport client add < ada-phone.profile',
    'ghostport client add ada-phone.invitation',
    'ghostport knock NAME --wait',
  ],
  run,
})

async function run(
  { options: given, operands }: ParsedCommandLine<typeof options>,
  terminal: Terminal,
): Promise<Outcome> {
  const [action, argument] = operands
  if (action !== 'add') return refuse('CLI_USAGE', `“${action}” is not add`, { suggestion: 'ghostport client add' })
  if (argument !== undefined && given.file !== undefined)
    return refuse('CLI_USAGE', '--file and an argument cannot be used together')
  const text = await profileText(argument, given, terminal)
  const profile = text.ok ? parseProfile(text.value) : text
  if (!profile.ok) return profile
  if (given.name !== undefined && !isStanzaName(given.name))
    return refuse('VALUE_INVALID', `--name: “${given.name}” cannot be the name of a stanza`)
  const added = addProfile({ ...profile.value, name: given.name ?? profile.value.name }, given)
  if (!added.ok) return added
  const { file, name, replaced } = added.value
  if (given.json > 0) terminal.printJson({ file, stanza: name, replaced })
  else {
    terminal.note(`${replaced ? 'replaced' : 'added'} [${name}] in ${file}`)
    const { until } = profile.value
    if (until !== undefined && until <= systemClock.now())
      terminal.note(`by this profile, its keys ended at ${showTime(until)}: ask the administrator for a new one`)
    if (argument?.startsWith(BEGINNING) === true && !isSealed(argument))
      terminal.note('the profile was on the command line: delete it from the history of your shell')
    terminal.print(`ghostport knock ${name} --wait`)
  }
  return 0
}

/** A profile; or a sealed one, whose secret is asked for. */
async function profileText(
  argument: string | undefined,
  given: Given,
  terminal: Terminal,
): Promise<Result<string, Failure>> {
  const file = given.file ?? (argument?.startsWith(BEGINNING) === false ? argument : undefined)
  if (file !== undefined) {
    const read = readUserFile(file)
    if (!read.ok) return read
    if (read.value === undefined) return argument === undefined ? refuseMissing(file) : neither(file)
    const { text, readableByOthers } = read.value
    // Nobody can read it without its secret.
    if (isSealed(text)) return unsealed(text, terminal)
    return readableByOthers ? refuseExposed(file) : ok(text)
  }
  const line =
    argument === undefined
      ? await readTyped('the line ghostport://… (not shown)', terminal, 'PROFILE_INVALID', 'ghostport client add FILE')
      : ok(argument)
  return line.ok && isSealed(line.value) ? unsealed(line.value, terminal) : line
}

const BEGINNING = 'ghostport://'

function neither(word: string) {
  return refuse('PROFILE_INVALID', `“${word}” does not begin with ${BEGINNING}, and there is no file of that name`)
}

async function unsealed(text: string, terminal: Terminal): Promise<Result<string, Failure>> {
  const sealed = parseSealed(text)
  if (!sealed.ok) return sealed
  const { until } = sealed.value
  if (until <= systemClock.now())
    return refuse('INVITATION_ENDED', `it ended at ${showTime(until)}, and so did its keys (by the clock of this host)`)
  const typed = await readTyped('the secret of the invitation (not shown)', terminal, 'INVITATION_INVALID')
  const secret = typed.ok ? parseSecret(typed.value) : typed
  return secret.ok ? unseal(secret.value, sealed.value) : secret
}

function addProfile(
  { name, settings, made, until }: Profile,
  given: Given,
): Result<{ file: string; name: string; replaced: boolean }, Failure> {
  const where = rcPath(given['rc-file'] === undefined ? {} : { 'rc-file': given['rc-file'] })
  if ('none' in where)
    return refuse('CONFIG_UNWRITABLE', `there is no rc file: ${where.none}`, { suggestion: '--rc-file FILE' })
  const file = where.path
  const read = readUserFile(file)
  if (!read.ok) return read
  if (read.value?.readableByOthers) return refuseExposed(file)
  const text = read.value?.text ?? ''
  const before = parseFwknoprc(file, text)
  if (!before.ok) return before
  const replaced = hasStanza(text, name)
  if (replaced && given.replace === 0)
    return refuse('CONFIG_CONFLICT', `${file} has a stanza [${name}] already`, {
      suggestion: `--replace, or --name OTHER`,
    })
  // 0: the profile does not say.
  const times =
    made === 0 ? undefined : { made: showTime(made), ...(until !== undefined && { until: showTime(until) }) }
  const edited = putStanza(text, name, settings, times)
  // As a knock will read it. What [default] says may contradict the profile.
  const after = parseFwknoprc(file, edited)
  const judged = after.ok ? after.value.settings(name) : after
  if (!judged.ok) return judged
  const written = read.value === undefined ? createUserFile(file, edited) : replaceUserFile(file, edited)
  return written.ok ? ok({ file, name, replaced }) : written
}

/** RFC 3339, in UTC. */
function showTime(time: UnixSeconds): string {
  return new Date(time * 1000).toISOString().replace('.000Z', 'Z')
}
