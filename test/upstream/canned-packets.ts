/**
 * The packets that fwknop's suite carries: from clients of each version and several systems, and malformed ones. They
 * are read from a checkout, and judged like the vectors of test/vectors, at the clock of a server without packet aging.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { judge } from '../vectors/judge.ts'
import type { CaseName } from './suite.ts'

export interface CannedPacket {
  readonly name: CaseName
  readonly packet: string
  readonly expect: 'accept' | 'reject'
  /** The name that the suite has for the access.conf. */
  readonly access: string
}

/** The packets in one file of test cases. Pure. */
export function cannedPackets(cases: string): readonly CannedPacket[] {
  return cases.split(/^\s*\{\s*$/m).flatMap((block) => {
    const value = (key: string) => new RegExp(`'${key}'\\s*=>\\s*(['"])(.*?)\\1`).exec(block)?.[2]
    const [, kind, pieces] = /'(pkt|fuzzing_pkt)'\s*=>((?:[\s.]|#[^\n]*|'[^']*')+),/.exec(block) ?? []
    const [, access] = /-a \$cf\{'(\w+)'\}/.exec(block) ?? []
    if (pieces === undefined || access === undefined) return []
    const subcategory = value('subcategory')
    return {
      name: `[${value('category')}]${subcategory === undefined ? '' : ` [${subcategory}]`} ${value('detail')}`,
      // Comments are passed over: one of them has a piece as it was before it was altered.
      packet: [...pieces.matchAll(/#[^\n]*|'([^']*)'/g)].map(([, piece = '']) => piece).join(''),
      expect:
        kind === 'fuzzing_pkt' || /'fw_rule_created'\s*=>\s*\$REQUIRE_NO_NEW_RULE/.test(block) ? 'reject' : 'accept',
      access,
    }
  })
}

/** Which file the suite means by a name of its configuration: `'name' => "$conf_dir/FILE"`. Pure. */
export function configurationFiles(suite: string): ReadonlyMap<string, string> {
  return new Map(
    [...suite.matchAll(/'(\w+)'\s*=>\s*"\$conf_dir\/([\w.-]+)"/g)].map(([, name = '', file = '']) => [name, file]),
  )
}

export interface CannedResult {
  readonly name: CaseName
  readonly outcome: 'passed' | 'failed' | 'skipped'
  readonly why: string
}

/** Judges every packet that the checkout's suite carries. */
export async function judgeCannedPackets(checkout: string): Promise<readonly CannedResult[]> {
  const test = join(checkout, 'test')
  const files = configurationFiles(readFileSync(join(test, 'test-fwknop.pl'), 'latin1'))
  const packets = readdirSync(join(test, 'tests'))
    .filter((name) => name.endsWith('.pl'))
    .sort()
    .flatMap((name) => cannedPackets(readFileSync(join(test, 'tests', name), 'latin1')))
  const results: CannedResult[] = []
  using keyrings = unpackKeyrings(test)
  for (const { name, packet, expect, access } of packets) {
    const accessConf = readFileSync(join(test, 'conf', files.get(access) ?? ''), 'latin1').replaceAll(
      /^(GPG_HOME_DIR\s+)conf(?=\/)/gm,
      `$1${keyrings.folder}`,
    )
    const judgement = await judge({
      name,
      category: '',
      expect,
      packet,
      prior: [],
      now: 1_500_000_000,
      source: '127.0.0.2',
      fields: {},
      accessConf,
      conf: {},
    })
    // A server that does not start refuses each packet, which proves nothing.
    if (judgement.outcome === 'passed' && judgement.notStarted !== undefined)
      results.push({ name, outcome: 'failed', why: `no server starts with it: ${judgement.notStarted}` })
    else results.push({ name, outcome: judgement.outcome, why: judgement.outcome === 'passed' ? '' : judgement.why })
  }
  return results
}

/** The keyrings of the suite, in a folder that goes with this value. gpg changes them when it sees them first. */
function unpackKeyrings(test: string): Disposable & { readonly folder: string } {
  const folder = mkdtempSync(join(tmpdir(), 'gnupg-'))
  const archive = join(test, 'conf', 'gpg_dirs.tar.gz')
  if (existsSync(archive)) execFileSync('tar', ['-xzf', archive, '-C', folder, '--no-same-owner'])
  return {
    folder,
    [Symbol.dispose]() {
      for (const name of readdirSync(folder))
        execFileSync('gpgconf', ['--homedir', join(folder, name), '--kill', 'all'], { stdio: 'ignore' })
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
