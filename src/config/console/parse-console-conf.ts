/** `console.conf`, in the grammar of `fwknopd.conf`: a name, a blank and a value on each line. */
import type { AccountName } from '../../access/command.ts'
import type { IpAddress } from '../../packet/address.ts'
import { isLoopback } from '../../packet/address-kinds.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { port } from '../../units.ts'
import { assembleHttpServer, NO_UNIX_PROXY } from '../http-server-settings.ts'
import { type HttpName, type HttpPlace, hostValue, listenValue, proxyValue } from '../reading/http-places.ts'
import type { ConfigFailure, Notice } from '../reading/notice.ts'
import { type GivenSettings, readGiven } from '../reading/read-given.ts'
import { absolutePath, accountName, listOf, wholeNumber } from '../reading/setting-values.ts'
import type { ConsoleConfig } from './console-config.ts'

const readers = {
  LISTEN: listOf(listenValue('/run/ghostport-console')),
  HOST: listOf(hostValue),
  CERTIFICATE_FILE: absolutePath('/etc/ghostport'),
  CERTIFICATE_KEY_FILE: absolutePath('/etc/ghostport'),
  PROXY: listOf(proxyValue),
  STATE_FOLDER: absolutePath('/var/lib'),
  CONSOLE_SOCKET: absolutePath('/run/ghostport'),
  SERVER_SETTINGS: absolutePath('/etc/fwknop'),
  USER: accountName('user'),
  HISTORY_DAYS: wholeNumber({ min: 1, max: 3_650, unit: 'days' }),
  HISTORY_EVENTS: wholeNumber({ min: 1_000, max: 5_000_000 }),
} as const

export const consoleSettingNames = Object.keys(readers)

/** Where the console listens if nothing is said: for a tunnel of ssh, or a browser on this host. */
export const DEFAULT_PORT = port(8622)
const DEFAULT_LISTEN: HttpPlace = { kind: 'http', address: '127.0.0.1' as IpAddress, port: DEFAULT_PORT }
const DEFAULT_HOST: HttpName = { name: 'localhost' }

export interface ParsedConsoleConfig {
  readonly config: ConsoleConfig
  readonly notices: readonly Notice[]
}

/** @returns the configuration; or the first thing that is wrong, with its line. An empty text has all defaults. */
export function parseConsoleConf(file: string, text: string): Result<ParsedConsoleConfig, ConfigFailure> {
  const given = readGiven(file, text, readers, { what: 'console.conf', repeatable: ['LISTEN', 'HOST', 'PROXY'] })
  return given.ok ? assemble(file, given.value) : given
}

function assemble(file: string, given: GivenSettings<typeof readers>): Result<ParsedConsoleConfig, ConfigFailure> {
  const listen = given.LISTEN?.flatMap(({ value }) => value) ?? [DEFAULT_LISTEN]
  const hosts = given.HOST?.flatMap(({ value }) => value) ?? [DEFAULT_HOST]
  const isReachable = listen.some((at) => at.kind === 'https' && !isLoopback(at.address))
  if (given.HOST === undefined && (isReachable || listen.every(({ kind }) => kind === 'unix')))
    return refuse('CONFIG_MISSING_KEY', `${file} does not set HOST: the name that administrators type`, {
      suggestion: 'HOST console.example.org',
    })
  const http = assembleHttpServer(listen, given)
  if (!http.ok) return http
  return ok({
    notices: noticesOf(listen, hosts, http.value.proxies.overUnixSocket, isReachable),
    config: {
      listen,
      hosts,
      ...http.value,
      stateFolder: given.STATE_FOLDER?.[0]?.value ?? '/var/lib/ghostport-console',
      serverSocket: given.CONSOLE_SOCKET?.[0]?.value ?? '/run/ghostport/console.sock',
      serverSettings: given.SERVER_SETTINGS?.[0]?.value ?? '/etc/fwknop/fwknopd.conf',
      user: given.USER?.[0]?.value ?? ('ghostport-console' as AccountName),
      history: {
        days: given.HISTORY_DAYS?.[0]?.value ?? 90,
        events: given.HISTORY_EVENTS?.[0]?.value ?? 200_000,
      },
    },
  })
}

function noticesOf(
  listen: readonly HttpPlace[],
  hosts: readonly HttpName[],
  overUnixSocket: boolean,
  isReachable: boolean,
): readonly Notice[] {
  const notices: Notice[] = []
  if (isReachable)
    notices.push({
      level: 'warning',
      text: 'The console listens beyond this host. Everybody who reaches its port sees that it is there.',
      cure: 'a loopback address and a tunnel of ssh, or a stanza that opens the port (docs/CONSOLE.md)',
    })
  if (listen.some(({ kind }) => kind === 'unix') && !overUnixSocket) notices.push(NO_UNIX_PROXY)
  if (hosts.every(({ name }) => /^[0-9.]+$|:/.test(name)))
    notices.push({
      level: 'warning',
      text: 'HOST has no name, only addresses. Browsers make passkeys for names alone.',
      cure: 'HOST localhost',
    })
  return notices
}
