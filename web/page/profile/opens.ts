/** What a profile opens, in words, before it is kept or used. Without keys. */
import type { ClientSettings } from '../../../src/config/client/layer.ts'
import { formatHostPort } from '../../../src/packet/address.ts'
import { isHostName } from '../../../src/packet/nat-target.ts'
import { formatProtocolPorts } from '../../../src/packet/protocol-port.ts'

export interface Fact {
  readonly name: string
  readonly value: string
}

/** A short line for a list: `tcp/22 at host.example`. */
export function summary(settings: ClientSettings): string {
  const ports = settings.access === undefined ? 'no port' : formatProtocolPorts(settings.access).replaceAll(',', ', ')
  return `${ports} at ${settings.server ?? 'an unknown server'}`
}

export function factsOf(settings: ClientSettings): readonly Fact[] {
  const { access, natAccess, natLocal, natPort, natRandomPort, timeout, encryptionKey, hmacKey } = settings
  const ports = access === undefined ? 'nothing' : formatProtocolPorts(access).replaceAll(',', ', ')
  const outside = natRandomPort === true ? 'a random port' : natPort === undefined ? 'the same port' : `port ${natPort}`
  const inner =
    natAccess === undefined
      ? undefined
      : natAccess.port !== undefined
        ? formatHostPort(isHostName(natAccess.host) ? natAccess.host.name : natAccess.host, natAccess.port)
        : isHostName(natAccess.host)
          ? natAccess.host.name
          : natAccess.host
  const facts: [string, string | undefined][] = [
    ['Server', settings.server],
    ['Opens', ports],
    ['Reached through', natLocal === true || inner !== undefined ? `${outside} of the server` : undefined],
    ['Leads to', natLocal === true ? 'the server itself (ghost service)' : inner],
    ['Asks for', timeout === undefined || timeout === 0 ? 'as long as the server decides' : `${timeout} seconds`],
    ['User name', settings.username],
    [
      'Encryption',
      settings.gpg === true
        ? 'GnuPG'
        : encryptionKey === undefined
          ? 'no key'
          : `AES-256, ${settings.encryptionMode ?? 'CBC'}`,
    ],
    ['Signed with', hmacKey === undefined ? 'no HMAC key' : `HMAC ${settings.hmacDigestType ?? 'sha256'}`],
  ]
  return facts.flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]))
}
