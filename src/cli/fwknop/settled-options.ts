/**
 * Which options of a command line count. fwknop takes the last of some options that exclude each other, and has a fixed
 * order for others. The names of 1.9.12 become those of 2.6.
 */
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import type { KnockOptionValues } from '../knock/knock-flags.ts'
import { knockOptions } from '../knock/knock-flags.ts'
import type { OptionSpec } from '../terminal/parse-command-line.ts'
import type { FwknopGiven, FwknopLine } from './options.ts'

export interface SettledOptions {
  readonly given: FwknopGiven
  /** The packet is that of 1.9.12, if it has no HMAC. */
  readonly perlEra: boolean
}

/** Of each group, the option that was given last counts. */
const lastCounts: readonly (readonly (keyof FwknopGiven)[])[] = [
  ['allow-ip', 'source-ip'],
  ['stdin', 'fd'],
  ['time-offset-plus', 'time-offset-minus'],
]
/** Of each group, the first that is given counts. */
const firstCounts: readonly (readonly (keyof FwknopGiven)[])[] = [
  ['no-rc-file', 'rc-file'],
  ['rand-port', 'server-port'],
  ['nat-rand-port', 'nat-port'],
  ['key-rijndael', 'key-base64-rijndael', 'get-key'],
  ['key-hmac', 'key-base64-hmac', 'get-hmac-key'],
]

/** The public port of 1.9.12, where none is named. */
const OLD_NAT_PORT = '55000'

/** @returns `CLI_USAGE` for a value of an old option that cannot be understood. */
export function settleOptions(
  line: FwknopLine,
  environment: NodeJS.ProcessEnv,
): Result<SettledOptions, Failure<'CLI_USAGE'>> {
  const options: Record<string, string | number | undefined> = { ...line.options }
  const isGiven = (name: string): boolean => options[name] !== undefined && options[name] !== 0
  const drop = (name: string): void => {
    options[name] = typeof options[name] === 'number' ? 0 : undefined
  }
  const old = renameOld(options, isGiven, environment)
  if (!old.ok) return old
  // A proxy that is named after a transport chooses HTTP.
  const last = line.given.findLast(({ name }) => ['server-proto', 'http-proxy', 'HTTP-proxy', 'HTTP'].includes(name))
  if (/proxy$/.test(last?.name ?? '') && !/^https?$/i.test(String(options['server-proto']))) drop('server-proto')
  for (const group of lastCounts) {
    const last = line.given.findLast(({ name }) => (group as readonly string[]).includes(name))?.name
    for (const name of group) if (name !== last) drop(name)
  }
  for (const group of firstCounts) {
    const first = group.find(isGiven)
    for (const name of group) if (name !== first) drop(name)
  }
  return ok({ given: options as FwknopGiven, perlEra: old.value })
}

/** @returns whether the packet is to be that of 1.9.12. */
function renameOld(
  options: Record<string, string | number | undefined>,
  isGiven: (name: string) => boolean,
  environment: NodeJS.ProcessEnv,
): Result<boolean, Failure<'CLI_USAGE'>> {
  const { 'NAT-access': access, 'HTTP-proxy': proxy } = options
  const local = isGiven('NAT-local')
  if (local) options['nat-local'] = 1
  if (typeof access === 'string') {
    if (isGiven('nat-access') || isGiven('nat-port'))
      return refuse('CLI_USAGE', '--NAT-access names host and public port: --nat-access and --nat-port contradict it')
    const [, host = access, port] = /^(.*)[,:]([0-9]+)$/.exec(access) ?? []
    if (port === undefined && !isGiven('nat-rand-port'))
      return refuse('CLI_USAGE', '--NAT-access needs HOST,PORT, where PORT is the public port')
    options['nat-access'] = host
    if (!isGiven('nat-rand-port')) options['nat-port'] = port
  } else if (local && !isGiven('nat-port') && !isGiven('nat-rand-port')) options['nat-port'] = OLD_NAT_PORT
  if (isGiven('HTTP')) options['server-proto'] = 'http'
  if (typeof proxy === 'string') {
    const named = proxy === '' ? (environment['http_proxy'] ?? environment['HTTP_PROXY']) : proxy
    if (!named) return refuse('CLI_USAGE', '--HTTP-proxy needs a value, or the environment variable http_proxy')
    const [, user, password, rest] = /^http:\/\/([^@/:]+):([^@/]*)@(.*)$/i.exec(named) ?? []
    options['http-proxy'] = rest ?? named
    options['http-proxy-user'] = user
    options['http-proxy-password'] = password === '' ? undefined : password
  }
  for (const name of ['user', 'password'])
    if (isGiven(`HTTP-proxy-${name}`)) options[`http-proxy-${name}`] = options[`HTTP-proxy-${name}`]
  return ok(local || typeof access === 'string')
}

/** The options as those of `ghostport knock`. */
export function asKnockOptions(given: FwknopGiven): KnockOptionValues {
  const { access, 'server-resolve-ipv4': ipv4, ...rest } = given
  const empty = Object.entries<OptionSpec>(knockOptions).map(([name, { value, repeatable }]) => [
    name,
    value === undefined ? 0 : repeatable === true ? [] : undefined,
  ])
  const values = { ...Object.fromEntries(empty), ...rest, ipv4, access: access === undefined ? [] : [access] }
  // A value for each option of the table, of the type that the table says.
  return values as KnockOptionValues
}
