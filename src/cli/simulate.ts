/** `ghostport simulate`: what policy says of a request, without a packet and without keys. */
import { StanzaIndex } from '../access/matching.ts'
import type { Policy } from '../access/policy.ts'
import type { Stanza } from '../access/stanza.ts'
import { describeStanza, type StanzaName, sameNameKey } from '../access/stanza-name.ts'
import { settingsFromOptions } from '../client/plan-options.ts'
import { buildRequest, messageFor } from '../client/request.ts'
import { systemClock } from '../clock.ts'
import { settle } from '../config/client/layer.ts'
import { loadConfig } from '../config/load.ts'
import { nearest } from '../config/reading/nearest.ts'
import { ownAddresses } from '../daemon/warden/admission/own-addresses.ts'
import { diskFiles } from '../daemon/warden/config-files-on-disk.ts'
import type { IpAddress } from '../packet/address.ts'
import type { Message } from '../packet/message.ts'
import { PROTOCOL_VERSION } from '../packet/protocol-version.ts'
import { parseUsername } from '../packet/username.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import type { Port, UnixSeconds } from '../units.ts'
import { defineCommand, type Outcome } from './command.ts'
import { addressOption, readArrival } from './server/arrival-options.ts'
import { configFileOptions, configFiles } from './server/config-source.ts'
import { traceRequest } from './server/trace.ts'
import { showTrace } from './server/trace-lines.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = {
  ...configFileOptions,
  from: addressOption('the address that the packet would come from; needed'),
  to: addressOption('the address that it would be sent to, for stanzas with DESTINATION'),
  port: { value: 'PORT', help: 'the port that it would be sent to, for stanzas with SPA_PORT (any port)' },
  at: {
    value: 'TIME',
    help: 'at this time, for stanzas that expire: seconds since 1970, or 2026-01-31T12:00:00Z (now)',
  },
  stanza: {
    value: 'NAME',
    help: 'as if the keys of this stanza had opened the packet: its NAME, or its number',
  },
  user: {
    value: 'NAME',
    help: 'the user name in the packet; without --stanza, the keys are those of the stanza that requires it',
  },
  access: { short: 'A', value: 'PORTS', help: 'what is asked for: tcp/22, or tcp/22,udp/53' },
  'allow-ip': { short: 'a', value: 'ADDRESS', help: 'for whom (the address that the packet comes from)' },
  'fw-timeout': { short: 'f', value: 'SECONDS', help: 'how long it should stay open' },
  'nat-access': { short: 'N', value: 'HOST', help: 'forwarded to this inner host: HOST, HOST:PORT, [IPV6]:PORT' },
  'nat-local': { help: 'a ghost service: --nat-port leads to the port of --access' },
  'nat-port': { value: 'PORT', help: 'the public port, with --nat-access or --nat-local' },
  'server-cmd': { short: 'C', value: 'COMMAND', help: 'a command for the server, in place of --access' },
  json: { help: 'print one JSON object' },
} as const

export const command = defineCommand({
  options,
  operands: {},
  about: [
    'Says what the configuration allows, without a packet and without keys: each rule of each stanza that is asked, and the',
    'verdict. The same functions decide in the server. Exit status 0: it would be granted.',
  ],
  after: ['Example: ghostport simulate --from 192.0.2.10 --stanza alice -A tcp/22'],
  run,
})

type Given = ParsedCommandLine<typeof options>['options']

/** Nothing of a request depends on it but the packet. */
const RANDOM = '0'.repeat(16)

async function run({ options: given }: ParsedCommandLine<typeof options>, terminal: Terminal): Promise<Outcome> {
  const files = configFiles(given)
  if (!files.ok) return files
  const arrival = readArrival(given, systemClock.now())
  if (!arrival.ok) return arrival
  const { source, destination, port, now } = arrival.value
  if (source === undefined) return refuse('CLI_USAGE', 'say where the packet would come from: --from ADDRESS')
  const loaded = loadConfig(diskFiles(process.getuid?.() ?? 0), files.value)
  if (!loaded.ok) return loaded
  const { policy } = loaded.value
  const message = messageOf(given, now, destination ?? source)
  if (!message.ok) return message
  const asked = stanzasAsked(policy, given, source, port)
  if (!asked.ok) return asked
  const trace = traceRequest(message.value, asked.value, policy, {
    ...arrival.value,
    source,
    ownAddresses: ownAddresses(),
  })
  return showTrace(trace, given.json > 0, terminal)
}

