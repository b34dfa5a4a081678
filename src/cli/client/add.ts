/** `ghostport client add`: writes the profile that “ghostport user add” showed into the rc file. */
import { rmSync } from 'node:fs'
import { systemClock } from '../../clock.ts'
import { hasStanza, putStanza } from '../../config/client/edit-fwknoprc.ts'
import { isFleetProfile } from '../../config/client/fleet-profile.ts'
import { parseFingerprint } from '../../config/client/gateway-urls.ts'
import { isInviteLink, parseInviteLink } from '../../config/client/invite-link.ts'
import { type Profile, parseProfile } from '../../config/client/profile.ts'
import { BEGINNING, isStanzaName } from '../../config/client/profile-url.ts'
import { isSealed, parseSealed, parseSecret, unseal } from '../../invitations/secret.ts'
import { parseSecretDigits } from '../../packet/invitation-secret.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { readUserFile, refuseExposed, refuseMissing } from '../../system/user-file.ts'
import type { UnixSeconds } from '../../units.ts'
import type { Outcome } from '../command.ts'
import { readTyped } from '../terminal/read-typed.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { Given } from './options.ts'
import { readRcText, showTime, timesOf, writeRcText } from './rc-text.ts'

/** What was written. */
interface Added {
  readonly file: string
  readonly name: string
  readonly replaced: boolean
}

export async function addToClient(argument: string | undefined, given: Given, terminal: Terminal): Promise<Outcome> {
  if (argument !== undefined && given.file !== undefined)
    return refuse('CLI_USAGE', '--file and an argument cannot be used together')
  let keyFile: string | undefined
  const text = await profileText(argument, given, terminal, (file) => {
    keyFile = file
  })
  if (!text.ok) return text
  if (given.name !== undefined && !isStanzaName(given.name))
    return refuse('VALUE_INVALID', `--name: “${given.name}” cannot be the name of a stanza`)
  const added = isFleetProfile(text.value)
    ? (await import('./add-fleet.ts')).addFleet(text.value, given, terminal)
    : addServer(text.value, given, terminal)
  if (!added.ok) return added
  // The profile can be fetched again as long as the key of this device is there.
  if (keyFile !== undefined) rmSync(keyFile, { force: true })
  if (given.json > 0) return 0
  const until = added.value
  if (until !== undefined && until <= systemClock.now())
    terminal.note(`by this profile, its keys ended at ${showTime(until)}: ask the administrator for a new one`)
  if (argument?.startsWith(BEGINNING) === true && !isSealed(argument))
    terminal.note('the profile was on the command line: delete it from the history of your shell')
  if (argument !== undefined && isInviteLink(argument) && argument.includes('#'))
    terminal.note('the secret was on the command line, where others can see it: it is used up now')
  return 0
}

/** @returns the end of its keys. */
function addServer(text: string, given: Given, terminal: Terminal): Result<UnixSeconds | undefined, Failure> {
  const profile = parseProfile(text)
  if (!profile.ok) return profile
  const added = addProfile({ ...profile.value, name: given.name ?? profile.value.name }, given)
  if (!added.ok) return added
  const { file, name, replaced } = added.value
  if (given.json > 0) terminal.printJson({ file, stanza: name, replaced })
  else {
    terminal.note(`${replaced ? 'replaced' : 'added'} [${name}] in ${file}`)
    terminal.print(`ghostport knock ${name} --wait`)
  }
  return ok(profile.value.until)
}

/** A profile; or a sealed one, whose secret is asked for. */
async function profileText(
  argument: string | undefined,
  given: Given,
  terminal: Terminal,
  onClaim: (keyFile: string) => void,
): Promise<Result<string, Failure>> {
  if (argument !== undefined && isInviteLink(argument)) return claimed(argument, given, terminal, onClaim)
  if (argument?.startsWith(SERVER_LINK)) return refuseServerLink()
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
  if (!line.ok) return line
  if (isInviteLink(line.value)) return claimed(line.value, given, terminal, onClaim)
  if (line.value.trimStart().startsWith(SERVER_LINK)) return refuseServerLink()
  return isSealed(line.value) ? unsealed(line.value, terminal) : line
}

const SERVER_LINK = 'ghostport://invite/'

function refuseServerLink() {
  return refuse('PROFILE_INVALID', 'this link is claimed on the server itself, which cannot be reached from here', {
    suggestion: 'ask the administrator to run “ghostport invite claim” there, or for a link that begins with https://',
  })
}

/** The link of an invitation at a gateway. @param onClaim gets the file with the key of this device. */
async function claimed(
  text: string,
  given: Given,
  terminal: Terminal,
  onClaim: (keyFile: string) => void,
): Promise<Result<string, Failure>> {
  const link = parseInviteLink(text)
  if (!link.ok) return link
  const pinned = given['gateway-fingerprint']
  const fingerprint = pinned === undefined ? ok(undefined) : parseFingerprint(pinned)
  if (!fingerprint.ok) return refuse('VALUE_INVALID', `--gateway-fingerprint: ${fingerprint.failure.detail}`)
  const rc = readRcText(given['rc-file'])
  if (!rc.ok) return rc
  let { secret } = link.value
  if (secret === undefined) {
    const typed = await readTyped('what is behind the “#” of the link (not shown)', terminal, 'INVITATION_INVALID')
    const read = typed.ok ? parseSecretDigits(typed.value) : typed
    if (!read.ok) return read
    secret = read.value
  }
  const { claimProfile } = await import('./claim-link.ts')
  const pin = fingerprint.value === undefined ? {} : { fingerprint: fingerprint.value }
  const profile = await claimProfile(link.value, { secret, rcFile: rc.value.file, ...pin }, terminal)
  if (!profile.ok) return profile
  onClaim(profile.value.keyFile)
  return ok(profile.value.profile)
}

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

function addProfile(profile: Profile, given: Given): Result<Added, Failure> {
  const { name, settings } = profile
  const read = readRcText(given['rc-file'])
  if (!read.ok) return read
  const { file, text } = read.value
  const replaced = hasStanza(text, name)
  if (replaced && given.replace === 0)
    return refuse('CONFIG_CONFLICT', `${file} has a stanza [${name}] already`, {
      suggestion: `--replace, or --name OTHER`,
    })
  const written = writeRcText(read.value, putStanza(text, name, settings, timesOf(profile)), [name])
  return written.ok ? ok({ file, name, replaced }) : written
}
