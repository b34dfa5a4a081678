/** The command line of gpgdir as values. Pure: files that it names are read by `gpgdir-main.ts`. */
import { availableParallelism } from 'node:os'
import { type GetoptLine, getopt } from '../../cli/terminal/getopt.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { isOwn, isPlainName, looksEncrypted, type Operation } from './names.ts'
import { gpgdirOptions } from './options.ts'
import type { NamedKey } from './rc-file.ts'

export interface Request {
  /** `test`: only the key is tried. */
  readonly operation: Operation | 'test'
  /** As given; the working folder for `test`. */
  readonly folder: string
  /** Absent: `~/.gpgdirrc` says it. `symmetric`: a passphrase only. */
  readonly key?: NamedKey | 'symmetric'
  readonly passphrase: 'ask' | 'agent' | 'none' | { readonly file: string }
  readonly armor: boolean
  readonly obfuscate: boolean
  readonly mapFile?: string
  readonly recurse: boolean
  readonly force: boolean
  readonly overwrite: boolean
  readonly keepSources: boolean
  readonly preserveTimes: boolean
  readonly wipe?: { readonly program: string; readonly args: readonly string[] }
  readonly test: boolean
  readonly trial: boolean
  readonly interactive: boolean
  readonly jobs: number
  readonly output: 'text' | 'json'
  readonly quiet: boolean
  readonly verbose: boolean
  readonly homes: { readonly gnupg?: string; readonly user?: string }
  /** LC_ALL for gpg; undefined: as it is. */
  readonly locale: string | undefined
  readonly patterns: {
    readonly exclude: readonly string[]
    readonly excludeFrom?: string
    readonly include: readonly string[]
    readonly includeFrom?: string
    readonly excludeGlobs: readonly string[]
    readonly includeGlobs: readonly string[]
  }
}

type Options = GetoptLine<typeof gpgdirOptions>['options']

const MOST_JOBS = 256
const OPERATIONS = [
  ['encrypt-dir', 'encrypt'],
  ['decrypt-dir', 'decrypt'],
  ['sign-dir', 'sign'],
  ['verify-dir', 'verify'],
] as const

/** @returns `help`, `version`, or what is asked for; `CLI_USAGE`. */
export function parseRequest(argv: readonly string[]): Result<Request | 'help' | 'version', Failure<'CLI_USAGE'>> {
  const read = getopt(gpgdirOptions, argv)
  if (!read.ok) return read
  const { options, operands, given } = read.value
  if (options.help > 0) return ok('help')
  if (options.Version > 0) return ok('version')
  const unsupported = given.find(({ name }) => name === 'Lib-dir')
  if (unsupported !== undefined) return usage(`${unsupported.shown}: ${gpgdirOptions['Lib-dir'].unsupported}`)
  const [stray] = operands
  if (stray !== undefined) return usage(`unexpected argument “${stray}”`, `-e ${stray}`)

  const chosen = OPERATIONS.filter(([name]) => options[name] !== undefined)
  const [first, second] = chosen
  if (first !== undefined && second !== undefined)
    return usage(`--${first[0]} and --${second[0]} contradict each other`)
  if (first === undefined && options['test-mode'] === 0)
    return usage('say what to do', '-e DIR, -d DIR, --sign-dir DIR or --verify-dir DIR')
  const operation = first?.[1] ?? 'test'
  const folder = first === undefined ? '.' : (options[first[0]] ?? '')
  if (folder === '') return usage(`--${first?.[0]} needs a folder`)

  const contradiction = contradictionIn(options, operation)
  if (contradiction !== undefined) return usage(contradiction)
  const jobs = parseJobs(options.jobs)
  if (!jobs.ok) return jobs
  const all = (name: keyof typeof gpgdirOptions): readonly string[] =>
    given.flatMap((each) => (each.name === name && each.value !== undefined ? [each.value] : []))
  const key = keyOf(options)
  return ok({
    operation,
    folder,
    ...(key !== undefined && { key }),
    passphrase: passphraseOf(options),
    armor: options['Plain-ascii'] > 0,
    obfuscate: options['Obfuscate-filenames'] > 0,
    ...(options['obfuscate-map-file'] !== undefined && { mapFile: options['obfuscate-map-file'] }),
    recurse: options['no-recurse'] === 0,
    force: options.Force > 0,
    overwrite: options['overwrite-encrypted'] + options['overwrite-decrypted'] > 0,
    keepSources: options['no-delete'] > 0 || operation === 'sign' || operation === 'verify',
    preserveTimes: options['no-preserve-times'] === 0,
    ...(options.Wipe > 0 && { wipe: wipeOf(options) }),
    test: options['skip-test'] === 0 && options['Trial-run'] === 0,
    trial: options['Trial-run'] > 0,
    interactive: options.Interactive > 0,
    // Questions come one after the other.
    jobs: options.Interactive > 0 || options['wipe-interactive'] > 0 ? 1 : jobs.value,
    output: options.json > 0 ? 'json' : 'text',
    quiet: options.quiet > 0,
    verbose: options.verbose > 0,
    homes: {
      ...(options['gnupg-dir'] !== undefined && { gnupg: options['gnupg-dir'] }),
      ...(options['user-homedir'] !== undefined && { user: options['user-homedir'] }),
    },
    locale: options['no-locale'] > 0 ? undefined : (options.locale ?? 'C'),
    patterns: {
      exclude: all('Exclude'),
      ...(options['Exclude-from'] !== undefined && { excludeFrom: options['Exclude-from'] }),
      include: all('Include'),
      ...(options['Include-from'] !== undefined && { includeFrom: options['Include-from'] }),
      excludeGlobs: all('exclude-glob'),
      includeGlobs: all('include-glob'),
    },
  })
}

