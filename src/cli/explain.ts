/** `ghostport explain`: what the server would do with a packet, step by step, with the real configuration. */
import { decrypterName } from '../access/keyring.ts'
import { StanzaIndex } from '../access/matching.ts'
import type { Policy } from '../access/policy.ts'
import { decodeBase64 } from '../bytes/base64.ts'
import { encodeText } from '../bytes/text.ts'
import { systemClock } from '../clock.ts'
import { loadConfig } from '../config/load.ts'
import { ownAddresses } from '../daemon/warden/admission/own-addresses.ts'
import { diskFiles } from '../daemon/warden/config-files-on-disk.ts'
import { gnupgOrder } from '../daemon/warden/gnupg-process/gnupg-order.ts'
import { MAX_WIRE_LENGTH, MIN_GPG_LENGTH } from '../packet/wire-limits.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { errorCode } from '../system/errno.ts'
import { readBounded } from '../system/read-bounded.ts'
import { defineCommand, type Outcome } from './command.ts'
import { addressOption, readArrival } from './server/arrival-options.ts'
import { configFileOptions, configFiles } from './server/config-source.ts'
import { startGnupgOnce } from './server/gnupg-once.ts'
import { renounceRoot } from './server/renounce-root.ts'
import { type Arrival, type Judged, type RunGpg, type Trace, tracePacket } from './server/trace.ts'
import { showTrace } from './server/trace-lines.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = {
  ...configFileOptions,
  from: addressOption('the address that the packet came from (the one that it names)'),
  to: addressOption('the address that it was sent to, for stanzas with DESTINATION'),
  port: { value: 'PORT', help: 'the port that it was sent to, for stanzas with SPA_PORT (any port)' },
  at: { value: 'TIME', help: 'judge its age at this time: seconds since 1970, or 2026-01-31T12:00:00Z (now)' },
  json: { help: 'print one JSON object' },
} as const

export const command = defineCommand({
  options,
  operands: { required: ['PACKET'] },
  about: [
    'Says what the server would do with a packet, step by step: length, HMAC under which stanza, the decrypted fields, each',
    'rule and its verdict, what would be opened. PACKET is the text of the packet, or “-” for standard input. Nothing is',
    'opened or recorded. Whether the packet was used before is not looked at. If a stanza uses GnuPG, gpg runs as in the',
    'server: as another user, without network, on a copy of the keyring. Exit status 0: it would be granted.',
  ],
  after: ['Example: ghostport knock … -T | ghostport explain -'],
  run,
})

async function run(
  { options: given, operands: [word = ''] }: ParsedCommandLine<typeof options>,
  terminal: Terminal,
): Promise<Outcome> {
  const files = configFiles(given)
  if (!files.ok) return files
  const arrival = readArrival(given, systemClock.now())
  if (!arrival.ok) return arrival
  const loaded = loadConfig(diskFiles(process.getuid?.() ?? 0), files.value)
  if (!loaded.ok) return loaded
  const addresses = ownAddresses()
  const { policy } = loaded.value
  // Only root can read the keyring, and give gpg a user of its own.
  const gnupg = word === '-' || word.length >= MIN_GPG_LENGTH ? await gnupgFor(policy) : undefined
  const judged = {
    policy,
    index: new StanzaIndex(policy.stanzas, policy.sharedPorts),
    ...(gnupg !== undefined && { gnupg: gnupg.run }),
  }
  const traced = await traceUnprivileged(word, judged, { ...arrival.value, ownAddresses: addresses })
  await gnupg?.end()
  if (!traced.ok) return traced
  const trace = traced.value
  const status = showTrace(trace, given.json > 0, terminal)
  if (trace.message !== undefined && trace.verdict === undefined)
    terminal.note('The packet names no address: give the one that it came from (--from ADDRESS).')
  return status
}

/** A stranger may have made the packet: no parser of packets runs as root. */
async function traceUnprivileged(word: string, judged: Judged, arrival: Arrival): Promise<Result<Trace, Failure>> {
  const renounced = await renounceRoot()
  if (!renounced.ok) return renounced
  const payload = readPacket(word)
  return payload.ok ? ok(await tracePacket(payload.value, judged, arrival)) : payload
}

/** What runs gpg for packets, and why it does not where it cannot. @returns undefined if no stanza uses GnuPG. */
async function gnupgFor({ stanzas }: Policy): Promise<{ run: RunGpg; end(): Promise<void> } | undefined> {
  const order = gnupgOrder(stanzas)
  if (!order.ok) return { run: async () => order, end: async () => {} }
  if (order.value === undefined) return undefined
  const started = await startGnupgOnce(order.value)
  if (!started.ok) return { run: async () => started, end: async () => {} }
  const once = started.value
  const run: RunGpg = async (encryption, message) => {
    const answer = await once.decrypt(decrypterName(encryption), message)
    if (!answer.ok) return answer
    if ('failure' in answer.value) return { ok: false, failure: answer.value.failure }
    const { plaintext, signature, decryptIds } = answer.value.opened
    const bytes = decodeBase64(plaintext)
    if (bytes === undefined) return refuse('GNUPG_FAILED', 'the GnuPG process sent an invalid answer')
    const how = `gpg ran as ${once.user}, on a copy of ${encryption.home}${once.remark}`
    return ok({ plaintext: bytes, signature, decryptIds, how })
  }
  return { run, end: () => once.end() }
}

/** Room for the line’s end. */
const LONGEST = MAX_WIRE_LENGTH + 2
/** Room for blanks around it. */
const MOST_INPUT = 1024 * LONGEST

function readPacket(word: string): Result<Uint8Array, Failure<'CLI_USAGE'>> {
  if (word !== '-') return ok(encodeText(word.trim()))
  try {
    const bytes = readBounded(0, MOST_INPUT)
    if (bytes === undefined) return refuse('CLI_USAGE', 'standard input has too much for a packet')
    // Bytes as they are, without the end of the line that a shell or an editor adds.
    const end = bytes.findLastIndex((byte) => byte !== 0x0a && byte !== 0x0d)
    return ok(bytes.subarray(0, end + 1))
  } catch (error) {
    return refuse('CLI_USAGE', `standard input cannot be read: ${errorCode(error) ?? 'unknown'}`)
  }
}
