/**
 * The kernel and nftables of this host, and whether a table can have an owner: with `flags owner, persist` no other
 * program can flush it, and it outlives its owner. That needs Linux 6.9 and nftables 1.1.0.
 */
import { type Known, known, notKnown } from '../known.ts'
import type { Looker } from '../looker.ts'

/** Numbers of a version, the most important first. */
export type Version = readonly number[]

export interface Kernel {
  /** `6.12.57+deb13-amd64` */
  readonly release: string
  readonly version: Version
}

const OWNED_TABLES_KERNEL: Version = [6, 9]
const OWNED_TABLES_NFT: Version = [1, 1, 0]

export function lookAtKernel(looker: Looker): Known<Kernel> {
  const text = looker.read('/proc/sys/kernel/osrelease')
  if (!text.known) return text
  const release = text.value?.trim() ?? ''
  const version = parseVersion(release)
  return version === undefined ? notKnown('the kernel does not say its version') : known({ release, version })
}

export async function lookAtNft(looker: Looker): Promise<Known<Version>> {
  const said = await looker.ask('version of nft')
  if (!said.known) return said
  const [, text = ''] = /^nftables v(\S+)/.exec(said.value.output) ?? []
  const version = parseVersion(text)
  return version === undefined ? notKnown('nft does not say its version') : known(version)
}

/** Whether a table of ours can have an owner. */
export interface OwnedTables {
  readonly possible: boolean
  /** What is too old; empty if nothing is. */
  readonly tooOld: readonly string[]
}

export async function lookAtOwnedTables(looker: Looker): Promise<Known<OwnedTables>> {
  return judgeOwnedTables(lookAtKernel(looker), await lookAtNft(looker))
}

/** One part that is too old is enough to know. */
export function judgeOwnedTables(kernel: Known<Kernel>, nft: Known<Version>): Known<OwnedTables> {
  const tooOld = [
    ...(kernel.known && isBefore(kernel.value.version, OWNED_TABLES_KERNEL)
      ? [`the kernel is ${kernel.value.release}, and 6.9 is needed`]
      : []),
    ...(nft.known && isBefore(nft.value, OWNED_TABLES_NFT)
      ? [`nftables is ${nft.value.join('.')}, and 1.1.0 is needed`]
      : []),
  ]
  if (tooOld.length > 0) return known({ possible: false, tooOld })
  if (!kernel.known) return kernel
  if (!nft.known) return nft
  return known({ possible: true, tooOld: [] })
}

/** The leading numbers: `6.12.57+deb13` → 6, 12, 57. */
export function parseVersion(text: string): Version | undefined {
  const [numbers] = /^\d+(\.\d+)*/.exec(text) ?? []
  return numbers?.split('.').map(Number)
}

/** A missing number counts as 0. */
export function isBefore(version: Version, other: Version): boolean {
  for (let i = 0; i < Math.max(version.length, other.length); i++) {
    const difference = (version[i] ?? 0) - (other[i] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}
