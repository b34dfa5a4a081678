/** The three answers side by side: the rules, the kernel, a scan from outside; and where they differ. Pure. */
import type { IpAddress } from '../../packet/address.ts'
import { type PortState, type ScanResult, stateOf } from '../../scan/nmap-result.ts'
import type { Known } from '../known.ts'
import type { Judged } from './judge.ts'
import { type Family, type Target, targetKey } from './target.ts'

export interface PortReport extends Target {
  readonly rules: Judged
  readonly kernel: Known<Judged>
  /** Absent: no result of a scan has that port. */
  readonly outside?: PortState
  /** The administrator wants it open. */
  readonly intended: boolean
}

export interface FamilyReport {
  readonly family: Family
  /** Whether a port that no rule names is shut to strangers. */
  readonly filtered: 'yes' | 'no' | 'unclear'
  readonly because: string
  /** Whether this host has an address of the family that others reach. */
  readonly present: boolean
}

export interface Audit {
  readonly families: readonly FamilyReport[]
  readonly ports: readonly PortReport[]
  /** Sentences: where two answers contradict each other. */
  readonly differences: readonly string[]
  /** Sentences: ports that are open, and that nobody asked for. */
  readonly opens: readonly string[]
  /** Sentences: what could not be found out. */
  readonly unknown: readonly string[]
}

export interface AuditFacts {
  readonly targets: readonly Target[]
  readonly rules: (target: Target) => Judged
  readonly kernel: (target: Target) => Known<Judged>
  readonly scans: readonly ScanResult[]
  readonly addresses: readonly IpAddress[]
  /** `tcp/80` */
  readonly intended: ReadonlySet<string>
}

export function audit(facts: AuditFacts): Audit {
  const scansOf = (family: Family): readonly ScanResult[] =>
    facts.scans.filter(({ address }) => address.includes(':') === (family === 6))
  const ports = facts.targets.map((target): PortReport => {
    const [outside] = scansOf(target.family).flatMap((scan) => stateOf(scan, target.protocol, target.port) ?? [])
    return {
      ...target,
      rules: facts.rules(target),
      kernel: facts.kernel(target),
      ...(outside !== undefined && { outside }),
      intended: facts.intended.has(`${target.protocol}/${target.port}`),
    }
  })
  const differences = [...ports.flatMap(differencesOf), ...unexplained(facts, ports)]
  const opens = ports
    .filter((port) => port.listening && !port.intended && isOpen(port))
    .map(
      (port) =>
        `${nameOf(port)} is open to everybody${port.programs.length === 0 ? '' : ` (${port.programs.join(', ')})`}`,
    )
  const unknown = [
    ...new Set(
      ports.flatMap((port) => {
        if (!port.kernel.known)
          return port.address === undefined ? [] : [`the kernel was not asked: ${port.kernel.because}`]
        if (port.kernel.value.verdict === 'unclear')
          return [`${nameOf(port)}: what the kernel does is unclear: ${port.kernel.value.by ?? ''}`]
        return []
      }),
    ),
    ...facts.scans
      .filter(({ address }) => !facts.addresses.includes(address))
      .map(
        ({ address }) => `${address} is no address of this host: the scan is of another host, or of a router before it`,
      ),
  ]
  const families = ([4, 6] as const).map((family) => familyOf(family, ports))
  return { families, ports, differences, opens, unknown }
}

/** 0: filtered as intended. 1: something is open or differs. 2: not known. */
export function statusOf({ families, differences, opens, unknown }: Audit): 0 | 1 | 2 {
  const isBad = families.some(({ filtered, present }) => filtered === 'no' && present)
  if (isBad || differences.length > 0 || opens.length > 0) return 1
  return unknown.length > 0 || families.some(({ filtered, present }) => filtered === 'unclear' && present) ? 2 : 0
}

export function nameOf({ family, protocol, port, listening }: Target): string {
  return `IPv${family}: ${listening ? '' : 'any other port, such as '}${protocol}/${port}`
}

/** The kernel's answer counts more than the rules as we read them. */
function isOpen({ rules, kernel }: PortReport): boolean {
  const verdict = kernel.known && kernel.value.verdict !== 'unclear' ? kernel.value.verdict : rules.verdict
  return verdict === 'open'
}

const ANSWERED: ReadonlySet<PortState> = new Set(['open', 'closed', 'unfiltered'])

function differencesOf(port: PortReport): readonly string[] {
  const { rules, kernel, outside } = port
  const name = nameOf(port)
  const found: string[] = []
  const asked = kernel.known && kernel.value.verdict !== 'unclear' ? kernel.value : undefined
  if (asked !== undefined && rules.verdict !== 'unclear' && rules.verdict !== asked.verdict)
    found.push(`${name} is ${shown(rules)} by the rules, and ${shown(asked)} by the kernel`)
  const here = asked ?? (rules.verdict === 'unclear' ? undefined : rules)
  if (here === undefined || outside === undefined) return found
  if (here.verdict === 'dropped' && ANSWERED.has(outside))
    found.push(`${name} answers from outside (${outside}), and is ${shown(here)} on this host`)
  if (here.verdict === 'open' && (outside === 'filtered' || (outside === 'open|filtered' && port.protocol === 'tcp')))
    found.push(
      `${name} is ${shown(here)} on this host, and does not answer outside (${outside}): something on the way drops it`,
    )
  return found
}

function shown({ verdict, by }: Judged): string {
  return by === undefined ? verdict : `${verdict} (${by})`
}

/** Ports that answered outside, and on which nothing of this host listens. */
function unexplained({ scans }: AuditFacts, ports: readonly PortReport[]): readonly string[] {
  const known = new Set(ports.map(targetKey))
  return scans.flatMap(({ address, listed }) => {
    const family = address.includes(':') ? 6 : 4
    return [...listed].flatMap(([name, state]) => {
      const [protocol, number] = name.split('/')
      return state !== 'open' || known.has(`${family} ${protocol} ${number}`)
        ? []
        : [
            `IPv${family}: ${name} is open from outside, and no socket of this host listens there: a published port of a container, or another host`,
          ]
    })
  })
}

/** By the ports that stand for all others. */
function familyOf(family: Family, ports: readonly PortReport[]): FamilyReport {
  const spares = ports.filter((port) => port.family === family && !port.listening)
  const present = spares.some(({ address }) => address !== undefined)
  const asked = spares.map((port) =>
    port.kernel.known && port.kernel.value.verdict !== 'unclear' ? port.kernel.value : port.rules,
  )
  const open = spares.find((_, i) => asked[i]?.verdict === 'open')
  if (open !== undefined) {
    const { by } = asked[spares.indexOf(open)] ?? {}
    return { family, present, filtered: 'no', because: `${open.protocol}: ${by ?? 'it passes'}` }
  }
  const unclear = asked.find(({ verdict }) => verdict === 'unclear')
  if (unclear !== undefined) return { family, present, filtered: 'unclear', because: unclear.by ?? '' }
  return { family, present, filtered: 'yes', because: asked[0]?.by ?? '' }
}
