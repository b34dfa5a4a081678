/** `gateway.conf`, in the grammar of `fwknopd.conf`: a name, a blank and a value on each line. */
import type { AccountName } from '../../access/command.ts'
import { type IpAddress, parseAddress } from '../../packet/address.ts'
import { isLoopback } from '../../packet/address-kinds.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { milliseconds, type Port } from '../../units.ts'
import { assembleHttpServer, NO_UNIX_PROXY } from '../http-server-settings.ts'
import { type HttpName, hostValue, listenValue, proxyValue } from '../reading/http-places.ts'
import type { ConfigFailure, Notice } from '../reading/notice.ts'
import { type GivenSettings, readGiven } from '../reading/read-given.ts'
import {
  absolutePath,
  accountName,
  invalidValue,
  listOf,
  type ValueFailure,
  type ValueReader,
  wholeNumber,
  yesNo,
} from '../reading/setting-values.ts'
import type { GatewayConfig, GatewayTarget, TargetId } from './gateway-config.ts'

/** Targets that one gateway serves at most. */
const MAX_TARGETS = 256

const readers = {
  LISTEN: listOf(listenValue('/run/ghostport-gateway')),
  HOST: listOf(hostValue),
  TARGET: targetValue,
  CERTIFICATE_FILE: absolutePath('/etc/ghostport'),
  CERTIFICATE_KEY_FILE: absolutePath('/etc/ghostport'),
  STATE_FOLDER: absolutePath('/var/lib'),
  PROXY: listOf(proxyValue),
  ECHO_LABELS: listOf(labelValue),
  ALLOW_ORIGIN: listOf(originValue),
  RECEIPT_WAIT: wholeNumber({ min: 100, max: 10_000, unit: 'milliseconds' }),
  KNOCKS_PER_SOURCE: wholeNumber({ min: 1, max: 1_000_000 }),
  KNOCKS_PER_TARGET: wholeNumber({ min: 1, max: 100_000 }),
  KNOCKS_IN_TOTAL: wholeNumber({ min: 1, max: 100_000 }),
  CONNECTIONS: wholeNumber({ min: 8, max: 100_000 }),
  CONNECTIONS_PER_SOURCE: wholeNumber({ min: 1, max: 100_000 }),
  USER: accountName('user'),
  FORMS: yesNo,
  INVITATIONS: yesNo,
  INVITATION_TOKEN_FILE: absolutePath('/etc/ghostport'),
} as const satisfies Record<string, ValueReader<unknown>>

export type GatewaySettingName = keyof typeof readers
export const gatewaySettingNames = Object.keys(readers) as readonly GatewaySettingName[]
type Given = GivenSettings<typeof readers>

export interface ParsedGatewayConfig {
  readonly config: GatewayConfig
  readonly notices: readonly Notice[]
}

/** @returns the configuration; or the first thing that is wrong, with its line. */
export function parseGatewayConf(file: string, text: string): Result<ParsedGatewayConfig, ConfigFailure> {
  const given = readGiven(file, text, readers, {
    what: 'gateway.conf',
    repeatable: ['LISTEN', 'HOST', 'TARGET', 'PROXY', 'ALLOW_ORIGIN'],
  })
  return given.ok ? assemble(file, given.value) : given
}

