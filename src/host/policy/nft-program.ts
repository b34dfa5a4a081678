/** The program nft of this host. What is written into units needs its path. */
import { existsSync } from 'node:fs'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { NFT_PROGRAMS } from './units.ts'

/** @returns its path; FIREWALL_UNAVAILABLE if it is not installed. */
export function findNft(): Result<string, Failure<'FIREWALL_UNAVAILABLE'>> {
  const nft = NFT_PROGRAMS.find((program) => existsSync(program))
  return nft === undefined
    ? refuse('FIREWALL_UNAVAILABLE', 'this host has no nft', { suggestion: 'apt-get install nftables' })
    : ok(nft)
}
