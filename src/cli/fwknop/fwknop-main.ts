/** What `fwknop` does, by its command line: fwknop's client, over the engine of `ghostport knock`. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { encodeText } from '../../bytes/text.ts'
import { inTurn } from '../../client/gateways-in-turn.ts'
import { type SealedKnock, sealKnock, sendKnock } from '../../client/knock.ts'
import type { PlannedKnock } from '../../client/plan.ts'
import { type PlanOptions, settingsFromOptions } from '../../client/plan-options.ts'
import { rcPath, stanzaNames } from '../../client/rc-stanza.ts'
import type { RcChange } from '../../config/client/edit-fwknoprc.ts'
import { modeOf1912 } from '../../packet/encryption-mode.ts'
import { formatProtocolPorts, STANDARD_SPA_PORT } from '../../packet/protocol-port.ts'
import { PROTOCOL_VERSION } from '../../packet/protocol-version.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { homeDirectory } from '../../system/home.ts'
import type { Outcome } from '../command.ts'
import { knockOnEach } from '../knock/each-stanza.ts'
import { knockFlags } from '../knock/knock-flags.ts'
import { planKnock } from '../knock/plan-from-flags.ts'
import { getopt } from '../terminal/getopt.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { type FwknopGiven, type FwknopLine, fwknopOptions } from './options.ts'
import { asKnockOptions, settleOptions } from './settled-options.ts'
import { tellFailure } from './told-failure.ts'

/** @returns the exit status: 0 or 1. */
export async function runFwknop(argv: readonly string[], terminal: Terminal): Promise<number> {
  const outcome = await run(argv, terminal, false)
  return typeof outcome === 'number' ? outcome : tellFailure(outcome.failure, terminal)
}

/** @param again whether these are the words that were saved. */
async function run(argv: readonly string[], terminal: Terminal, again: boolean): Promise<Outcome> {
  const line = getopt(fwknopOptions, argv)
  if (!line.ok) return line
  if (line.value.options.help > 0) return (await import('./about.ts')).showHelp(terminal)
  const stray = strayOperand(line.value, argv)
  if (!stray.ok) return stray
  const settled = settleOptions(line.value, process.env)
  if (!settled.ok) return settled
  const { given } = settled.value
  const usage = contradiction(given, again)
  if (!usage.ok) return usage

  if (given['show-last'] > 0 || given['last-cmd'] > 0) return lastCommand(given, terminal)
  if (given.version > 0) return (await import('./about.ts')).showVersion(terminal)
  const rc = rcFile(given)
  if (!rc.ok) return rc
  if (given['stanza-list'] > 0) return (await import('../knock/stanza-list.ts')).listStanzas(rc.value, terminal)
  if (rc.value !== undefined && !existsSync(rc.value)) await makeRcFile(rc.value, terminal)
  const making = given['key-gen'] > 0 || given['key-gen-file'] !== undefined
  if (given['save-rc-stanza'] > 0) {
    const saved = await saveToStanza(given, rc.value, making, terminal)
    if (!saved.ok) return saved
    if (making) return 0
  } else if (making) return (await import('../keygen.ts')).makeKeysAsFwknop(given, terminal)

  const { perlEra } = settled.value
  const named = given['named-config']
  let isSaved = again
  const one = async (stanza: string | undefined): Promise<Outcome> => {
    const planned = await plan({ ...given, 'named-config': stanza }, perlEra, terminal)
    if (!planned.ok) return planned
    // What cannot be understood is not worth to be run again.
    const saved = isSaved ? ok(undefined) : await saveLine(line.value, given, planned.value, terminal)
    if (!saved.ok) return saved
    isSaved = true
    return knock(planned.value, given, terminal)
  }
  if (named === undefined) return one(undefined)
  const names = stanzaNames(planOptionsOf(given), named)
  return knockOnEach(names, one, (failure) => tellFailure(failure, terminal))
}

/** fwknop passes over it: an argument is then lost, such as the address in `-s 192.0.2.1`. */
function strayOperand({ operands }: FwknopLine, argv: readonly string[]): Result<void, Failure<'CLI_USAGE'>> {
  const [stray] = operands
  if (stray === undefined) return ok(undefined)
  const before = argv[argv.indexOf(stray) - 1] ?? ''
  const flag = /^-./.test(before) && before !== '--' ? `: ${before} takes no value` : ''
  return refuse('CLI_USAGE', `unexpected argument “${stray}”${flag}`)
}

