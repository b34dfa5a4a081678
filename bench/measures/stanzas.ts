/** What a packet costs the receiver with few and with many stanzas: HMAC, key, parse, in process, without any I/O. */
import { StanzaIndex } from '../../src/access/matching.ts'
import { OpenerMemory } from '../../src/access/opener-memory.ts'
import type { Policy } from '../../src/access/policy.ts'
import type { CapturedPacket } from '../../src/capture/capture.ts'
import { parseAccessConf } from '../../src/config/access/parse-access-conf.ts'
import { filesFromSnapshot } from '../../src/config/reading/config-files.ts'
import { checkTagsFast } from '../../src/daemon/receiver/fast-tags.ts'
import { receive } from '../../src/daemon/receiver/receive.ts'
import { port } from '../../src/units.ts'
import { type BenchKeys, clientAddress, makeJunk, makeKeys, SPA_PORT, sealKnocks } from '../knocks.ts'
import { formatRatio, type Row, threeDigits } from '../row.ts'
import { summarise } from '../statistics.ts'
import type { Measure } from './measure.ts'

const COUNTS = [1, 100, 1000, 10_000]
const FLAT = 1.2

export const stanzas: Measure = {
  name: 'stanzas',
  about:
    'time in receive() of a knock that the last of so many stanzas opens, in process: each stanza for a source of its own, ' +
    'or all SOURCE ANY with different keys, where the first packet of a client has to try them all, or ten at each SPA_PORT',
  run: async () => {
    // As the receiver does.
    checkTagsFast()
    return [...ownSources(), ...anySource(), ...ownPorts(), ...reading()]
  },
}

function ownSources(): readonly Row[] {
  const benches = COUNTS.map((count) => new Bench(count, (i) => clientAddress(i)))
  const [times, junk]: [number[][], number[][]] = [COUNTS.map(() => []), COUNTS.map(() => [])]
  // In turns, so that other work of the machine affects all alike.
  for (let turn = 0; turn < 10; turn++)
    for (const [i, bench] of benches.entries()) {
      times[i]?.push(bench.time(bench.knock, 300))
      junk[i]?.push(bench.time(bench.junk, 300))
    }
  const medians = times.map((it) => summarise(it)?.median ?? Number.NaN)
  return COUNTS.map((count, i) => {
    const median = medians[i] ?? Number.NaN
    const ratio = median / (medians[0] ?? Number.NaN)
    return {
      what: 'receive() of a knock',
      server: `${count} ${count === 1 ? 'stanza' : 'stanzas, a SOURCE each'}`,
      figure: `${threeDigits(median)} µs`,
      ratio: formatRatio(ratio),
      ...(count > 1 && { target: `≤ ${FLAT}x of 1 stanza`, met: ratio <= FLAT }),
      note: `junk ${threeDigits(summarise(junk[i] ?? [])?.median ?? Number.NaN)} µs`,
    }
  })
}

function anySource(): readonly Row[] {
  return COUNTS.map((count) => {
    const bench = new Bench(count, () => 'ANY')
    const rounds = Math.max(40, 2_000 / count)
    const known = bench.time(bench.knock, 2_000)
    const first = bench.time(bench.knock, rounds, () => bench.forget())
    const junk = bench.time(bench.junk, rounds)
    return {
      what: 'receive() of a knock',
      server: `${count} keys, SOURCE ANY`,
      figure: `${threeDigits(known)} µs`,
      note: `the client’s first ${threeDigits(first)} µs; junk ${threeDigits(junk)} µs`,
    }
  })
}

/** Junk at the port of the last user: so many users, ten at each port, each SOURCE ANY with keys of its own. */
function ownPorts(): readonly Row[] {
  const counts = [1, 100, 1000, 10_000]
  const benches = counts.map(
    (count) =>
      new Bench(
        count,
        () => 'ANY',
        (i) => FIRST_PORT + Math.floor(i / AT_A_PORT),
      ),
  )
  const times: number[][] = counts.map(() => [])
  for (let turn = 0; turn < 20; turn++)
    for (const [i, bench] of benches.entries()) times[i]?.push(bench.time(bench.junk, 300))
  const medians = times.map((it) => summarise(it)?.median ?? Number.NaN)
  const rows = counts.map((count, i): Row => {
    const [median, ratio] = [medians[i] ?? Number.NaN, (medians[i] ?? Number.NaN) / (medians[0] ?? Number.NaN)]
    const perKey = (median - (medians[0] ?? Number.NaN)) / (Math.min(count, AT_A_PORT) - 1)
    return {
      what: 'receive() of junk, SPA_PORT',
      server: count === 1 ? '1 user' : `${count} users, ${AT_A_PORT} at a port`,
      figure: `${threeDigits(median)} µs`,
      ratio: formatRatio(ratio),
      ...(count > 1 && { note: `${threeDigits(perKey)} µs for each further key` }),
    }
  })
  return [...rows, ...ownPortEach()]
}

