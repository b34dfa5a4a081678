/** The profile of a user for the client, shown once: as a stanza of the rc file, as one line, and as a QR code. */

import { rmSync } from 'node:fs'
import type { RcChange } from '../../config/client/edit-fwknoprc.ts'
import { readClientSetting } from '../../config/client/fwknoprc-settings.ts'
import { formatProfile, type Profile, parseProfile, profileStanza } from '../../config/client/profile.ts'
import { isStanzaName } from '../../config/client/profile-url.ts'
import type { ServerConfig } from '../../config/server/server-config.ts'
import { lookAtFacts } from '../../host/facts.ts'
import { systemLooker } from '../../host/system-looker.ts'
import { DEFAULT_DIGEST_TYPE } from '../../packet/digest-type.ts'
import { parseNatHost } from '../../packet/nat-target.ts'
import { STANDARD_SPA_PORT } from '../../packet/protocol-port.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { createUserFile } from '../../system/replace-user-file.ts'
import type { PortRange, UnixSeconds } from '../../units.ts'
import { usualServer } from '../init/prepare.ts'
import type { KeyTexts } from '../knock/keygen-text.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { Given } from './options.ts'

export interface Showing extends ServerAddress {
  /**
   * Writes the file of --profile-file, before the stanza is written: keys that nobody can read again are lost.
   * @returns how to take it back, if the stanza cannot be written then.
   */
  keep(profile: Profile): Result<{ readonly takeBack: () => void }>
  /** Shows a profile. @returns what JSON has of it. */
  show(
    profile: Profile,
    terminal: Terminal,
    about: { readonly user: string; readonly file: string; readonly open: string },
  ): Promise<Readonly<Record<string, unknown>>>
}

/**
 * Before anything is changed: keys that nobody is shown are lost.
 * @returns CLI_USAGE if they would be shown nowhere.
 */
export async function prepareShowing(given: Given): Promise<Result<Showing>> {
  const isTerminal = process.getBuiltinModule('node:tty').isatty(1)
  const isAsked = given['show-secrets'] > 0
  const file = given['profile-file']
  const shown = judgeShowing(given)
  if (!shown.ok) return shown
  const qr = QR_CODES.find((one) => one === (given.qr ?? (given.gateway === undefined ? 'android' : 'profile')))
  if (qr === undefined) return refuse('VALUE_INVALID', `--qr: “${given.qr}” is not one of ${QR_CODES.join(', ')}`)
  const address = await nameServer(given)
  if (!address.ok) return address
  const { server } = address.value
  return ok({
    ...address.value,
    keep: (profile) => {
      if (file === undefined) return ok({ takeBack: () => {} })
      const written = createUserFile(file, `${formatProfile(profile)}\n`)
      return written.ok ? ok({ takeBack: () => rmSync(file, { force: true }) }) : written
    },
    show: async (profile, terminal, about) => {
      const shows = isAsked || (isTerminal && file === undefined && given.json === 0)
      if (given.json === 0 && shows)
        await printProfile(profile, terminal, given.qr === undefined && !isTerminal ? 'none' : qr)
      if (given.json === 0 && file !== undefined)
        terminal.note(`wrote the profile to ${file}: on the client, “ghostport client add --file FILE” reads it`)
      const secrets = {
        profile: formatProfile(profile),
        fwknoprc: `${profileStanza(profile)}\n`,
        android: androidText(profile),
      }
      return { ...about, spaServer: server, ...(isAsked && secrets) }
    },
  })
}

/** @returns where new keys are shown; CLI_USAGE if nowhere. */
export function judgeShowing(
  given: Pick<Given, 'show-secrets' | 'profile-file' | 'json'>,
): Result<'terminal' | 'file' | 'asked'> {
  const isTerminal = process.getBuiltinModule('node:tty').isatty(1)
  if (given['show-secrets'] > 0) return ok('asked')
  if (given['profile-file'] !== undefined) return ok('file')
  if (isTerminal && given.json === 0) return ok('terminal')
  return refuse('CLI_USAGE', 'the new keys are shown once, on a terminal, and standard output is none', {
    suggestion: '--profile-file FILE, or --show-secrets',
  })
}

/** How the client names the server. */
export interface ServerAddress {
  readonly server: string
  readonly alias: string
  /** GATEWAY and GATEWAY_TARGET, for a device that knocks through a gateway. */
  readonly gateway?: readonly RcChange[]
}

export async function nameServer(
  given: Pick<Given, 'server' | 'alias' | 'gateway' | 'gateway-target'>,
): Promise<Result<ServerAddress>> {
  const server = given.server ?? (await hereAsServer())
  const judged = parseNatHost(server)
  if (!judged.ok) return refuse('VALUE_INVALID', `--server: ${judged.failure.detail}`)
  const alias = given.alias ?? server
  const gateway = gatewayOf(given)
  if (!gateway.ok) return gateway
  return isStanzaName(alias)
    ? ok({ server, alias, ...(gateway.value !== undefined && { gateway: gateway.value }) })
    : refuse('VALUE_INVALID', `--alias: “${alias}” cannot be the name of a stanza in the rc file`)
}