function contradiction(given: FwknopGiven, again: boolean): Result<void, Failure<'CLI_USAGE'>> {
  if (given['fault-injection-tag'] !== undefined)
    return refuse('CLI_USAGE', '--fault-injection-tag is refused: it is for fwknop’s own tests')
  if (again && (given['last-cmd'] > 0 || given['show-last'] > 0))
    return refuse('CLI_USAGE', 'the saved command line asks for the saved command line')
  if (given['no-rc-file'] > 0) {
    if (given['save-rc-stanza'] > 0) return refuse('CLI_USAGE', 'Cannot save an rc stanza in --no-rc-file mode.')
    if (given['named-config'] !== undefined) return refuse('CLI_USAGE', 'Cannot set stanza name in --no-rc-file mode.')
    if (given['stanza-list'] > 0) return refuse('CLI_USAGE', 'Cannot list stanzas in --no-rc-file mode.')
  }
  const both = savesTwoKeys(given)
  if (both !== undefined)
    return refuse('CLI_USAGE', `--key-gen makes new keys, and --${both} names one: leave out one of the two`)
  const length = wrongLength(given)
  if (!length.ok) return length
  if (given['force-stanza'] > 0 && given['save-rc-stanza'] === 0)
    return refuse('CLI_USAGE', '--force-stanza has no effect without --save-rc-stanza')
  if (given['save-packet-append'] > 0 && given['save-packet'] === undefined)
    return refuse('CLI_USAGE', '--save-packet-append (-b) has no effect without --save-packet FILE (-B)')
  return ok(undefined)
}

/** @returns an option whose key would be saved beside the new keys of `--key-gen`. */
function savesTwoKeys(given: FwknopGiven): keyof FwknopGiven | undefined {
  if (given['save-rc-stanza'] === 0 || (given['key-gen'] === 0 && given['key-gen-file'] === undefined)) return undefined
  const naming = [
    'key-rijndael',
    'key-base64-rijndael',
    'get-key',
    'key-hmac',
    'key-base64-hmac',
    'get-hmac-key',
  ] as const
  return naming.find((name) => given[name] !== undefined)
}

/** Beside a key, `--key-len` says how long the key is. */
function wrongLength(given: FwknopGiven): Result<void, Failure<'CLI_USAGE'>> {
  if (given['key-gen'] > 0 || given['key-gen-file'] !== undefined) return ok(undefined)
  for (const [length, key] of [
    ['key-len', 'key-rijndael'],
    ['hmac-key-len', 'key-hmac'],
  ] as const) {
    const [said, bytes] = [given[length], encodeText(given[key] ?? '').length]
    if (said === undefined) continue
    if (given[key] === undefined)
      return refuse('CLI_USAGE', `--${length} is for --key-gen, or says how long the key of --${key} is`)
    if (Number(said) !== bytes)
      return refuse('CLI_USAGE', `--${length} ${said}: the key of --${key} has ${bytes} bytes`)
  }
  return ok(undefined)
}

/** @returns the rc file; undefined for none. */
function rcFile(given: FwknopGiven): Result<string | undefined, Failure<'CLI_USAGE'>> {
  const where = rcPath(planOptionsOf(given))
  if ('path' in where) return ok(where.path)
  if (given['no-rc-file'] > 0) return ok(undefined)
  if (given['no-home-dir'] > 0)
    return refuse('CLI_USAGE', 'in --no-home-dir mode, must set --rc-file path, or --no-rc-file')
  return refuse('CLI_USAGE', `Unable to determine HOME directory: ${where.none}`, { suggestion: '--no-rc-file' })
}

/** As fwknop does. That it could not be made does not stop the knock. */
async function makeRcFile(file: string, terminal: Terminal): Promise<void> {
  const { fwknoprcTemplate } = await import('../../config/client/fwknoprc-template.ts')
  const { createUserFile } = await import('../../system/replace-user-file.ts')
  const written = createUserFile(file, fwknoprcTemplate)
  if (written.ok) terminal.print(`[*] Creating initial rc file: ${file}.`)
  else terminal.note(`Unable to create initial rc file: ${written.failure.detail}`)
}

