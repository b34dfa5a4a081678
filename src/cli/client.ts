/** `ghostport client add`: writes the profile that “ghostport user add” showed into the rc file. */
import { readSync } from 'node:fs'
import { textFromBytes } from '../bytes/text.ts'
import { rcPath } from '../client/rc-stanza.ts'
import { hasStanza, putStanza } from '../config/client/edit-fwknoprc.ts'
import { parseFwknoprc } from '../config/client/parse-fwknoprc.ts'
import { isStanzaName, type Profile, parseProfile } from '../config/client/profile.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { errorCode, systemReason } from '../system/errno.ts'
import { createUserFile, replaceUserFile } from '../system/replace-user-file.ts'
import { readSecretFile, readUserFile, refuseExposed } from '../system/user-file.ts'
import type { UnixSeconds } from '../units.ts'
import { defineCommand, type Outcome } from './command.ts'
import type { OptionValues, ParsedCommandLine } from './terminal/parse-command-line.ts'
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
  operands: { required: ['ACTION'], optional: ['PROFILE'] },
  about: [
    'add writes a stanza into ~/.fwknoprc, from the line ghostport://… that “ghostport user add” shows on the server.',
    'Without PROFILE, it asks for the line, or reads it from standard input. That is better: the line holds keys, and a',
    'command line is seen in the list of processes, and kept in the history of the shell.',
  ],
  after: [
    'ghostport client add                       paste the line',
    'ghostport client add < ada-phone.profile',
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
    return refuse('CLI_USAGE', '--file and PROFILE cannot be used together')
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
    if (argument !== undefined)
      terminal.note('the profile was on the command line: delete it from the history of your shell')
    terminal.print(`ghostport knock ${name} --wait`)
  }
  return 0
}

async function profileText(
  argument: string | undefined,
  { file }: Given,
  terminal: Terminal,
): Promise<Result<string, Failure>> {
  if (argument !== undefined) return ok(argument)
  if (file !== undefined) return readSecretFile(file)
  if (!process.getBuiltinModule('node:tty').isatty(0)) return readStandardInput()
  const typed = await terminal.askSecret('the line ghostport://… (not shown)')
  return typed.ok ? ok(textFromBytes(typed.value)) : typed
}

/** More than any profile has: the parser then says that it is too long. */
const MOST_INPUT = 8192

function readStandardInput(): Result<string, Failure<'PROFILE_INVALID'>> {
  const bytes = Buffer.alloc(MOST_INPUT)
  let length = 0
  try {
    for (let got = -1; got !== 0 && length < bytes.length; length += got)
      got = readSync(0, bytes, length, bytes.length - length, null)
  } catch (error) {
    if (errorCode(error) !== 'EOF')
      return refuse('PROFILE_INVALID', `standard input cannot be read: ${errorCode(error) ?? systemReason(error)}`)
  }
  if (length === 0)
    return refuse('PROFILE_INVALID', 'standard input is empty', { suggestion: 'ghostport client add --file FILE' })
  return ok(textFromBytes(bytes.subarray(0, length)))
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
  const times = { made: showTime(made), ...(until !== undefined && { until: showTime(until) }) }
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
