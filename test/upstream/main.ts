/**
 * `npm run upstream -- CHECKOUT`: the test suite of fwknop's own source, with Debian's programs and with ours. Measures
 * how many of the cases that Debian's pass ours pass too. Nothing of the checkout is copied or changed (README.md).
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Network, netnsUnavailable } from '../support/netns.ts'
import { type Arguments, parseArguments } from './arguments.ts'
import { binaries, type Whose } from './binaries.ts'
import { type CannedResult, judgeCannedPackets } from './canned-packets.ts'
import { judgePcapFiles } from './pcap-files.ts'
import { compare, loadResults, type Results, saveResults } from './results.ts'
import { type CaseResult, listing, runBatch } from './run-batch.ts'
import { type CaseName, casesOf, shards, withCasesBefore } from './suite.ts'

/** The share of the peer's cases that ours have to pass. */
const WANTED = 0.95
/** Small, so that the shards end at about the same time; a new start of the suite costs a second or two. */
const BATCH = 10

const say = (line: string) => process.stdout.write(`${line}\n`)
/** How many folders of `work` were used. */
let folders = 0
const stop = new AbortController()
const work = mkdtempSync(join(tmpdir(), 'ghostport-upstream-'))
/** Our programs as they were built when the run began: a later build changes nothing. */
const program = join(work, 'program')
const cache = join(work, 'cache')
process.on('exit', () => rmSync(work, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => {
    stop.abort()
    process.exit(130)
  })

process.exitCode = await main()

async function main(): Promise<number> {
  const args = parseArguments(process.argv.slice(2))
  if (typeof args === 'string') return complain(args)
  const unavailable = netnsUnavailable()
  if (unavailable !== false) return complain(unavailable)
  keepProgram()
  const options = {
    checkout: args.checkout,
    binaries: binaries.peer,
    program,
    cache,
    folder: work,
    signal: stop.signal,
  }
  const cases = casesOf(await listing(options))
  if (args.list) {
    for (const name of cases) say(name)
    return 0
  }
  const isCannedFine = await reportCannedPackets(args)
  mkdirSync(args.folder, { recursive: true })
  for (const whose of args.whose) await run(whose, chosen(whose, cases, args), args)
  const shown = args.whose.find((whose) => whose !== 'peer') ?? 'ours'
  const isShareFine = report(shown, loadResults(fileOf('peer', args)), loadResults(fileOf(shown, args)))
  return isShareFine && isCannedFine ? 0 : 1
}

function keepProgram(): void {
  const root = join(import.meta.dirname, '..', '..')
  mkdirSync(join(program, 'node_modules'), { recursive: true })
  mkdirSync(cache, { mode: 0o700 })
  for (const name of ['dist', 'package.json']) cpSync(join(root, name), join(program, name), { recursive: true })
}

function complain(text: string): number {
  say(text)
  return 2
}

function fileOf(whose: Whose, { folder }: Arguments): string {
  return join(folder, `${whose}.json`)
}

/** The cases to run now. Ours are asked only for what the peer's pass. */
function chosen(whose: Whose, cases: readonly CaseName[], args: Arguments): readonly CaseName[] {
  const known = loadResults(fileOf(whose, args))
  const peer: Results = loadResults(fileOf('peer', args))
  const isAsked = (name: CaseName) => args.only === undefined || args.only.test(name)
  return cases.filter((name) => {
    if (!isAsked(name)) return false
    if (args.onlyFailed && known.get(name)?.verdict === 'passed') return false
    if (whose !== 'peer') return peer.get(name)?.verdict !== 'failed'
    return args.whose.length === 1 || !known.has(name)
  })
}

async function run(whose: Whose, names: readonly CaseName[], args: Arguments): Promise<void> {
  if (names.length === 0) return
  say(`${whose}: ${names.length} cases`)
  const results = loadResults(fileOf(whose, args))
  const records = join(args.folder, whose)
  mkdirSync(records, { recursive: true })
  const failed: CaseName[] = []
  let count = 0
  const limit = limitBy(whose === 'peer' ? new Map() : loadResults(fileOf('peer', args)), args.limit)
  const tell = (result: CaseResult, again: boolean) => {
    const { name, verdict, seconds } = result
    results.set(name, { verdict, seconds, ...(again && verdict === 'passed' ? { again } : {}) })
    saveResults(fileOf(whose, args), results)
    writeFileSync(join(records, `${fileName(name)}.txt`), result.record, 'latin1')
    if (verdict === 'failed' && !again) failed.push(name)
    say(`${verdict === 'passed' ? '✔' : '✖'} ${++count} ${name}, ${seconds} s${again ? ', again' : ''}`)
  }
  await inShards(whose, shards(names, BATCH), args, limit, (result) => tell(result, false))
  if (!args.once) {
    const alone = failed.splice(0).map((name) => [name])
    await inShards(whose, alone, args, limit, (result) => tell(result, true))
  }
}

/** A case that the peer ends soon is not waited for: where it hangs, there is nothing to see. */
function limitBy(peer: Results, most: number): (name: CaseName) => number {
  return (name) => {
    const { seconds } = peer.get(name) ?? {}
    return seconds === undefined ? most : Math.min(most, 60 + 4 * seconds)
  }
}

async function inShards(
  whose: Whose,
  batches: readonly (readonly CaseName[])[],
  { checkout, shards }: Arguments,
  limit: (name: CaseName) => number,
  tell: (result: CaseResult) => void,
): Promise<void> {
  const queue = batches.values()
  const worker = async () => {
    for (const names of queue) {
      const folder = join(work, `${folders++}`)
      await runBatch(
        withCasesBefore(names),
        { checkout, binaries: binaries[whose], program, cache, folder, limit, signal: stop.signal },
        (result) => {
          if (names.includes(result.name)) tell(result)
        },
      )
      rmSync(folder, { recursive: true, force: true })
    }
  }
  await Promise.all(Array.from({ length: shards }, worker))
}

function fileName(name: CaseName): string {
  return name.replaceAll(/[^A-Za-z0-9+-]+/g, '_').replaceAll(/^_|_$/g, '')
}

/** @returns whether the share is as wanted. */
function report(whose: Whose, peer: Results, ours: Results): boolean {
  const count = (results: Results, verdict: string) => [...results.values()].filter((r) => r.verdict === verdict).length
  say(`\npeer: ${count(peer, 'passed')} passed, ${count(peer, 'failed')} failed`)
  if (ours.size === 0) return true
  const { compared, passed, failed, aboutTheBuild, missing } = compare(peer, ours)
  for (const name of failed) say(`✖ ${name}`)
  const share = passed / compared
  say(
    `${whose}: ${passed} of the ${compared} cases that the peer passes, ${(share * 100).toFixed(1)} %` +
      ` (${aboutTheBuild} of them look at the C build${missing > 0 ? `; ${missing} more were not run` : ''})`,
  )
  return share >= WANTED
}

/** @returns whether each is judged as fwknop's suite says. */
async function reportCannedPackets({ checkout }: Arguments): Promise<boolean> {
  const results = [...(await judgeCannedPackets(checkout)), ...(await judgeFiles(checkout))]
  const count = (outcome: string) => results.filter((result) => result.outcome === outcome).length
  for (const { name, outcome, why } of results) if (outcome !== 'passed') say(`${outcome} ${name}: ${why}`)
  say(
    `packets and capture files of the suite: ${count('passed')} judged as there, ${count('failed')} not, ${count('skipped')} left out`,
  )
  return count('failed') === 0
}

async function judgeFiles(checkout: string): Promise<readonly CannedResult[]> {
  const net = await Network.create()
  try {
    const fwknopd = [process.execPath, join(import.meta.dirname, '..', '..', 'dist', 'cli', 'fwknopd.js')]
    return await judgePcapFiles(net, join(checkout, 'test', 'conf'), fwknopd)
  } finally {
    await net.close()
  }
}
