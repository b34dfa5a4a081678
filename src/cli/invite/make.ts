/** `ghostport invite NAME`: the user, and the sealed profile here or in a file. */
import { rmSync } from 'node:fs'
import type { StanzaName } from '../../access/stanza-name.ts'
import { systemClock } from '../../clock.ts'
import { invited } from '../../config/access/edit-stanza.ts'
import { formatProfile, type Profile } from '../../config/client/profile.ts'
import { invitationsFolder, type ServerConfig } from '../../config/server/server-config.ts'
import { formatLink, formatSealed, newSecret, seal } from '../../invitations/secret.ts'
import { addInvitation } from '../../invitations/store.ts'
import { formatSecret } from '../../packet/invitation-secret.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { createUserFile } from '../../system/replace-user-file.ts'
import { type UnixSeconds, unixSeconds } from '../../units.ts'
import type { Outcome } from '../command.ts'
import { describeNotice, noticeJson } from '../server/notice-lines.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { putUser } from '../user/add-user.ts'
import { nameServer, type ServerAddress } from '../user/show-profile.ts'
import { reportServer, tellServer } from '../user/tell-server.ts'
import { parseEnd } from '../user/wishes.ts'
import type { Given } from './options.ts'

const USUAL = '15m'
const USUAL_OF_FILE = '1d'
/** A person has to find the mail first, and then an administrator who confirms. */
const USUAL_OF_GATEWAY = '1d'
/** In seconds: 30 days. */
const LONGEST = 30 * 86_400

export async function invite(name: StanzaName, given: Given, terminal: Terminal): Promise<Outcome> {
  const now = systemClock.now()
  const { file } = given
  const end = endOf(given, now)
  if (!end.ok) return end
  const shows = given['show-secrets'] > 0
  if (!shows && (given.json > 0 || !process.getBuiltinModule('node:tty').isatty(1)))
    return refuse('CLI_USAGE', 'the secret is shown once, on a terminal, and standard output is none', {
      suggestion: '--show-secrets',
    })
  const isLink = given.gateway !== undefined && file === undefined
  for (const name of ['gateway-fingerprint', 'gateway-token'] as const)
    if (!isLink && given[name] !== undefined)
      return refuse('CLI_USAGE', `--${name} has no effect without --gateway, or with --file`)
  // A profile for a device that knocks without the gateway.
  const named = isLink && given['gateway-target'] === undefined ? { ...given, gateway: undefined } : given
  const address = await nameServer(named)
  if (!address.ok) return address
  if (isLink) return await inviteByGateway(name, given, address.value, { now, until: end.value }, terminal)
  const secret = newSecret()
  let until = end.value
  const keep = (profile: Profile, server: ServerConfig): Result<{ readonly takeBack: () => void }> => {
    // Never longer than the user.
    until = unixSeconds(Math.min(until, profile.until ?? until))
    const sealed = seal(secret, formatProfile(profile), until)
    if (file === undefined) return addInvitation(invitationsFolder(server), secret, { user: name, made: now, sealed })
    const written = createUserFile(file, `${formatSealed(sealed)}\n`)
    return written.ok ? ok({ takeBack: () => rmSync(file, { force: true }) }) : written
  }
  const put = await putUser(name, given, address.value, {
    ...{ now, keep, did: file === undefined ? 'invite' : 'invite by file' },
    ...(file !== undefined && { edit: (lines) => invited(lines, until) }),
  })
  if (!put.ok) return put
  const answer = await tellServer(put.value.server.controlSocket)
  const time = new Date(until * 1000).toISOString().replace('.000Z', 'Z')
  if (given.json > 0) {
    terminal.printJson({
      user: name,
      file: put.value.file,
      open: put.value.open,
      spaServer: address.value.server,
      until,
      ...(file === undefined ? { link: formatLink(secret) } : { sealedFile: file, secret: formatSecret(secret) }),
      notices: put.value.notices.map(noticeJson),
      server: answer,
    })
    return reportServer(answer, { ...terminal, note: () => {} })
  }
  terminal.print(file === undefined ? formatLink(secret) : formatSecret(secret))
  terminal.note(`added ${name} to ${put.value.file}: may open ${put.value.open}`)
  for (const notice of put.value.notices) terminal.note(describeNotice(notice))
  terminal.note(
    file === undefined
      ? [
          `the link is good once, until ${time}. On the server, “ghostport invite claim” takes it, and prints the profile`,
          `“ghostport invite list” says whether it was used; “ghostport invite cancel ${name}” takes it back`,
        ]
      : [
          `wrote the sealed profile to ${file}. Send it, and send the secret by another way`,
          `on the client: ghostport client add ${file}, and a knock before ${time}, when the keys end`,
          `a file can be copied: look who knocked (“ghostport invite list”), then “ghostport invite confirm ${name}”`,
        ],
  )
  return reportServer(answer, terminal)
}

async function inviteByGateway(
  name: StanzaName,
  given: Given,
  address: ServerAddress,
  times: { readonly now: UnixSeconds; readonly until: UnixSeconds },
  terminal: Terminal,
): Promise<Outcome> {
  const { makeLink } = await import('./make-link.ts')
  const made = await makeLink(name, given, address, times)
  if (!made.ok) return made
  const { put, link, until } = made.value
  const answer = await tellServer(put.server.controlSocket)
  if (given.json > 0) {
    const { file, open, notices } = put
    const shown = { user: name, file, open, spaServer: address.server, until, link, notices: notices.map(noticeJson) }
    terminal.printJson({ ...shown, server: answer })
    return reportServer(answer, { ...terminal, note: () => {} })
  }
  terminal.print(link)
  terminal.note(`added ${name} to ${put.file}, switched off: may open ${put.open} once you confirm`)
  for (const notice of put.notices) terminal.note(describeNotice(notice))
  terminal.note([
    `the link is good once, until ${new Date(until * 1000).toISOString().replace('.000Z', 'Z')}. Send it to the person`,
    'the person opens it, presses the button, and reads 16 digits to you, by telephone for example',
    `then: ghostport invite confirm ${name}. “ghostport invite list” shows who claimed`,
  ])
  if (given['gateway-target'] === undefined)
    terminal.note(
      'the profile does not knock through the gateway, as a browser must: --gateway-target names this server there',
    )
  return reportServer(answer, terminal)
}

function endOf(given: Given, now: UnixSeconds): Result<UnixSeconds> {
  const usual = given.file !== undefined ? USUAL_OF_FILE : given.gateway !== undefined ? USUAL_OF_GATEWAY : USUAL
  const text = given.for ?? usual
  if (!/^\+?[0-9]+[mhd]$/.test(text))
    return refuse('VALUE_INVALID', `--for: “${text}” is not a time such as 15m, 12h or 2d`)
  const end = parseEnd(text, now, 'for')
  if (end.ok && end.value - now > LONGEST) return refuse('VALUE_INVALID', `--for: “${text}” is more than 30 days`)
  return end
}
