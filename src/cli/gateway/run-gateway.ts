/** Runs the gateway in this process until a signal ends it. */
import { systemResolve } from '../../client/resolve.ts'
import { systemClock } from '../../clock.ts'
import { INVITE_PATH } from '../../config/client/invite-link.ts'
import type { GatewayConfig } from '../../config/gateway/gateway-config.ts'
import type { ParsedGatewayConfig } from '../../config/gateway/parse-gateway-conf.ts'
import { ownAddresses } from '../../daemon/warden/admission/own-addresses.ts'
import { type Gateway, openGateway } from '../../gateway/gateway.ts'
import { type Bundle, bundleRoutes } from '../../http-server/bundle.ts'
import type { Route } from '../../http-server/route.ts'
import type { Log, LogField } from '../../log.ts'
import { type Failure, ok, type Result } from '../../result.ts'
import { becomeUnprivileged } from '../../system/become.ts'
import { StateFolder } from '../../system/state-folder.ts'
import { milliseconds } from '../../units.ts'
import type { Outcome } from '../command.ts'
import {
  beginWebProcess,
  LAST_LINES_TIME,
  ownServiceManager,
  pageBundle,
  tellNotices,
  tellReady,
  untilSignal,
} from '../server/web-process.ts'
import { openRenewal } from '../server/web-renewal.ts'
import { logToOutput } from '../terminal/output-log.ts'
import { gatewayIdentity } from './identity.ts'
import { pagePermissions } from './page-permissions.ts'

const TITLE = 'ghostport: gateway'
/** How often counts are logged, where there is anything to count. */
const COUNT_EVERY = milliseconds(60_000)

export async function runGateway(parsed: ParsedGatewayConfig): Promise<Outcome> {
  const exposed = await beginWebProcess(TITLE)
  if (!exposed.ok) return exposed
  const { config } = parsed
  const become = gatewayIdentity(config.user)
  if (!become.ok) return become
  const state = StateFolder.open(config.stateFolder, become.value)
  if (!state.ok) return state
  const alone = await state.value.keepToOneServer()
  if (!alone.ok) return alone
  const bundle = pageBundle('page')
  const { log, output } = logToOutput()
  const opened = await openGateway(config, state.value, await pageRoutes(bundle, config), {
    clock: systemClock,
    async lookUp(host) {
      const found = await systemResolve(host)
      return found.ok ? found.value[0] : undefined
    },
    ownAddresses: ownAddresses(),
    becomes: become.value,
    onFault: (error) => log.write('error', 'fault', { detail: error instanceof Error ? error.message : 'unknown' }),
  })
  if (!opened.ok) return opened
  const gateway = opened.value
  const dropped = await becomeUnprivileged(become.value)
  if (!dropped.ok) {
    await gateway.close()
    return dropped
  }
  const users = config.forms ? await checkFormUsers(state.value) : undefined
  if (users?.ok === false) {
    await gateway.close()
    return users
  }
  // As the user that the gateway is now: a claim that cannot be written is none.
  const writable = config.invitations === undefined ? undefined : state.value.write('invitation-check', '')
  if (writable?.ok === false) {
    await gateway.close()
    return writable
  }
  const door = await openRenewal(config.certificate, state.value, gateway, 'gateway', log)
  const manager = ownServiceManager()
  tellNotices(log, [...parsed.notices, ...gateway.notices])
  tellReady(log, gateway, bundle)
  manager.ready(`knocks for ${config.targets.length} targets are taken`)
  const counting = countRegularly(log, gateway)
  await untilSignal(log)
  manager.stopping()
  clearInterval(counting)
  door()
  await gateway.close()
  tellCounts(log, gateway)
  await output.flush(LAST_LINES_TIME)
  return 0
}

/** The page; with invitations, also at the path of their links. */
async function pageRoutes(bundle: Bundle | undefined, { invitations }: GatewayConfig): Promise<readonly Route[]> {
  const routes = bundle === undefined ? [] : bundleRoutes(bundle, pagePermissions)
  if (invitations === undefined) return routes
  const page = routes.find(({ path }) => path === '/')
  if (page !== undefined) return [...routes, { ...page, path: INVITE_PATH }]
  return [...routes, (await import('../../gateway/invitations/routes.ts')).invitationNote()]
}

/** As the user that the gateway is now: who logs in uses a code up, which is written. */
async function checkFormUsers(state: StateFolder): Promise<Result<void, Failure>> {
  const { FormUserFile } = await import('../../gateway/forms/user-file.ts')
  return new FormUserFile(state).change((users) => ok(users))
}

function countRegularly(log: Log, gateway: Gateway): NodeJS.Timeout {
  const counting = setInterval(() => tellCounts(log, gateway), COUNT_EVERY)
  counting.unref()
  return counting
}

const told = new WeakMap<Gateway, string>()

/** Numbers only: no packet, no ticket, and no address of a visitor. */
function tellCounts(log: Log, gateway: Gateway): void {
  const knocks: Record<string, LogField> = Object.fromEntries(gateway.counts)
  const refused: Record<string, LogField> = Object.fromEntries(gateway.http.refusals)
  const now = `${[...gateway.counts]}${[...gateway.http.refusals]}`
  if (now === '' || told.get(gateway) === now) return
  told.set(gateway, now)
  log.write('info', 'counts', { knocks, refused })
}
