/**
 * Which pages may send a request. Browsers say where a page is from (Origin, Sec-Fetch-Site); programs say nothing, and
 * may do what they like with their own requests. So a request that says nothing passes, and one that names a foreign
 * page does not.
 */
import type { CrossOrigin } from './route.ts'

/** What a browser says of the page that sends a request. */
export interface PageHeaders {
  readonly origin: string | undefined
  readonly fetchSite: string | undefined
}

export interface OriginRules {
  /** The origin of the server as this visitor sees it: `https://gate.example:8443`. */
  readonly own: string
  /** Further origins that the server was told of; `null` stands for a page from a file. */
  readonly named: readonly string[]
}

/** @returns `foreign` if the page may not send this; else the origin that may read the answer, if it is another one. */
export function judgePage(
  { origin, fetchSite }: PageHeaders,
  from: CrossOrigin,
  isWrite: boolean,
  { own, named }: OriginRules,
): 'foreign' | { readonly readableBy: string | undefined } {
  const isOwn = origin === own
  if (from === 'any') return { readableBy: origin === undefined ? undefined : '*' }
  if (origin !== undefined && !isOwn)
    return from === 'named' && named.includes(origin) ? { readableBy: origin } : 'foreign'
  // Without an Origin, only a link or a typed address is “none”; a foreign page that hides its origin is “cross-site”.
  const isForeign = fetchSite !== undefined && fetchSite !== 'same-origin' && fetchSite !== 'none'
  return isForeign && isWrite && !isOwn ? 'foreign' : { readableBy: undefined }
}