function assemble(file: string, given: Given): Result<ParsedGatewayConfig, ConfigFailure> {
  const notices: Notice[] = []
  const listen = given.LISTEN?.flatMap(({ value }) => value) ?? []
  const hosts = given.HOST?.flatMap(({ value }) => value) ?? []
  const targets = given.TARGET?.map(({ value }) => value) ?? []
  if (listen.length === 0) return missing(file, 'LISTEN', 'where the gateway listens', 'LISTEN https://0.0.0.0:443')
  if (hosts.length === 0)
    return missing(file, 'HOST', 'the name that visitors type for this gateway', 'HOST gate.example.org')
  if (targets.length === 0)
    return missing(file, 'TARGET', 'a server that packets are sent to', 'TARGET office 192.0.2.10:62201')
  if (targets.length > MAX_TARGETS)
    return refuse('CONFIG_CONFLICT', `${file}: there are more than ${MAX_TARGETS} targets`)
  for (const [i, { value, at }] of (given.TARGET ?? []).entries()) {
    const first = given.TARGET?.findIndex((it) => it.value.id === value.id) ?? i
    if (first < i)
      return refuse(
        'CONFIG_CONFLICT',
        `the target “${value.id}” is already in line ${given.TARGET?.[first]?.at.line}`,
        { at },
      )
  }
  const labels = given.ECHO_LABELS?.[0]
  const without = labels?.value.find((label) => !hosts.some(({ name }) => isLabelled(name, label, hosts)))
  if (labels !== undefined && without !== undefined)
    return refuse('CONFIG_CONFLICT', `HOST has no name that begins with “${without}.” before another one`, {
      at: labels.at,
      suggestion: `HOST ${hosts[0]?.name}, ${without}.${hosts[0]?.name}`,
    })
  const http = assembleHttpServer(listen, given)
  if (!http.ok) return http
  const { networks, overUnixSocket } = http.value.proxies
  for (const { kind } of listen) if (kind === 'unix' && !overUnixSocket) notices.push(NO_UNIX_PROXY)
  if (listen.every(({ kind }) => kind === 'http') && networks.length === 0)
    notices.push({
      level: 'warning',
      text: 'The gateway speaks plain HTTP only, and no proxy is named: all visitors of a proxy would count as one source.',
      cure: 'PROXY 127.0.0.1',
    })
  const [invitations, tokenFile] = [given.INVITATIONS?.[0], given.INVITATION_TOKEN_FILE?.[0]]
  if (invitations?.value === true && tokenFile === undefined)
    return refuse('CONFIG_MISSING_KEY', 'INVITATIONS Y needs INVITATION_TOKEN_FILE, the file of the servers’ token', {
      at: invitations.at,
      suggestion: 'INVITATION_TOKEN_FILE /etc/ghostport/invitation-token',
    })
  if (tokenFile !== undefined && invitations?.value !== true)
    return refuse('CONFIG_CONFLICT', 'INVITATION_TOKEN_FILE has no effect without INVITATIONS Y', {
      at: tokenFile.at,
      suggestion: 'INVITATIONS Y',
    })
  return ok({
    notices,
    config: {
      listen,
      hosts,
      targets,
      ...http.value,
      stateFolder: given.STATE_FOLDER?.[0]?.value ?? '/var/lib/ghostport-gateway',
      echoLabels: labels?.value ?? [],
      origins: given.ALLOW_ORIGIN?.flatMap(({ value }) => value) ?? [],
      receiptWait: milliseconds(given.RECEIPT_WAIT?.[0]?.value ?? 1_000),
      limits: {
        perSource: given.KNOCKS_PER_SOURCE?.[0]?.value ?? 30,
        perTarget: given.KNOCKS_PER_TARGET?.[0]?.value ?? 50,
        total: given.KNOCKS_IN_TOTAL?.[0]?.value ?? 1_000,
        connections: given.CONNECTIONS?.[0]?.value ?? 1_024,
        connectionsPerSource: given.CONNECTIONS_PER_SOURCE?.[0]?.value ?? 32,
      },
      user: given.USER?.[0]?.value ?? ('ghostport-gateway' as AccountName),
      forms: given.FORMS?.[0]?.value ?? false,
      ...(tokenFile !== undefined && { invitations: { tokenFile: tokenFile.value } }),
    },
  })
}

function missing(file: string, name: GatewaySettingName, what: string, example: string) {
  return refuse('CONFIG_MISSING_KEY', `${file} does not set ${name}: ${what}`, { suggestion: example })
}

/** `office 192.0.2.10:62201`, `home [2001:db8::1]:62201`, `lab spa.example.org` (port 62201). */
function targetValue(text: string): Result<GatewayTarget, ValueFailure> {
  const words = text.split(/\s+/)
  const [id = '', place = ''] = words
  if (words.length !== 2) return invalidValue(`“${text}” is not an id and a host`, 'office 192.0.2.10:62201')
  if (!/^[a-z0-9-]{1,32}$/.test(id)) {
    const meant = id
      .toLowerCase()
      .replace(/[^a-z0-9-]+/g, '-')
      .slice(0, 32)
    return invalidValue(
      `the id “${id}” has other characters than a to z, digits and “-”, or more than 32`,
      `${meant} ${place}`,
    )
  }
  const bare = parseAddress(place)
  const host = bare.ok ? ok<HttpName>({ name: bare.value }) : hostValue(place)
  if (!host.ok) return host
  return ok({ id: id as TargetId, host: host.value.name, port: host.value.port ?? (62_201 as Port) })
}

/** Whether `name` is the label before another name of the gateway. */
function isLabelled(name: string, label: string, hosts: readonly HttpName[]): boolean {
  return name.startsWith(`${label}.`) && hosts.some((other) => other.name === name.slice(label.length + 1))
}

/** `v4` of `v4.gate.example.org`. */
function labelValue(text: string): Result<string, ValueFailure> {
  if (/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text)) return ok(text)
  const [first = ''] = text.toLowerCase().split('.')
  return invalidValue(`“${text}” is not one label of a name`, first === '' ? undefined : first)
}

/** `https://page.example.org`, or `file` for pages from a file. */
function originValue(text: string): Result<string, ValueFailure> {
  if (text.toLowerCase() === 'file') return ok('null')
  const url = URL.parse(text)
  const isLocal = url?.protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
  if (url === null || (url.protocol !== 'https:' && !isLocal) || url.username !== '' || url.password !== '')
    return invalidValue(`“${text}” is not an origin: https://HOST, or the word file`)
  if (text.toLowerCase() !== url.origin) return invalidValue(`“${text}” is more than an origin`, url.origin)
  return ok(url.origin)
}

/** What an administrator should know of the targets. @param own addresses of this host. */
export function judgeTargets(
  targets: readonly { readonly id: string; readonly address: IpAddress }[],
  own: readonly IpAddress[],
): readonly Notice[] {
  return targets.flatMap(({ id, address }): Notice[] => {
    if (own.includes(address) || isLoopback(address))
      return [
        {
          level: 'warning',
          text: `The target “${id}” is this host. Its port for HTTPS shows that the host exists: scanners will find it.`,
          cure: 'run the gateway on another host',
        },
      ]
    return []
  })
}
