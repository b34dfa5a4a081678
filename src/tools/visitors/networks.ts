/** Addresses and networks that the user names. */
import { BlockList, isIP } from 'node:net'
import { type Failure, ok, type Result, refuse } from '../../result.ts'

/** @param words `192.0.2.1`, `2001:db8::/32`. */
export function parseNetworks(words: readonly string[]): Result<BlockList, Failure<'CLI_USAGE'>> {
  const list = new BlockList()
  for (const word of words) {
    const [address = '', bits, more] = word.split('/')
    const family = isIP(address)
    const most = family === 4 ? 32 : 128
    const length = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : -1
    if (family === 0 || more !== undefined || length < 0 || length > most)
      return refuse('CLI_USAGE', `--address: “${word}” is no address and no network`, {
        suggestion: '192.0.2.1 or 2001:db8::/32',
      })
    list.addSubnet(address, length, family === 4 ? 'ipv4' : 'ipv6')
  }
  if (words.length === 0) return refuse('CLI_USAGE', '--address needs an address or a network')
  return ok(list)
}

export function isIn(list: BlockList, address: string): boolean {
  const family = isIP(address)
  return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6')
}
