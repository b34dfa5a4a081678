/** What a scan may be of: one host. Pure. */
import { isIP } from 'node:net'
import { type IpAddress, parseAddress } from '../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'

/** @returns the name or address; VALUE_INVALID for a network, a range, a list, and what is no name. */
export function parseTarget(text: string): Result<string, Failure<'VALUE_INVALID'>> {
  const no = (why: string) => refuse('VALUE_INVALID', `“${text}” is not one host: ${why}`)
  const plain = text.replace(/^\[(.*)\]$/, '$1')
  if (isIP(plain) !== 0) {
    const address = parseAddress(plain)
    return address.ok ? ok(address.value) : no('an address with a zone cannot be scanned')
  }
  if (/[/*]/.test(plain)) return no('networks are never scanned. Name one host')
  if (/[,\s]/.test(plain)) return no('scan one after the other')
  if (/^[0-9.-]+$/.test(plain)) return no('ranges and parts of addresses are never scanned. Name one host')
  if (!/^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})$/.test(plain)) return no('it is neither a name nor an address')
  return ok(plain)
}

/** @param own addresses of this host. @returns why this address cannot be scanned from here, as a sentence. */
export function whyNotScanned(address: IpAddress, own: ReadonlySet<string>): string | undefined {
  if (/^127\.|^::1$/.test(address) || own.has(address))
    return `${address} is an address of this host. A host that scans itself proves nothing of what others see: its packets take loopback, which is usually let in. Run this on another host`
  if (/^(0\.|22[4-9]\.|23\d\.|24\d\.|25[0-5]\.)/.test(address) || /^(::$|ff)/.test(address))
    return `${address} is not the address of one host`
  return undefined
}
