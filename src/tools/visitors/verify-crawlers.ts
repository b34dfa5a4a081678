/**
 * Whether crawlers are what they say. The name of the address has to lie below a domain of the crawler, and that name
 * has to lead back to the address: anybody can give the own address any name (the way that Google and others describe).
 */
import type { Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'
import { errorCode } from '../../system/errno.ts'

/** `unknown`: the DNS did not answer, or the log has a name in place of the address. */
export type Finding = 'genuine' | 'false' | 'unknown'

export interface Verified {
  readonly finding: Finding
  /** The name of the address; empty if there is none. It comes from strangers. */
  readonly name: string
}

/** Where the crawlers say that their addresses are named. */
const DOMAINS: readonly (readonly [family: RegExp, domains: readonly string[]])[] = [
  [
    /^(?:Googlebot|Google-|Mediapartners-Google|AdsBot-Google|Storebot-Google|GoogleOther|APIs-Google|FeedFetcher-Google)/i,
    ['googlebot.com', 'google.com', 'googleusercontent.com'],
  ],
  [/^(?:bingbot|msnbot|adidxbot|BingPreview)/i, ['search.msn.com']],
  [/^Yahoo! Slurp/i, ['crawl.yahoo.net']],
  [/^Applebot/i, ['applebot.apple.com']],
  [/^Yandex/i, ['yandex.ru', 'yandex.net', 'yandex.com']],
  [/^Baiduspider/i, ['baidu.com', 'baidu.jp']],
  [/^PetalBot/i, ['petalsearch.com', 'aspiegel.com']],
  [/^Sogou/i, ['sogou.com']],
  [/^SeznamBot/i, ['seznam.cz']],
  [/^Amazonbot/i, ['crawl.amazonbot.amazon']],
  [/^CCBot/i, ['crawl.commoncrawl.org']],
]

/** @returns undefined for a crawler whose domains are not known. */
export function domainsOf(family: string): readonly string[] | undefined {
  return DOMAINS.find(([pattern]) => pattern.test(family))?.[1]
}

/** Names that one address is followed through. */
const MOST_NAMES = 5

/** @param domains below which a genuine name lies. */
export async function verifyAddress(
  resolver: Resolver,
  address: string,
  domains: readonly string[],
): Promise<Verified> {
  const family = isIP(address)
  if (family === 0) return { finding: 'unknown', name: '' }
  const names = await answers(() => resolver.reverse(address))
  if (names === undefined) return { finding: 'unknown', name: '' }
  const inside = names.slice(0, MOST_NAMES).filter((name) => isBelow(name, domains))
  for (const name of inside) {
    const addresses = await answers(() => (family === 4 ? resolver.resolve4(name) : resolver.resolve6(name)))
    if (addresses === undefined) return { finding: 'unknown', name }
    if (addresses.some((other) => same(other, address))) return { finding: 'genuine', name }
  }
  return { finding: 'false', name: names[0] ?? '' }
}

/** @returns nothing where there is none; undefined where the DNS did not answer. */
async function answers(ask: () => Promise<readonly string[]>): Promise<readonly string[] | undefined> {
  try {
    return await ask()
  } catch (error) {
    return errorCode(error) === 'ENOTFOUND' || errorCode(error) === 'ENODATA' ? [] : undefined
  }
}

function isBelow(name: string, domains: readonly string[]): boolean {
  const plain = name.toLowerCase().replace(/\.$/, '')
  return domains.some((domain) => plain.endsWith(`.${domain}`))
}

/** IPv6 addresses have several spellings. */
function same(one: string, other: string): boolean {
  if (one === other) return true
  if (isIP(one) !== 6 || isIP(other) !== 6) return false
  return new URL(`http://[${one}]/`).hostname === new URL(`http://[${other}]/`).hostname
}