/** The values are judged before anything is written. */
async function saveToStanza(
  given: FwknopGiven,
  file: string | undefined,
  making: boolean,
  terminal: Terminal,
): Promise<Result<void, Failure>> {
  const stanza = given['named-config'] ?? given.destination
  if (stanza === undefined) {
    const { NO_SERVER } = await import('../../client/plan.ts')
    return refuse('CLI_USAGE', `${NO_SERVER}, or which stanza to save: --named-config STANZA (-n)`)
  }
  if (file === undefined) return refuse('CLI_USAGE', 'there is no rc file to save in')
  const { changesOf, describeChange, judgeFile, judgeOptions, saveStanza } = await import('./save-stanza.ts')
  const read = settingsFromOptions(planOptionsOf(given))
  if (!read.ok) return read
  const possible = judgeOptions(read.value, given.destination ?? stanza)
  if (!possible.ok) return possible
  const usable = judgeFile(file)
  if (!usable.ok) return usable
  let keys: readonly RcChange[] = []
  if (making) {
    const { makeKeys } = await import('../keygen.ts')
    const made = makeKeys(given, given['key-gen-file'])
    if (!made.ok) return made
    keys = made.value.split('\n').flatMap((row): RcChange[] => {
      const [name = '', value = ''] = row.split(': ')
      return name === 'KEY_BASE64' || name === 'HMAC_KEY_BASE64' ? [{ name, value }] : []
    })
  }
  const saved = saveStanza(file, stanza, changesOf(given, keys), { force: given['force-stanza'] > 0, terminal })
  if (!saved.ok) return saved
  if (given.verbose > 1) terminal.print(saved.value.map(describeChange))
  if (making && saved.value.some((change) => keys.includes(change)))
    terminal.print(`[+] Wrote Rijndael and HMAC keys to rc file: ${file}`)
  return ok(undefined)
}

function planOptionsOf(given: FwknopGiven): PlanOptions {
  const flags = knockFlags(asKnockOptions(given))
  return flags.ok ? flags.value.options : {}
}

/** fwknop's words, by those of client/keys.ts. Scripts wait for them. */
const prompts: readonly (readonly [RegExp, string])[] = [
  [/^Encryption key/, 'Enter encryption key'],
  [/^HMAC key/, 'Enter HMAC key'],
  [/passphrase/i, 'Enter passphrase for signing'],
]

/** How a packet of this knock is made. */
interface Plan {
  readonly planned: PlannedKnock
  readonly protocol: string
}

async function plan(given: FwknopGiven, perlEra: boolean, terminal: Terminal): Promise<Result<Plan, Failure>> {
  const asking: Terminal = {
    ...terminal,
    async askSecret(what) {
      const prompt = prompts.find(([pattern]) => pattern.test(what))?.[1] ?? what
      const typed = await terminal.askSecret(prompt)
      return typed.ok
        ? typed
        : { ok: false, failure: { ...typed.failure, detail: typed.failure.detail.replace(prompt, what) } }
    },
  }
  const saving = given['save-rc-stanza'] > 0 && given['named-config'] === undefined
  const named = saving ? { 'named-config': given.destination } : {}
  const planned = await planKnock({ ...asKnockOptions(given), ...named }, asking, {
    ...(given.test > 0 ? { fallback: { server: '127.0.0.1' } } : {}),
    rcKeysFirst: true,
  })
  if (!planned.ok) return planned
  const { plan, settings, passedOver } = planned.value
  for (const { option, file } of passedOver)
    terminal.note(`[-] WARNING: --${option} ${file} has no effect: the key of the rc file counts, as in fwknop`)
  const { encryption, hmac } = plan.keys
  // A server that has an HMAC key is newer than 1.9.12: it gets the same request in a packet of its own time.
  if (!perlEra || hmac !== undefined || encryption.kind === 'gnupg')
    return ok({ planned: planned.value, protocol: PROTOCOL_VERSION })
  const protocol = '1.9.12'
  const mode = settings.encryptionMode === undefined ? modeOf1912(encryption.key) : encryption.mode
  const keys = { encryption: { ...encryption, mode } }
  const old = { ...plan, keys, settings: { ...plan.settings, protocol } }
  return ok({ planned: { ...planned.value, plan: old }, protocol })
}

async function knock({ planned, protocol }: Plan, given: FwknopGiven, terminal: Terminal): Promise<Outcome> {
  const knocked = await inTurn(
    planned,
    async (way): Promise<Result<number>> => {
      const outcome = await knockBy({ planned: way, protocol }, given, terminal)
      return typeof outcome === 'number' ? ok(outcome) : outcome
    },
    ({ detail }, { settings }) =>
      terminal.note(`fwknop: ${detail}. The next gateway is tried: ${settings.gateway?.host}`),
  )
  return knocked.ok ? knocked.value : knocked
}