/** The same with one user at each port. */
function ownPortEach(): readonly Row[] {
  const counts = [1, 1000, 10_000]
  const benches = counts.map(
    (count) =>
      new Bench(
        count,
        () => 'ANY',
        (i) => FIRST_PORT + i,
      ),
  )
  const times: number[][] = counts.map(() => [])
  for (let turn = 0; turn < 20; turn++)
    for (const [i, bench] of benches.entries()) times[i]?.push(bench.time(bench.junk, 300))
  const medians = times.map((it) => summarise(it)?.median ?? Number.NaN)
  return counts.slice(1).map((count, i) => {
    const [median, ratio] = [medians[i + 1] ?? Number.NaN, (medians[i + 1] ?? Number.NaN) / (medians[0] ?? Number.NaN)]
    const server = `${count} users, a port each`
    return {
      what: 'receive() of junk, SPA_PORT',
      server,
      figure: `${threeDigits(median)} µs`,
      ratio: formatRatio(ratio),
    }
  })
}

const AT_A_PORT = 10
const FIRST_PORT = 20_000

/** What a start and a reload read: the text of the stanzas to the index of their keys, in each of the two processes. */
function reading(): readonly Row[] {
  return [1, 10_000].map((count) => {
    const text = Array.from({ length: count }, makeKeys)
      .map((it, i) => stanzaText(it, 'ANY', FIRST_PORT + Math.floor(i / AT_A_PORT)))
      .join('')
    const times = Array.from({ length: 5 }, () => {
      const started = performance.now()
      indexOf(text)
      return performance.now() - started
    })
    const median = summarise(times)?.median ?? Number.NaN
    return {
      what: 'reading access.conf',
      server: `${count} ${count === 1 ? 'user' : 'users at SPA ports'}`,
      figure: `${threeDigits(median)} ms`,
    }
  })
}

function indexOf(text: string): StanzaIndex {
  const files = filesFromSnapshot({ texts: { 'access.conf': text }, folders: {}, failures: {} })
  const parsed = parseAccessConf('access.conf', files)
  if (!parsed.ok) throw new Error(parsed.failure.detail)
  return new StanzaIndex(parsed.value.stanzas)
}

class Bench {
  readonly knock: CapturedPacket
  readonly junk: CapturedPacket
  readonly #index: StanzaIndex
  #openers = new OpenerMemory()

  constructor(
    count: number,
    sourceOf: (i: number) => string,
    portOf: (i: number) => number | undefined = () => undefined,
  ) {
    const keys = Array.from({ length: count }, makeKeys)
    const text = keys.map((it, i) => stanzaText(it, sourceOf(i), portOf(i))).join('')
    this.#index = indexOf(text)
    const [last] = keys.slice(-1)
    const [knock] = last === undefined ? [] : sealKnocks(last, count - 1, 1)
    if (knock === undefined) throw new Error('no knock')
    const ports = { sourcePort: port(40_000), destinationPort: port(portOf(count - 1) ?? SPA_PORT) }
    const captured = { via: 'udp', source: knock.source, ...ports } as const
    this.knock = { ...captured, payload: knock.payload }
    const [junk] = makeJunk(1)
    if (junk === undefined) throw new Error('no junk')
    this.junk = { ...captured, payload: junk }
    this.forget()
    const opened = receive(this.knock, this.#receiving())
    if (!opened.ok) throw new Error(opened.failure.detail)
  }

  /** What the server knew of the client. */
  forget(): void {
    this.#openers = new OpenerMemory()
  }

  /** The median, in microseconds, after a warm-up. */
  time(packet: CapturedPacket, rounds: number, before: () => void = () => {}): number {
    const times: number[] = []
    for (let i = -rounds / 2; i < rounds; i++) {
      before()
      const receiving = this.#receiving()
      const started = performance.now()
      receive(packet, receiving)
      const took = performance.now() - started
      if (i >= 0) times.push(took * 1000)
    }
    return summarise(times)?.median ?? Number.NaN
  }

  #receiving() {
    return { policy, index: this.#index, openers: this.#openers }
  }
}

const policy: Pick<Policy, 'http' | 'nat'> = {
  http: 'off',
  nat: { forward: false, local: true, translation: 'none', resolveNames: false },
}

function stanzaText({ encryptionBase64, hmacBase64 }: BenchKeys, source: string, at?: number): string {
  const own = at === undefined ? '' : `SPA_PORT ${at}\n`
  return `SOURCE ${source}\n${own}OPEN_PORTS tcp/22\nKEY_BASE64 ${encryptionBase64}\nHMAC_KEY_BASE64 ${hmacBase64}\n`
}