/** Both or none: a gateway alone does not know where to, and a target alone has no meaning. */
function gatewayOf(given: Pick<Given, 'gateway' | 'gateway-target'>): Result<readonly RcChange[] | undefined> {
  const { gateway, 'gateway-target': target } = given
  if (gateway === undefined && target === undefined) return ok(undefined)
  if (gateway === undefined || target === undefined)
    return refuse('CLI_USAGE', '--gateway and --gateway-target belong together: the profile needs both')
  for (const [option, name, value] of [
    ['--gateway', 'GATEWAY', gateway],
    ['--gateway-target', 'GATEWAY_TARGET', target],
  ] as const) {
    const judged = readClientSetting(name, value)
    if (!judged.ok) return refuse('VALUE_INVALID', `${option}: ${judged.failure.detail}`)
  }
  return ok([
    { name: 'GATEWAY', value: gateway.replaceAll(/\s/g, '') },
    { name: 'GATEWAY_TARGET', value: target },
  ])
}

/** This host, as others reach it. */
export async function hereAsServer(): Promise<string> {
  const looker = systemLooker()
  return usualServer(looker, await lookAtFacts(looker, ['session', 'interfaces']))
}

export interface ProfileParts {
  readonly ports: string
  readonly client: readonly RcChange[]
  readonly made: UnixSeconds
  readonly until?: UnixSeconds
  /** SPA_PORT of the stanza. Absent: it answers where the server does. */
  readonly spaPorts?: readonly PortRange[]
}

/** @returns the profile as the client will read it. */
export function makeProfile(
  { server, alias, gateway }: ServerAddress,
  config: Pick<ServerConfig, 'captures'>,
  keys: KeyTexts,
  { ports, client, made, until, spaPorts }: ProfileParts,
): Result<Profile> {
  const port = spaPorts?.[0]?.first ?? spaPort(config)
  const settings: readonly RcChange[] = [
    { name: 'SPA_SERVER', value: server },
    ...(port === STANDARD_SPA_PORT ? [] : [{ name: 'SPA_SERVER_PORT', value: `${port}` } as const]),
    // A packet through a gateway names its address: its source is the gateway.
    ...(client.some(({ name }) => name === 'ALLOW_IP')
      ? []
      : [{ name: 'ALLOW_IP', value: gateway === undefined ? 'source' : 'resolve' } as const]),
    { name: 'ACCESS', value: ports.replaceAll(' ', '') },
    ...client,
    ...(gateway ?? []),
    { name: 'KEY_BASE64', value: keys.key },
    { name: 'HMAC_KEY_BASE64', value: keys.hmacKey },
    ...(keys.hmacDigestType === DEFAULT_DIGEST_TYPE
      ? []
      : [{ name: 'HMAC_DIGEST_TYPE', value: keys.hmacDigestType } as const]),
  ]
  for (const { name, value } of settings) {
    const judged = readClientSetting(name, value)
    if (!judged.ok) return judged
  }
  const profile = { name: alias, settings, made, ...(until !== undefined && { until }) }
  const read = parseProfile(formatProfile(profile))
  return read.ok ? ok(profile) : read
}

/** The first UDP port on which knocks arrive. */
function spaPort({ captures }: Pick<ServerConfig, 'captures'>): number {
  const ports = captures.filter(({ kind }) => kind !== 'tcp-server').flatMap((capture) => capture.ports)
  const first = ports.find((port) => typeof port === 'number') ?? ports[0]
  return first === undefined ? STANDARD_SPA_PORT : typeof first === 'number' ? first : first.first
}

const QR_CODES = ['android', 'profile', 'none'] as const

/** What the Android client Fwknop2 takes from a QR code: the keys alone. It splits at blanks and colons. */
export function androidText({ settings }: Profile): string {
  const value = (wanted: string): string => settings.find(({ name }) => name === wanted)?.value ?? ''
  return `KEY_BASE64:${value('KEY_BASE64')} HMAC_KEY_BASE64:${value('HMAC_KEY_BASE64')}`
}

async function printProfile(profile: Profile, terminal: Terminal, qr: (typeof QR_CODES)[number]): Promise<void> {
  const { style } = terminal
  terminal.print([
    style.bold('# For the client: a stanza of ~/.fwknoprc (chmod 600).'),
    ...profileStanza(profile).split('\n'),
    '',
    style.bold('# The same for ghostport on the client: run “ghostport client add”, and paste this line.'),
    formatProfile(profile),
  ])
  if (qr === 'none') return
  const { qrCode, qrLines } = await import('../terminal/qr-code.ts')
  const code = await qrCode(qr === 'android' ? androidText(profile) : formatProfile(profile))
  if (code === undefined) return
  const heading =
    qr === 'android'
      ? '# For the Android client Fwknop2: scan the keys. Then type server, port and HMAC type there.'
      : '# The profile as a QR code.'
  terminal.print([
    '',
    style.bold(heading),
    ...qrLines(code),
    'Clear the screen when all of it is copied: it shows keys.',
  ])
}
