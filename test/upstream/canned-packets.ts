/**
 * The packets that fwknop's suite carries: from clients of each version and several systems, and malformed ones. They
 * are read from a checkout, and judged like the vectors of test/vectors, at the clock of a server without packet aging.
 */
import { readdirSync, readFileSync } from 'node:fs'
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
    const [, kind, pieces] = /'(pkt|fuzzing_pkt)'\s*=>\s*((?:'[^']*'[\s.]*)+),/.exec(block) ?? []
    const [, access] = /-a \$cf\{'(\w+)'\}/.exec(block) ?? []
    if (pieces === undefined || access === undefined) return []
    const subcategory = value('subcategory')
    return {
      name: `[${value('category')}]${subcategory === undefined ? '' : ` [${subcategory}]`} ${value('detail')}`,
      packet: [...pieces.matchAll(/'([^']*)'/g)].map(([, piece]) => piece).join(''),
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
  for (const { name, packet, expect, access } of packets) {
    const accessConf = readFileSync(join(test, 'conf', files.get(access) ?? ''), 'latin1')
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
    results.push({ name, outcome: judgement.outcome, why: judgement.outcome === 'passed' ? '' : judgement.why })
  }
  return results
}
