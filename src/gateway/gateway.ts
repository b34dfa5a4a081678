/**
 * The gateway: takes sealed packets by HTTP, and passes them on by UDP to a fixed list of targets. It has no key of
 * anybody's. Opening has two steps: what may need root (listening, reading a key), then everything else.
 */
import type { Clock } from '../clock.ts'
import type { GatewayConfig } from '../config/gateway/gateway-config.ts'
import { judgeTargets } from '../config/gateway/parse-gateway-conf.ts'
import type { Notice } from '../config/reading/notice.ts'
import { certificateOf, type OwnCertificate } from '../http-server/certificate.ts'
import { DEFAULT_HTTP_LIMITS, type HttpLimits } from '../http-server/limits.ts'
import { type RenewableCertificate, renewableCertificate } from '../http-server/renewable-certificate.ts'
import type { Route } from '../http-server/route.ts'
import { type HttpServer, type ListenAt, openHttpServer } from '../http-server/server.ts'
import type { IpAddress } from '../packet/address.ts'
import { type Failure, ok, type Result } from '../result.ts'
import type { StateFolder } from '../system/state-folder.ts'
import { readSecretFile } from '../system/user-file.ts'
import type { FormKnockWorld } from './forms/form-knock.ts'
import { type FateCounts, gatewayRoutes } from './routes.ts'
import { type LookUp, Targets } from './targets.ts'
import { Tickets } from './tickets.ts'

export interface Gateway extends RenewableCertificate {
  readonly http: HttpServer
  readonly counts: FateCounts
  /** What the operator should know of the targets. */
  readonly notices: readonly Notice[]
  close(): Promise<void>
}

export interface GatewayWorld {
  readonly clock: Clock
  readonly lookUp: LookUp
  /** Of this host: a gateway belongs on another one than its targets. */
  readonly ownAddresses: ReadonlySet<IpAddress>
  /** Whom the process becomes when the gateway is open: Unix sockets belong to this user. */
  readonly becomes?: { readonly uid: number; readonly gid: number } | undefined
  readonly onFault: (error: unknown) => void
}

/** Tickets that are remembered: more than come within their time. */
const MOST_TICKETS = 50_000

/** @param more routes besides those of `/v1/`: the page, the forms. */
export async function openGateway(
  config: GatewayConfig,
  state: StateFolder,
  more: readonly Route[],
  world: GatewayWorld,
): Promise<Result<Gateway, Failure>> {
  const certificate = hasHttps(config)
    ? certificateOf(
        config.certificate,
        config.hosts.map(({ name }) => name),
        state,
        world.clock,
      )
    : ok(undefined)
  if (!certificate.ok) return certificate
  const invitations =
    config.invitations === undefined ? ok([]) : await invitationRoutesOf(config.invitations.tokenFile, state, world)
  if (!invitations.ok) return invitations
  const targets = await Targets.open(config, world.lookUp)
  const tickets = new Tickets(config.receiptWait, MOST_TICKETS)
  const { routes, counts } = gatewayRoutes({ config, targets, tickets })
  const forms = config.forms
    ? await openForms(state, { targets, receiptWait: config.receiptWait, clock: world.clock })
    : ok([])
  if (!forms.ok) {
    targets.close()
    return forms
  }
  const http = await openHttpServer({
    listen: config.listen.map((at) => listenAt(at, certificate.value, world.becomes)),
    routes: [...routes, ...forms.value, ...invitations.value, ...more],
    hosts: config.hosts,
    origins: config.origins,
    proxies: config.proxies,
    limits: limitsOf(config),
    onFault: world.onFault,
  })
  if (!http.ok) {
    targets.close()
    return http
  }
  const without = new Set(config.targets.map(({ id }) => id))
  for (const { id } of targets.addresses) without.delete(id)
  const unresolved = [...without].map(
    (id): Notice => ({
      level: 'warning',
      text: `The target “${id}” has no address now: its name cannot be looked up.`,
    }),
  )
  const renewable = renewableCertificate(http.value, certificate.value, world.clock)
  return ok({
    http: http.value,
    get certificate() {
      return renewable.certificate
    },
    renew: renewable.renew,
    counts,
    notices: [...judgeTargets(targets.addresses, [...world.ownAddresses]), ...unresolved],
    async close() {
      await http.value.close()
      targets.close()
    },
  })
}

/** Code and files of the forms are looked at only where they are switched on. */
async function openForms(state: StateFolder, world: FormKnockWorld): Promise<Result<readonly Route[], Failure>> {
  const [{ formRoutes }, { FormUserFile }, { LoginTries }] = await Promise.all([
    import('./forms/form-routes.ts'),
    import('./forms/user-file.ts'),
    import('./forms/login-tries.ts'),
  ])
  const tries = LoginTries.open(state)
  return tries.ok ? ok(formRoutes(new FormUserFile(state), tries.value, world).routes) : tries
}

/** As root, who may read the token. */
async function invitationRoutesOf(
  tokenFile: string,
  state: StateFolder,
  { clock }: GatewayWorld,
): Promise<Result<readonly Route[], Failure>> {
  const { hashToken, invitationRoutes } = await import('./invitations/routes.ts')
  const { HeldInvitations } = await import('./invitations/held.ts')
  const text = readSecretFile(tokenFile)
  const token = text.ok ? hashToken(tokenFile, text.value) : text
  if (!token.ok) return token
  const held = HeldInvitations.open(state)
  return held.ok ? ok(invitationRoutes(held.value, token.value, clock)) : held
}

/** Whether the gateway needs a certificate. */
export function hasHttps({ listen }: GatewayConfig): boolean {
  return listen.some(({ kind }) => kind === 'https')
}

function listenAt(
  at: GatewayConfig['listen'][number],
  certificate: OwnCertificate | undefined,
  owner: GatewayWorld['becomes'],
): ListenAt {
  // Who may connect is decided by its folder, and by its group.
  if (at.kind === 'unix') return { kind: 'unix', path: at.path, mode: 0o660, owner }
  const { address, port } = at
  return at.kind === 'https' && certificate !== undefined
    ? { kind: 'tcp', address, port, tls: certificate.tls }
    : { kind: 'tcp', address, port }
}

/** A knock has up to three requests: the address, the packet, the receipt. */
function limitsOf({ limits, receiptWait }: GatewayConfig): HttpLimits {
  const { perSource, total, connections, connectionsPerSource } = limits
  return {
    ...DEFAULT_HTTP_LIMITS,
    connections,
    connectionsPerSource,
    burstPerSource: Math.max(DEFAULT_HTTP_LIMITS.burstPerSource, 3 * perSource),
    ratePerSource: Math.max(DEFAULT_HTTP_LIMITS.ratePerSource, perSource / 20),
    waiting: Math.max(DEFAULT_HTTP_LIMITS.waiting, Math.ceil((2 * total * receiptWait) / 1_000)),
    waitingPerSource: Math.max(DEFAULT_HTTP_LIMITS.waitingPerSource, Math.ceil((perSource * receiptWait) / 30_000)),
  }
}
