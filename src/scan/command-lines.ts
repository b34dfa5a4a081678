/**
 * Whether two scans were made alike. If not, what differs may come from the scanner and not from the host: with less
 * time for each answer, an answer that comes late counts as none, and a closed port looks filtered. Pure.
 */
import type { ScanRun } from './nmap-result.ts'

type Effect = 'time' | 'ports' | 'way' | 'services'

/** What an option of nmap, or of our own scan, can change in the result. Without value: null. */
const EFFECTS: readonly (readonly [RegExp, Effect])[] = [
  [/^--(max|min|initial)-rtt-timeout$|^--max-retries$|^--host-timeout$|^--timeout$/, 'time'],
  [
    /^--(max-)?scan-delay$|^--(min|max)-rate$|^--rate$|^--(min|max)-parallelism$|^-[TM]$|^--defeat-rst-ratelimit$/,
    'time',
  ],
  [/^-p$|^-F$|^--top-ports$|^--port-ratio$|^--exclude-ports$|^--open$|^--allports$/, 'ports'],
  [/^-s[CV]$|^-A$|^--script|^--version-|^--banners$|^-O$/, 'services'],
]
/** They change nothing in the result, but how it is told. */
const HARMLESS =
  /^-o[XNGSAM]$|^-[vdnR]$|^--(stats-every|stylesheet|webxml|no-stylesheet|append-output|resume|reason|packet-trace|dns-servers|system-dns|noninteractive|iflist)$/
/** Options of nmap and of ours whose value is the next word. Other values are attached. */
const WITH_VALUE =
  /^-[pSegDiM]$|^-o[XNGSAM]$|^--(max-rtt-timeout|min-rtt-timeout|initial-rtt-timeout|max-retries|host-timeout|timeout|scan-delay|max-scan-delay|min-rate|max-rate|rate|min-parallelism|max-parallelism|min-hostgroup|max-hostgroup|top-ports|port-ratio|exclude-ports|exclude|excludefile|script|script-args|script-args-file|script-timeout|version-intensity|source-port|from|data-length|data|data-string|ttl|mtu|ip-options|scanflags|spoof-mac|proxies|stats-every|stylesheet|resume|dns-servers|datadir|servicedb|versiondb|nsock-engine)$/

const WHY: Readonly<Record<Effect, string>> = {
  time: 'with less time, an answer comes too late, and a port that is closed or open looks filtered',
  ports: 'they asked other ports',
  way: 'they asked in another way',
  services: 'they asked the services in another way',
}

/** Option → value; empty: without value. */
export type Options = ReadonlyMap<string, string>

/** @returns sentences. Empty: the two were made alike. @param names of the two scans. */
export function unlike(one: ScanRun, other: ScanRun, [first, second]: readonly [string, string]): readonly string[] {
  const warnings: string[] = []
  if (one.scanner !== other.scanner)
    warnings.push(
      `${first} was made by ${one.scanner}, and ${second} by ${other.scanner}: another scanner may judge and name things differently`,
    )
  for (const [name, { commandLine }] of [
    [first, one],
    [second, other],
  ] as const)
    if (commandLine === undefined) warnings.push(`${name} does not say how it was made`)
  if (one.commandLine === undefined || other.commandLine === undefined) return warnings
  const [ours, theirs] = [optionsOf(one.commandLine), optionsOf(other.commandLine)]
  const differing = [...new Set([...ours.keys(), ...theirs.keys()])].filter(
    (name) => ours.get(name) !== theirs.get(name),
  )
  for (const effect of Object.keys(WHY) as Effect[]) {
    const concerned = differing.filter((name) => effectOf(name) === effect)
    if (concerned.length === 0) continue
    const told = concerned.map((name) => `${shown(name, ours)} → ${shown(name, theirs)}`)
    warnings.push(`the command lines of ${first} and ${second} differ (${told.join('; ')}): ${WHY[effect]}`)
  }
  return warnings
}

function effectOf(name: string): Effect {
  return EFFECTS.find(([pattern]) => pattern.test(name))?.[1] ?? 'way'
}

function shown(name: string, options: Options): string {
  const value = options.get(name)
  return value === undefined ? `no ${name}` : value === '' ? name : `${name} ${value}`
}

/** Without the program, the target, and options that only say how the result is told. Their order does not count. */
export function optionsOf(commandLine: string): Options {
  const words = commandLine.split(/\s+/).filter(Boolean).slice(1)
  const options = new Map<string, string>()
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? ''
    if (!word.startsWith('-') || word === '-') continue
    const { name, attached } = nameOf(word)
    const value = attached ?? (WITH_VALUE.test(name) ? words[++i] : undefined) ?? ''
    if (HARMLESS.test(name)) continue
    const before = options.get(name)
    options.set(name, before === undefined || before === value ? value : `${before} ${value}`)
  }
  return options
}

/** nmap takes `--max_rtt_timeout`, `-max-rtt-timeout`, `-p22`, `-T4` and `--opt=value` too. */
function nameOf(word: string): { readonly name: string; readonly attached?: string } {
  const equals = word.indexOf('=')
  if (/^--?[a-z][a-z_-]{3,}/.test(word) && !/^-(p|PS|g|e|S|D)[^a-z]/.test(word)) {
    const name = `--${word
      .slice(0, equals < 0 ? undefined : equals)
      .replace(/^--?/, '')
      .replaceAll('_', '-')}`
    return equals < 0 ? { name } : { name, attached: word.slice(equals + 1) }
  }
  // Two letters are one option: -sS, -oX, -Pn, -PS22.
  const two = /^-(?:[soP][A-Za-z])/.exec(word)?.[0]
  const name = /^-[vd]+\d*$/.test(word) ? word.slice(0, 2) : (two ?? word.slice(0, 2))
  const rest = word.slice(name.length)
  return rest === '' || /^-[vd]/.test(name) ? { name } : { name, attached: rest }
}
