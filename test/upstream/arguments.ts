/** The arguments of `npm run upstream`. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { binaries, isWhose, type Whose } from './binaries.ts'

export const USAGE = `npm run upstream -- CHECKOUT [OPTION…]

Runs the test suite of fwknop's source, in the folder CHECKOUT, with Debian's
fwknop and with ours, and compares. CHECKOUT is only read. Needs root.

  --whose WHOSE     peer (Debian's programs), ours, client (our client with Debian's
                    server) or server (our server with Debian's client); default:
                    first the cases of the peer that have no result yet, then ours
  --only PATTERN    the cases whose name matches this regular expression
  --failed          the cases that have not passed yet
  --shards N        how many run at once; default 4
  --limit SECONDS   the longest that one case may take; default 180
  --once            do not run a failed case again, alone
  --list            print the names of the cases, and end
  --folder FOLDER   where results and records are kept; default .setup/upstream`

export interface Arguments {
  readonly checkout: string
  readonly whose: readonly Whose[]
  readonly only: RegExp | undefined
  readonly onlyFailed: boolean
  readonly shards: number
  readonly limit: number
  readonly once: boolean
  readonly list: boolean
  readonly folder: string
}

/** @returns the arguments, or what is wrong with them. */
export function parseArguments(args: readonly string[]): Arguments | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        whose: { type: 'string' },
        only: { type: 'string' },
        failed: { type: 'boolean', default: false },
        shards: { type: 'string', default: '4' },
        limit: { type: 'string', default: '180' },
        once: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        folder: { type: 'string', default: join(import.meta.dirname, '..', '..', '.setup', 'upstream') },
      },
    })
    const [folder, ...others] = positionals
    if (folder === undefined || others.length > 0) return USAGE
    // npm runs its scripts in the project's folder, and says here from where it was called.
    const checkout = resolve(process.env['INIT_CWD'] ?? '.', folder)
    if (!existsSync(join(checkout, 'test', 'test-fwknop.pl')))
      return `${checkout} is no checkout of fwknop: there is no test/test-fwknop.pl in it`
    const { whose } = values
    if (whose !== undefined && !isWhose(whose))
      return `--whose ${whose}: say one of ${Object.keys(binaries).join(', ')}`
    const [shards, limit] = [Number(values.shards), Number(values.limit)]
    if (!Number.isInteger(shards) || shards < 1) return `--shards ${values.shards}: say a whole number from 1`
    if (!(limit > 0)) return `--limit ${values.limit}: say a number of seconds`
    return {
      checkout,
      whose: whose === undefined ? ['peer', 'ours'] : [whose],
      only: values.only === undefined ? undefined : new RegExp(values.only),
      onlyFailed: values.failed,
      shards,
      limit,
      once: values.once,
      list: values.list,
      folder: resolve(values.folder),
    }
  } catch (error) {
    return `${(error as Error).message}\n\n${USAGE}`
  }
}
