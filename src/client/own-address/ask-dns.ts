/**
 * Asks a DNS server for the address of this host, as OpenDNS answers for `myip.opendns.com`. Nothing authenticates the
 * answer: an attacker on the way can choose it. So this is done only where RESOLVE_DNS asks for it.
 */
import { type AddressFamily, formatHostPort, parseAddress } from '../../packet/address.ts'
import { errorCode, systemReason } from '../../system/errno.ts'
import { milliseconds, port as portOf } from '../../units.ts'
import { systemResolve } from '../resolve.ts'
import { type Answer, judgeAnswer } from './answer.ts'
import type { Source } from './services.ts'

/** For each of the tries. */
const TRY_LIMIT = milliseconds(1_500)
const TRIES = 2
const DNS_PORT = portOf(53)

/** Asks the server over this family, for an address of this family. Never throws. */
export async function askDns(
  { name, server, port = DNS_PORT }: Extract<Source, { kind: 'dns' }>,
  family: AddressFamily,
): Promise<Answer> {
  const addresses = await systemResolve(server, family)
  const [address] = addresses.ok ? addresses.value : []
  if (address === undefined) return { problem: `it has no IPv${family} address` }
  const { Resolver } = await import('node:dns/promises')
  const resolver = new Resolver({ timeout: TRY_LIMIT, tries: TRIES })
  resolver.setServers([formatHostPort(address, port)])
  try {
    const [found, other] = await (family === 4 ? resolver.resolve4(name) : resolver.resolve6(name))
    const parsed = parseAddress(found ?? '')
    if (!parsed.ok || other !== undefined) return { problem: 'its answer is not one IP address' }
    return judgeAnswer(parsed.value, family)
  } catch (error) {
    const code = errorCode(error)
    if (code === 'ETIMEOUT' || code === 'ECANCELLED') return { problem: 'it does not answer in time' }
    return { problem: code ?? systemReason(error) }
  }
}