/** The message of a packet that `ghostport knock` would make with these options. */
function messageOf(given: Given, now: UnixSeconds, server: IpAddress): Result<Message, Failure> {
  const { access, user, 'fw-timeout': timeout, 'nat-access': natAccess, 'nat-port': natPort, 'allow-ip': allow } = given
  const said = settingsFromOptions({
    ...(allow === undefined ? { 'source-ip': true } : { 'allow-ip': allow }),
    ...(access !== undefined && { access }),
    ...(timeout !== undefined && { 'fw-timeout': timeout }),
    ...(natAccess !== undefined && { 'nat-access': natAccess }),
    ...(natPort !== undefined && { 'nat-port': natPort }),
    ...(given['nat-local'] > 0 && { 'nat-local': true }),
    ...(user !== undefined && { 'spoof-user': user }),
  })
  if (!said.ok) return said
  const { 'server-cmd': command } = given
  const request = buildRequest(settle([said.value]), {
    username: parseUsername('nobody'),
    random: 0,
    ...(command !== undefined && { command }),
  })
  if (!request.ok) return request
  const message = messageFor(request.value, { destination: server, random: RANDOM, now })
  return ok({ ...message, version: PROTOCOL_VERSION } as Message)
}

/**
 * The stanzas that the server would ask: those that share the keys of the one that is meant, as far as they are for the
 * source and the port.
 * @returns in file order; CLI_USAGE if the options do not say which.
 */
function stanzasAsked(
  { stanzas, sharedPorts }: Policy,
  given: Pick<Given, 'stanza' | 'user'>,
  source: IpAddress,
  port: Port | undefined,
): Result<readonly Stanza[], Failure> {
  const meant = stanzaMeant(stanzas, given)
  if (!meant.ok) return meant
  const index = new StanzaIndex(stanzas, sharedPorts)
  const asked = index.keyringsOf(meant.value).flatMap((keyring) => index.stanzasFor(keyring, source, port ?? 'any'))
  return ok(asked.length > 0 ? [...new Set(asked)] : [meant.value])
}

function stanzaMeant(
  stanzas: readonly Stanza[],
  { stanza: wanted, user }: Pick<Given, 'stanza' | 'user'>,
): Result<Stanza, Failure> {
  if (wanted !== undefined) {
    const named = stanzas.find(
      ({ id, name }) =>
        String(id) === wanted || (name !== undefined && sameNameKey(name) === sameNameKey(wanted as StanzaName)),
    )
    return named === undefined ? noSuchStanza(wanted, stanzas) : ok(named)
  }
  const [first, ...others] = stanzas.filter(({ requireUsername }) => user !== undefined && requireUsername === user)
  const which = 'say whose keys open the packet: --stanza NAME'
  if (first === undefined)
    return refuse('CLI_USAGE', user === undefined ? which : `no stanza requires the user “${user}”; ${which}`)
  if (others.length === 0) return ok(first)
  const names = [first, ...others].map(({ id, name }) => describeStanza(id, name)).join(', ')
  return refuse('CLI_USAGE', `${names} require the user “${user}”; ${which}`)
}

function noSuchStanza(wanted: string, stanzas: readonly Stanza[]) {
  const meant = nearest(
    wanted,
    stanzas.map(({ id, name }) => name ?? String(id)),
  )
  const known = stanzas.slice(0, 5).map(({ id, name }) => describeStanza(id, name))
  return refuse(
    'CLI_USAGE',
    `there is no stanza “${wanted}”; there is ${known.join(', ')}${stanzas.length > 5 ? ', …' : ''}`,
    {
      ...(meant !== undefined && { suggestion: `--stanza ${meant}` }),
    },
  )
}
