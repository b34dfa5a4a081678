/** Makes a plan from options, the rc file and the keys. Every knock begins with it. */
import { randomBytes } from 'node:crypto'
import { userInfo } from 'node:os'
import { systemClock } from '../clock.ts'
import { type ClientSettings, type SettingLayer, settle } from '../config/client/layer.ts'
import type { Delivery } from '../delivery/delivery.ts'
import type { AddressFamily } from '../packet/address.ts'
import type { Username } from '../packet/message.ts'
import { parseNatHost } from '../packet/nat-target.ts'
import { parseUsername } from '../packet/username.ts'
import { type Failure, ok, type Refused, type Result, refuse } from '../result.ts'
import type { Port } from '../units.ts'
import { deliveryFor } from './delivery-for.ts'
import { type AskSecret, asksForPassphrase, loadKeys } from './keys.ts'
import { type KnockPlan, type KnockWorld, readUint16 } from './knock.ts'
import type { OwnAddress } from './own-address/find.ts'
import { type PlanOptions, settingsFromOptions } from './plan-options.ts'
import {
  type NoStanza,
  orInStanza,
  rcSettings,
  type StanzaWord,
  type UsedStanza,
  withNoStanza,
  withStanza,
} from './rc-stanza.ts'
import { buildRequest, type Request } from './request.ts'
import { systemResolve } from './resolve.ts'
import { furtherRoutes, type Route, routeFor } from './route.ts'

/** What a plan uses besides the options. */
export interface Hints {
  /** A stanza name, or the server of a stanza; used if the options name no stanza. */
  readonly stanza?: StanzaWord
  /** Settings to use if neither options nor rc file have them. */
  readonly fallback?: ClientSettings
  /** Settings that override the options. */
  readonly besides?: SettingLayer
  /** As in fwknop: a key of the rc file counts, and not the file of keys that an option names. */
  readonly rcKeysFirst?: true
}

/** A file of keys that an option names, and that is not read: a key of the rc file counts. */
export interface PassedOver {
  readonly option: 'get-key' | 'get-hmac-key'
  readonly file: string
}

/** Another way of the same knock. */
export interface FurtherWay {
  readonly route: Omit<Route, 'port'> & { readonly serverPort: Port }
  readonly delivery: Delivery
}

export interface PlannedKnock {
  readonly plan: KnockPlan
  readonly settings: ClientSettings
  readonly world: KnockWorld
  /** If a packet did not leave this way: the ways by the next gateways, in order. */
  readonly further: readonly FurtherWay[]
  readonly noStanza?: NoStanza
  /** The stanza that has the keys. Absent: they come from elsewhere. */
  readonly keysOf?: UsedStanza
  /** The address of this host that was asked for, and who said so. */
  readonly ownAddress?: OwnAddress
  /** Empty without {@link Hints.rcKeysFirst}. */
  readonly passedOver: readonly PassedOver[]
}

/** The detail of the failure where nothing names a server. */
export const NO_SERVER = 'say where the packet goes: --destination HOST (-D)'

/**
 * @param ask for a required key that nothing names.
 * @returns all that a knock needs, or the first thing that is wrong or missing.
 */
