/** From the command line, the rc file and the keys to a plan: what `knock`, `ssh` and `proxy` do alike. */
import { randomBytes } from 'node:crypto'
import { readSync } from 'node:fs'
import { userInfo } from 'node:os'
import { type AskSecret, loadKeys } from '../../client/keys.ts'
import { type KnockPlan, type KnockWorld, readUint16 } from '../../client/knock.ts'
import { buildRequest } from '../../client/request.ts'
import { systemResolve } from '../../client/resolve.ts'
import { systemClock } from '../../clock.ts'
import { type ClientSettings, type SettingLayer, settle } from '../../config/client/layer.ts'
import { udpDelivery } from '../../delivery/udp.ts'
import type { Username } from '../../packet/message.ts'
import { parseUsername } from '../../packet/username.ts'
import { type Failure, ok, type Refused, type Result, refuse } from '../../result.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { type KnockOptionValues, settingsFromOptions } from './options.ts'
import { type NoStanza, orInStanza, rcSettings, type StanzaWord, withNoStanza, withStanza } from './rc-stanza.ts'

/** What the operands say, besides the flags. */
export interface Hints {
  /** Where no `-n` is given: names the stanza, or its server. */
  readonly stanza?: StanzaWord
  /** What counts where neither flags nor rc file say otherwise. */
  readonly fallback?: ClientSettings
}

export interface PlannedKnock {
  readonly plan: KnockPlan
  readonly settings: ClientSettings
  readonly world: KnockWorld
  readonly noStanza?: NoStanza
}

/** @returns all that a knock needs, or the first thing that is wrong or missing. */
export async function planKnock(
  given: KnockOptionValues,
  terminal: Terminal,
  hints: Hints = {},
): Promise<Result<PlannedKnock, Failure>> {
  const flags = settingsFromOptions(given)
  if (!flags.ok) return flags
  const rc = rcSettings(given, hints.stanza)
  if (!rc.ok) return rc
  const { noStanza, stanza } = rc.value
  const command = given['server-cmd']
  // A server on the command line that no stanza is for counts for more than that of [default].
  const named = noStanza === undefined || hints.fallback?.server === undefined ? {} : { server: hints.fallback.server }
  const layers: readonly SettingLayer[] = [hints.fallback ?? {}, rc.value.settings, named]
  // A command goes in place of the ports that weaker layers name. Flags that name some contradict it.
  const weaker = command === undefined ? layers : layers.map(withoutPorts)
  const settled = settle([...weaker, flags.value])
  if (!settled.ok) return settled
  const settings = settled.value

  const { server } = settings
  if (server === undefined) {
    const { failure } = refuse('CLI_USAGE', 'say where the packet goes: -D HOST')
    return { ok: false, failure: orInStanza(failure, 'SPA_SERVER', stanza) }
  }
  /** What is missing may be in the stanza that was not found. */
  const lacking = (failure: Failure, setting: string | undefined): Refused => {
    const cured = setting === undefined ? failure : orInStanza(failure, setting, stanza)
    return { ok: false, failure: withNoStanza(cured, noStanza) }
  }
  const context = {
    username: ownName(),
    random: readUint16(randomBytes(2)),
    ...(command === undefined ? {} : { command }),
  }
  const request = buildRequest(settings, context)
  if (!request.ok) {
    if (request.failure.code === 'CLI_USAGE') {
      const noPorts = settings.access === undefined && command === undefined
      const setting = noPorts ? 'ACCESS' : settings.allow === undefined ? 'ALLOW_IP' : undefined
      return lacking(request.failure, setting)
    }
    if (request.failure.code !== 'CONFIG_CONFLICT') return request
    const flagsAlone = settle([hints.fallback ?? {}, flags.value])
    const without = flagsAlone.ok ? buildRequest(flagsAlone.value, context) : flagsAlone
    // What contradicts itself without the rc file is not the file's fault.
    const isUsage = !without.ok && without.failure.detail === request.failure.detail
    if (isUsage) return refuse('CLI_USAGE', request.failure.detail)
    return { ok: false, failure: withStanza(request.failure, stanza) }
  }
  const ask = secretsFrom(given, terminal)
  if (!ask.ok) return ask
  const keys = await loadKeys(settings, server, ask.value)
  if (!keys.ok) {
    if (keys.failure.code !== 'KEY_MISSING') return keys
    const { encryptionKey, hmacKey } = settings
    const setting = encryptionKey === undefined ? 'KEY_BASE64' : hmacKey === undefined ? 'HMAC_KEY_BASE64' : undefined
    return lacking(keys.failure, setting)
  }

  const { sourcePort } = settings
  const world = {
    resolve: systemResolve,
    delivery: udpDelivery(sourcePort === undefined ? {} : { sourcePort }),
    clock: systemClock,
    randomBytes,
  }
  const plan = { request: request.value, keys: keys.value, server, settings }
  return ok({ plan, settings, world, ...(noStanza === undefined ? {} : { noStanza }) })
}

function withoutPorts(layer: SettingLayer): SettingLayer {
  const { access, natAccess, natLocal, natPort, natRandomPort, ...rest } = layer
  return rest
}

/** As fwknop looks for it: SPOOF_USER, LOGNAME, the user database, USER. */
function ownName(): Result<Username, Failure> {
  const { SPOOF_USER, LOGNAME, USER } = process.env
  const named = SPOOF_USER || LOGNAME
  if (named) return parseUsername(named)
  try {
    return parseUsername(userInfo().username)
  } catch {
    return parseUsername(USER || 'NO_USER') // a uid that the user database does not know
  }
}

/** Where missing keys come from: `--stdin`, `--fd`, or else the user. */
function secretsFrom(given: KnockOptionValues, terminal: Terminal): Result<AskSecret, Failure> {
  if (given.stdin === 0 && given.fd === undefined) return ok(terminal.askSecret)
  const descriptor = given.stdin > 0 ? 0 : Number(/^[0-9]{1,5}$/.exec(given.fd ?? '')?.[0] ?? Number.NaN)
  if (Number.isNaN(descriptor)) return refuse('VALUE_INVALID', `--fd: “${given.fd}” is not a descriptor’s number`)
  return ok(async (what) => {
    try {
      const line = readLine(descriptor)
      return line.length > 0 ? ok(line) : refuse('KEY_MISSING', `${what}: descriptor ${descriptor} has no line for it`)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
      return refuse('KEY_MISSING', `${what}: descriptor ${descriptor} cannot be read (${code})`)
    }
  })
}

/** Longer than any key may be. */
const MAX_LINE = 1024

/** Byte by byte, so that nothing past the line is taken from whoever reads the descriptor next. @throws the system's error. */
function readLine(descriptor: number): Uint8Array {
  const typed: number[] = []
  const byte = new Uint8Array(1)
  while (typed.length <= MAX_LINE && readSync(descriptor, byte) === 1 && byte[0] !== 0x0a) typed.push(byte[0] ?? 0)
  if (typed.at(-1) === 0x0d) typed.pop()
  return Uint8Array.from(typed)
}
