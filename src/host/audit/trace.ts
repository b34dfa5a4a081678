/**
 * What the kernel did with single packets, as `nft monitor trace` prints it: one line for each rule that a packet met.
 * Pure.
 */

/** What became of one packet, as far as nftables decided. */
export interface Traced {
  /** By all chains that it met: one drop is enough. */
  readonly end: 'accept' | 'drop'
  /** `inet filter input: tcp dport 22 accept`, `inet filter input: policy drop`. Absent: no chain met it. */
  readonly by?: string
}

/** Identifies a probe: it has a source port of its own. */
export function probeKey(protocol: 'tcp' | 'udp', sourcePort: number): string {
  return `${protocol} ${sourcePort}`
}

const LINE = /^trace id ([0-9a-f]+) (\S+) (\S+) (\S+) (packet:|rule|policy|verdict|return) ?(.*)$/
/** The first segment of a connection. Later ones are established. */
const FIRST_SEGMENT = /\btcp flags (== )?(syn|0x2)( |$)/
const COUNTED = /counter packets \d+ bytes \d+ ?/

/**
 * @param text lines of `nft monitor trace`. Lines that are not understood are skipped.
 * @param ours the table of the audit itself, whose chain only begins the trace.
 * @returns by {@link probeKey}: the first packet of each probe.
 */
export function parseTrace(text: string, ours: string): ReadonlyMap<string, Traced> {
  const keys = new Map<string, string>()
  const found = new Map<string, Traced>()
  for (const line of text.split('\n')) {
    const [, id = '', family, table = '', chain, kind, rest = ''] = LINE.exec(line.trimEnd()) ?? []
    if (id === '') continue
    if (kind === 'packet:') {
      const [, protocol, port] = /\b(tcp|udp) sport (\d+) /.exec(rest) ?? []
      if ((protocol !== 'tcp' && protocol !== 'udp') || keys.has(id)) continue
      if (protocol === 'tcp' && !FIRST_SEGMENT.test(rest)) continue
      const key = probeKey(protocol, Number(port))
      // A repeated first segment tells the same.
      if ([...keys.values()].includes(key)) continue
      keys.set(id, key)
      found.set(key, { end: 'accept' })
      continue
    }
    const key = keys.get(id)
    const before = key === undefined ? undefined : found.get(key)
    if (key === undefined || before === undefined || before.end === 'drop' || table === ours) continue
    const at = `${family} ${table} ${chain}`
    const verdict = kind === 'policy' ? rest.trim() : (/\(verdict ([a-z]+)[^()]*\)$/.exec(rest)?.[1] ?? '')
    const by = kind === 'policy' ? `${at}: policy ${verdict}` : `${at}: ${withoutVerdict(rest)}`
    if (verdict === 'drop' || verdict === 'queue') found.set(key, { end: 'drop', by })
    else if (verdict === 'accept') found.set(key, { end: 'accept', by })
  }
  return found
}

function withoutVerdict(rule: string): string {
  return rule
    .replace(/ ?\(verdict [^()]*\)$/, '')
    .replace(COUNTED, '')
    .trim()
}