async function knockBy({ planned, protocol }: Plan, given: FwknopGiven, terminal: Terminal): Promise<Outcome> {
  const { plan, settings, world } = planned
  const sealed = await sealKnock(plan, world)
  if (!sealed.ok) return sealed
  const verbose = settings.verbose === true
  if (verbose && plan.request.source === 'packet-source')
    terminal.note('[-] WARNING: Should use -a or -R to harden SPA against potential MITM attacks')
  const { request } = plan
  if (settings.natRandomPort === true && request.kind !== 'command')
    terminal.print(`[+] Randomly assigned port: ${formatProtocolPorts(request.ports)}`)
  if (verbose || given.test > 0) {
    const { dumpOf } = await import('./dump.ts')
    const { keys } = plan
    for (const packet of sealed.value)
      terminal.print(dumpOf(packet, { keys, digestType: settings.digestType, protocol }))
  }
  const file = given['save-packet']
  if (file !== undefined) {
    const { savePackets } = await import('../knock/save-packet.ts')
    const written = savePackets(file, sealed.value, given['save-packet-append'] > 0)
    if (!written.ok) return written
  }
  if (verbose) for (const packet of sealed.value) terminal.print(departureOf(packet, planned))
  if (given.test > 0) {
    terminal.print('test mode enabled, SPA packet not actually sent.')
    const { decodeAgain } = await import('./decode-again.ts')
    return decodeAgain(sealed.value, { keys: plan.keys, digestType: settings.digestType, protocol }, verbose, terminal)
  }
  const sent = await sendKnock(sealed.value, world.delivery)
  if (!sent.ok) return sent
  for (const { departure, text } of sent.value) {
    if (!departure.ok) terminal.note(`fwknop: not sent to ${departure.failure.detail}`)
    else if (verbose) terminal.print(`send_spa_packet: bytes sent: ${text.length}`)
  }
  return 0
}

function departureOf({ address, port }: SealedKnock, { settings }: PlannedKnock): readonly string[] {
  const row = (name: string, value: string): string => `${name.padStart(20)}: ${value}`
  return [
    'Generating SPA packet:',
    row('protocol', settings.transport ?? 'udp'),
    row('source port', settings.sourcePort === undefined ? '<OS assigned>' : String(settings.sourcePort)),
    row('destination port', String(port ?? STANDARD_SPA_PORT)),
    row('IP/host', address),
  ]
}

/** Where the command line is saved; or why it cannot be. */
function argsFile(given: FwknopGiven): Result<string, Failure<'CLI_USAGE'>> {
  const named = given['save-args-file']
  if (named !== undefined) return ok(named)
  const home = given['no-home-dir'] > 0 ? undefined : homeDirectory()
  if (home !== undefined) return ok(join(home, '.fwknop.run'))
  return refuse('CLI_USAGE', 'In --no-home-dir mode must set the args save file path with -E', {
    suggestion: '-E FILE, or --no-save-args',
  })
}

async function lastCommand(given: FwknopGiven, terminal: Terminal): Promise<Outcome> {
  const file = argsFile(given)
  if (!file.ok) return file
  const { readUserFile, refuseMissing } = await import('../../system/user-file.ts')
  const read = readUserFile(file.value)
  const saved = read.ok && read.value === undefined ? refuseMissing(file.value) : read
  if (!saved.ok) {
    terminal.note(`Could not open args file: ${file.value}`)
    return saved
  }
  const text = saved.value?.text.trimEnd() ?? ''
  const { parseLine } = await import('./last-command.ts')
  const words = parseLine(file.value, text)
  if (!words.ok) return words
  if (given['show-last'] > 0) {
    terminal.print(`Last fwknop client command line: ${text}`)
    return 0
  }
  if (given.verbose > 0) terminal.print(`Executing: ${text}`)
  return run(words.value, terminal, true)
}

/** That the line cannot be saved does not stop the knock. */
async function saveLine(
  line: FwknopLine,
  given: FwknopGiven,
  { planned }: Plan,
  terminal: Terminal,
): Promise<Result<void, Failure>> {
  if (given['no-save-args'] > 0 || planned.settings.noSaveArgs === true) return ok(undefined)
  const file = argsFile(given)
  if (!file.ok) return file
  const { formatLine, wordsToSave } = await import('./last-command.ts')
  const { replaceUserFile } = await import('../../system/replace-user-file.ts')
  const words = wordsToSave(line.given, given['include-keys'] > 0)
  const written = replaceUserFile(file.value, `${formatLine(words)}\n`)
  if (!written.ok) terminal.note(`fwknop: the command line is not saved: ${written.failure.detail}`)
  return ok(undefined)
}
