/** What may be offered once the door is open: an address for another program of this device. Never a command. */
import type { Request } from '../../../src/client/request.ts'
import { formatHostPort } from '../../../src/packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../../../src/result.ts'

/** Schemes whose programs ask before they do anything, or only show something. */
const SCHEMES = ['https:', 'http:', 'ssh:', 'sftp:', 'vnc:', 'rdp:']

export function parseLink(text: string): Result<string, Failure<'VALUE_INVALID'>> {
  try {
    const url = new URL(text.trim())
    if (SCHEMES.includes(url.protocol) && url.host !== '' && url.password === '') return ok(url.href)
  } catch {
    // Not an address at all: the same words.
  }
  return refuse(
    'VALUE_INVALID',
    'a link begins with https://, http://, ssh://, sftp://, vnc:// or rdp://, and has no password',
  )
}

const USUAL: ReadonlyMap<number, string> = new Map([
  [22, 'ssh'],
  [80, 'http'],
  [443, 'https'],
  [3389, 'rdp'],
  [5900, 'vnc'],
])

/** Links for the ports that were asked for, by their service. */
export function linksFor(server: string, requests: readonly Request[]): readonly string[] {
  return requests.flatMap((request) => {
    if (request.kind === 'command' || request.kind === 'close') return []
    return request.ports.flatMap(({ protocol, port }) => {
      const service =
        request.kind === 'natAccess'
          ? request.target.port
          : request.kind === 'localNatAccess'
            ? request.localPort
            : port
      const scheme = protocol === 'tcp' ? USUAL.get(service) : undefined
      if (scheme === undefined) return []
      const link = parseLink(`${scheme}://${formatHostPort(server, port)}`)
      return link.ok ? [link.value] : []
    })
  })
}
