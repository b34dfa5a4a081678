/**
 * The address of this host, as servers outside see it (`-R`). Two sources must agree, where more than one is asked: one
 * that lies, or is captured, cannot choose for whom the port opens.
 */
import type { ClientSettings } from '../../config/client/layer.ts'
import type { AddressFamily, IpAddress } from '../../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import type { Answer } from './answer.ts'
import { type Source, sourceName, sourcesFor } from './services.ts'

/** How many must agree. */
export const QUORUM = 2

/** What one source said. */
export interface Said {
  readonly source: Source
  readonly answer: Answer
}

export interface OwnAddress {
  readonly address: IpAddress
  /** All that were asked and answered by then: those that agree first, and each part in the order of the sources. */
  readonly said: readonly Said[]
}

export type Ask = (source: Source, family: AddressFamily) => Promise<Answer>

/**
 * @param families which the address may have, the first choice first.
 * @param authorities certificates of further authorities to trust, as PEM.
 * @returns the address; `OWN_ADDRESS_UNKNOWN` with what each source said; `CONFIG_CONFLICT`.
 */
export async function findOwnAddress(
  settings: ClientSettings,
  families: readonly AddressFamily[],
  authorities: string | undefined,
): Promise<Result<OwnAddress, Failure<'OWN_ADDRESS_UNKNOWN' | 'CONFIG_CONFLICT'>>> {
  const sources = sourcesFor(settings)
  if (!sources.ok) return sources
  const options = {
    ...(settings.userAgent === undefined ? {} : { userAgent: settings.userAgent }),
    ...(authorities === undefined ? {} : { authorities }),
  }
  const ask: Ask = async (source, family) => {
    if (source.kind === 'dns') return (await import('./ask-dns.ts')).askDns(source, family)
    return (await import('./ask-web.ts')).askWeb(source, { ...options, family })
  }
  const failures: string[] = []
  for (const family of families) {
    const found = await agree(sources.value, ask, family)
    if (found.ok) return found
    failures.push(found.failure.detail)
  }
  return refuse('OWN_ADDRESS_UNKNOWN', failures.join('; '), { suggestion: '--allow-ip ADDRESS (-a)' })
}

/**
 * Asks two sources at once, and one more for each that fails or disagrees.
 * @param sources at least one. A single one decides alone: the user chose it.
 */
export async function agree(
  sources: readonly Source[],
  ask: Ask,
  family: AddressFamily,
): Promise<Result<OwnAddress, Failure<'OWN_ADDRESS_UNKNOWN'>>> {
  const quorum = Math.min(QUORUM, sources.length)
  const rest = [...sources]
  const said: Said[] = []
  const running = new Map<Source, Promise<Said>>()
  const start = (): void => {
    const source = rest.shift()
    if (source !== undefined)
      running.set(
        source,
        ask(source, family).then((answer) => ({ source, answer })),
      )
  }
  for (let i = 0; i < quorum; i++) start()
  while (running.size > 0) {
    const one = await Promise.race(running.values())
    running.delete(one.source)
    said.push(one)
    const address = winner(said, quorum)
    if (address !== undefined) {
      const agrees = ({ answer }: Said): boolean => 'address' in answer && answer.address === address
      const inOrder = said.toSorted((one, other) => sources.indexOf(one.source) - sources.indexOf(other.source))
      return ok({ address, said: [...inOrder.filter(agrees), ...inOrder.filter((it) => !agrees(it))] })
    }
    // As many are asked as could still make the quorum with the best answer so far.
    while (rest.length > 0 && running.size + mostVotes(said) < quorum) start()
  }
  return refuse('OWN_ADDRESS_UNKNOWN', `over IPv${family}, ${describeSaid(said, quorum)}`)
}

function votes(said: readonly Said[]): ReadonlyMap<IpAddress, number> {
  const counts = new Map<IpAddress, number>()
  for (const { answer } of said)
    if ('address' in answer) counts.set(answer.address, (counts.get(answer.address) ?? 0) + 1)
  return counts
}

function mostVotes(said: readonly Said[]): number {
  return Math.max(0, ...votes(said).values())
}

function winner(said: readonly Said[], quorum: number): IpAddress | undefined {
  return [...votes(said)].find(([, count]) => count >= quorum)?.[0]
}

function describeSaid(said: readonly Said[], quorum: number): string {
  const each = said.map(({ source, answer }) =>
    'address' in answer ? `${sourceName(source)} says ${answer.address}` : `${sourceName(source)}: ${answer.problem}`,
  )
  return `${quorum === 1 ? 'there is no answer' : `no ${quorum} services agree`} (${each.join('; ')})`
}
