/** `ghostport explain`: what the server would do with a packet, step by step, with the real configuration. */
import { readFileSync } from 'node:fs'
import { StanzaIndex } from '../access/matching.ts'
import { encodeText } from '../bytes/text.ts'
import { systemClock } from '../clock.ts'
import { loadConfig } from '../config/load.ts'
import { ownAddresses } from '../daemon/warden/admission/own-addresses.ts'
import { diskFiles } from '../daemon/warden/config-files-on-disk.ts'
import { MAX_WIRE_LENGTH } from '../packet/wire-limits.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { errorCode } from '../system/errno.ts'
import { defineCommand, type Outcome } from './command.ts'
import { addressOption, readArrival } from './server/arrival-options.ts'
import { configFileOptions, configFiles } from './server/config-source.ts'
import { renounceRoot } from './server/renounce-root.ts'
import { tracePacket } from './server/trace.ts'
import { showTrace } from './server/trace-lines.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = {
  ...configFileOptions,
  from: addressOption('the address that the packet came from (the one that it names)'),
  to: addressOption('the address that it was sent to, for stanzas with DESTINATION'),
  at: { value: 'TIME', help: 'judge its age at this time: seconds since 1970, or 2026-01-31T12:00:00Z (now)' },
  json: { help: 'print one JSON object' },
} as const

export const command = defineCommand({
  options,
  operands: { required: ['PACKET'] },
  about: [
    'Says what the server would do with a packet, step by step: length, HMAC under which stanza, the decrypted fields, each',
    'rule and its verdict, what would be opened. PACKET is the text of the packet, or “-” for standard input. Nothing is',
    'opened or recorded. Whether the packet was used before is not looked at. Exit status 0: it would be granted.',
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
  // A stranger may have made the packet: no parser of packets runs as root.
  const renounced = await renounceRoot()
  if (!renounced.ok) return renounced
  const payload = readPacket(word)
  if (!payload.ok) return payload
  const { policy } = loaded.value
  const judged = { policy, index: new StanzaIndex(policy.stanzas) }
  const trace = tracePacket(payload.value, judged, { ...arrival.value, ownAddresses: addresses })
  const status = showTrace(trace, given.json > 0, terminal)
  if (trace.message !== undefined && trace.verdict === undefined)
    terminal.note('The packet names no address: give the one that it came from (--from ADDRESS).')
  return status
}

/** Room for the line’s end. */
const LONGEST = MAX_WIRE_LENGTH + 2

function readPacket(word: string): Result<Uint8Array, Failure<'CLI_USAGE'>> {
  if (word !== '-') return ok(encodeText(word.trim()))
  try {
    const bytes = readFileSync(0)
    if (bytes.length > 1024 * LONGEST) return refuse('CLI_USAGE', 'standard input has too much for a packet')
    // Bytes as they are, without the end of the line that a shell or an editor adds.
    const end = bytes.findLastIndex((byte) => byte !== 0x0a && byte !== 0x0d)
    return ok(bytes.subarray(0, end + 1))
  } catch (error) {
    return refuse('CLI_USAGE', `standard input cannot be read: ${errorCode(error) ?? 'unknown'}`)
  }
}
