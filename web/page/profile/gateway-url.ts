/** Addresses of gateways, and names of targets, as people write them. */
import { type Failure, ok, type Result, refuse } from '../../../src/result.ts'

/**
 * @param text `https://knock.example`, or with a path; `http://` on this computer alone.
 * @returns the address without a slash at its end; `VALUE_INVALID`.
 */
export function parseGatewayUrl(text: string): Result<string, Failure<'VALUE_INVALID'>> {
  const written = text.trim()
  let url: URL
  try {
    url = new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(written) ? written : `https://${written}`)
  } catch {
    return refuse(
      'VALUE_INVALID',
      `“${shorten(written)}” is not the address of a gateway, such as https://knock.example`,
    )
  }
  const isHere = url.hostname === 'localhost' || url.hostname === '127.0.0.1'
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isHere))
    return refuse('VALUE_INVALID', 'a gateway is reached by https://. http:// is for this computer alone (localhost)')
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    return refuse('VALUE_INVALID', 'the address of a gateway has no name, password, “?” or “#”')
  return ok(`${url.origin}${url.pathname.replace(/\/+$/, '')}`)
}

/** @param text the name of a server at a gateway. */
export function parseTarget(text: string): Result<string, Failure<'VALUE_INVALID'>> {
  const name = text.trim()
  return /^[a-z0-9-]{1,32}$/.test(name)
    ? ok(name)
    : refuse('VALUE_INVALID', 'the name of a target has 1 to 32 small letters, digits and hyphens')
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