function contradictionIn(options: Options, operation: Request['operation']): string | undefined {
  const signs = operation === 'sign' || operation === 'verify'
  if (options['Obfuscate-filenames'] > 0 && signs) return `-O has no meaning with --${operation}-dir`
  if (options['overwrite-encrypted'] > 0 && operation === 'decrypt') return '--overwrite-encrypted is for -e'
  if (options['overwrite-decrypted'] > 0 && operation === 'encrypt') return '--overwrite-decrypted is for -d'
  if (options.Symmetric > 0 && (options['Key-id'] !== undefined || options['Default-key'] > 0))
    return '-S uses no key: leave -K and -D away'
  if (options['Key-id'] !== undefined && options['Default-key'] > 0) return '-K and -D contradict each other'
  if (options.Symmetric > 0 && signs) return '-S has no meaning with signatures'
  if (options.Symmetric > 0 && options['no-password'] > 0) return '-S needs a passphrase: leave --no-password away'
  const wiping = (['wipe-path', 'wipe-cmdline'] as const).find((name) => options[name] !== undefined)
  if (options.Wipe === 0 && wiping !== undefined) return `--${wiping} has no effect without -W`
  if (options.Wipe === 0 && options['wipe-interactive'] > 0) return '--wipe-interactive has no effect without -W'
  const mapFile = options['obfuscate-map-file']
  if (mapFile !== undefined && (!isPlainName(mapFile) || isOwn(mapFile) || looksEncrypted(mapFile)))
    return `--obfuscate-map-file needs the name of a file, without a folder and without .gpg: not “${mapFile}”`
  if (options.Wipe > 0 && options['no-delete'] > 0) return '-W and --no-delete contradict each other'
  return undefined
}

function keyOf(options: Options): Request['key'] {
  if (options.Symmetric > 0) return 'symmetric'
  if (options['Default-key'] > 0) return 'default'
  return options['Key-id'] === undefined ? undefined : { id: options['Key-id'] }
}

function passphraseOf(options: Options): Request['passphrase'] {
  if (options['pw-file'] !== undefined) return { file: options['pw-file'] }
  if (options.agent > 0 || options['Agent-info'] !== undefined) return 'agent'
  return options['no-password'] > 0 ? 'none' : 'ask'
}

function wipeOf(options: Options): Request['wipe'] & object {
  const given = options['wipe-cmdline']?.split(' ').filter((word) => word !== '')
  const args = given ?? (options['wipe-interactive'] > 0 ? ['-i'] : ['-f', '-s'])
  return { program: options['wipe-path'] ?? '/usr/bin/wipe', args }
}

function parseJobs(text: string | undefined): Result<number, Failure<'CLI_USAGE'>> {
  if (text === undefined) return ok(Math.min(availableParallelism(), MOST_JOBS))
  const jobs = /^\d{1,3}$/.test(text) ? Number(text) : 0
  return jobs >= 1 && jobs <= MOST_JOBS ? ok(jobs) : usage(`--jobs needs a number from 1 to ${MOST_JOBS}`)
}

function usage(detail: string, suggestion?: string) {
  return refuse('CLI_USAGE', detail, suggestion === undefined ? {} : { suggestion })
}
