/** What a service says: one address and nothing else. */
import { type AddressFamily, familyOf, type IpAddress, parseAddress } from '../../packet/address.ts'
import { cannotBeHost, isLoopback } from '../../packet/address-kinds.ts'

/** An answer that is longer is not read to its end. */
export const MAX_ANSWER = 256

/** An address, or why there is none, as the end of a sentence about the service. */
export type Answer = { readonly address: IpAddress } | { readonly problem: string }

/**
 * @param text with blanks and line ends around it, CRLF too. Anything else that is not the address is refused.
 * @param family the one over which the service was asked: it cannot know the other.
 */
export function parseAnswer(text: string, family: AddressFamily): Answer {
  const line = text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, '')
  // The form of a gateway (docs/GATEWAY.md).
  const address = parseAddress(/^\{"address":"([0-9A-Fa-f.:]{2,45})"\}$/.exec(line)?.[1] ?? line)
  if (!address.ok) return { problem: 'its answer is not one IP address' }
  return judgeAnswer(address.value, family)
}

export function judgeAnswer(address: IpAddress, family: AddressFamily): Answer {
  if (familyOf(address) !== family)
    return { problem: `it answers with ${address}, which is not an IPv${family} address` }
  const unusable = isLoopback(address) ? `${address} is this host itself on every host` : cannotBeHost(address)
  return unusable === undefined ? { address } : { problem: `it answers with an address of no use: ${unusable}` }
}