export async function planKnock(
  given: PlanOptions,
  ask: AskSecret,
  hints: Hints = {},
): Promise<Result<PlannedKnock, Failure>> {
  const said = settingsFromOptions(given)
  if (!said.ok) return said
  const asked = { ...said.value, ...hints.besides }
  const rc = rcSettings(given, hints.stanza)
  if (!rc.ok) return rc
  const { noStanza, stanza } = rc.value
  const command = given['server-cmd']
  // A server named beside the options, for which there is no stanza, overrides that of [default].
  const named = noStanza === undefined || hints.fallback?.server === undefined ? {} : { server: hints.fallback.server }
  const layers: readonly SettingLayer[] = [hints.fallback ?? {}, rc.value.settings, named]
  const { options, passedOver } =
    hints.rcKeysFirst === true ? behindRcKeys(asked, rc.value.settings) : { options: asked, passedOver: [] }
  // A command replaces the ports of weaker layers. Options that name ports contradict it.
  const weaker = command === undefined ? layers : layers.map(withoutPorts)
  const settings = settle([...weaker, options])

  const { server } = settings
  if (server === undefined) {
    const { failure } = refuse('CLI_USAGE', NO_SERVER)
    return { ok: false, failure: orInStanza(failure, 'SPA_SERVER', stanza) }
  }
  /** The missing setting may be in the stanza that was not found. */
  const lacking = (failure: Failure, setting: string | undefined): Refused => {
    const cured = setting === undefined ? failure : orInStanza(failure, setting, stanza)
    return { ok: false, failure: withNoStanza(cured, noStanza) }
  }
  /** If the options contradict each other even without the rc file, the file is not to blame. */
  const contradicting = (failure: Failure, again: (alone: ClientSettings) => Result<unknown>): Refused => {
    if (failure.code !== 'CONFIG_CONFLICT') return { ok: false, failure }
    const without = again(settle([hints.fallback ?? {}, options]))
    const isUsage = !without.ok && without.failure.detail === failure.detail
    return isUsage ? refuse('CLI_USAGE', failure.detail) : { ok: false, failure: withStanza(failure, stanza) }
  }
  const context = {
    username: ownName(),
    random: readUint16(randomBytes(2)),
    ...(command === undefined ? {} : { command }),
    ...(given.close === true && { close: true }),
  }
  // The address comes last: nobody outside is asked for it before all else is right.
  const resolving = settings.allow === undefined && settings.resolveOwn === true
  const provisional: ClientSettings = resolving ? { ...settings, allow: 'packet-source' } : settings
  const request = buildRequest(provisional, context)
  if (!request.ok) {
    if (request.failure.code === 'CLI_USAGE') {
      const noPorts = settings.access === undefined && command === undefined && given.close !== true
      const setting = settings.allow === undefined ? 'ALLOW_IP' : noPorts ? 'ACCESS' : undefined
      return lacking(request.failure, setting)
    }
    return contradicting(request.failure, (alone) => buildRequest(alone, context))
  }
  const route = routeFor(settings, server)
  if (!route.ok) return contradicting(route.failure, (alone) => routeFor(alone, server))
  const keys = await loadKeys(settings, server, ask)
  if (!keys.ok) {
    if (keys.failure.code !== 'KEY_MISSING') return keys
    const { encryptionKey, hmacKey } = settings
    const byGnupg = settings.gpg === true || settings.encryptionMode === 'asymmetric'
    const missing = byGnupg
      ? settings.gpgRecipient === undefined
        ? 'GPG_RECIPIENT'
        : asksForPassphrase(settings) && 'GPG_SIGNING_PW'
      : encryptionKey === undefined && 'KEY_BASE64'
    const setting = missing || (hmacKey === undefined ? 'HMAC_KEY_BASE64' : undefined)
    return lacking(keys.failure, setting)
  }

  const delivery = await deliveryFor(settings, route.value, server)
  if (!delivery.ok) return delivery
  const world = { resolve: systemResolve, delivery: delivery.value, clock: systemClock, randomBytes }
  const further: FurtherWay[] = []
  for (const next of furtherRoutes(settings, route.value)) {
    const by = await deliveryFor(settings, next, server)
    if (!by.ok) return by
    const { port: serverPort, ...way } = next
    further.push({ route: { ...way, serverPort }, delivery: by.value })
  }
  const { port: serverPort, ...way } = route.value
  const routed = { ...settings, serverPort, ...way }
  const wanted = way.proxy === undefined ? request.value : await atServer(request.value, server, routed.family)
  const about = {
    ...{ settings: routed, world, further, passedOver },
    ...(noStanza === undefined ? {} : { noStanza }),
    ...(stanza === undefined || options.encryptionKey !== undefined ? {} : { keysOf: stanza }),
  }
  const plan = { request: wanted, keys: keys.value, server, settings: routed }
  if (!resolving) return ok({ plan, ...about })
  const { ownAddressTowards } = await import('./own-address/towards.ts')
  const own = await ownAddressTowards(settings, route.value, server)
  if (!own.ok)
    return {
      ok: false,
      failure: own.failure.code === 'NAME_UNRESOLVED' ? withNoStanza(own.failure, noStanza) : own.failure,
    }
  const forUs = { ...wanted, source: own.value.address }
  return ok({ plan: { ...plan, request: forUs }, ...about, ownAddress: own.value })
}

/**
 * A packet that goes to a proxy cannot take its NAT target from where it is sent.
 * @returns the request with the address of the server in it, or its name if only others can look it up.
 */
async function atServer(request: Request, server: string, family: AddressFamily | undefined): Promise<Request> {
  if (request.kind !== 'localNatAccess' || request.host !== undefined) return request
  const found = await systemResolve(server, family)
  const host = found.ok ? ok(found.value[0]) : parseNatHost(server)
  return host.ok && host.value !== undefined ? { ...request, host: host.value } : request
}

/** @returns the options without the files of keys whose keys are in the rc file. */
function behindRcKeys(
  options: SettingLayer,
  rc: SettingLayer,
): { readonly options: SettingLayer; readonly passedOver: readonly PassedOver[] } {
  let left = options
  const passedOver: PassedOver[] = []
  for (const [setting, option] of [
    ['encryptionKey', 'get-key'],
    ['hmacKey', 'get-hmac-key'],
  ] as const) {
    const source = options[setting]
    const key = rc[setting]
    if (!source || !('file' in source) || !key || !('key' in key)) continue
    const { [setting]: _, ...rest } = left
    left = rest
    passedOver.push({ option, file: source.file })
  }
  return { options: left, passedOver }
}

function withoutPorts(layer: SettingLayer): SettingLayer {
  const { access, natAccess, natLocal, natPort, natRandomPort, ...rest } = layer
  return rest
}

/** In fwknop's order: SPOOF_USER, LOGNAME, the user database, USER. */
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
