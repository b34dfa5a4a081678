/**
 * Names of inner hosts, in NAT requests. Asked of the system's resolver by the receiver, which is without privilege; the
 * warden gets an address, and its policy judges that.
 */
import { lookup } from 'node:dns/promises'
import { type AddressFamily, type IpAddress, parseAddress } from '../packet/address.ts'

/** How long a knock may wait for a name, in milliseconds. */
const PATIENCE = 2000

/** @returns the first address of this family, or undefined if the name has none or nobody knows in time. */
export async function resolveTarget(name: string, family: AddressFamily): Promise<IpAddress | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((give) => {
    timer = setTimeout(() => give(undefined), PATIENCE)
  })
  try {
    const found = await Promise.race([lookup(name, { family, all: false }), late])
    if (found === undefined) return undefined
    const address = parseAddress(found.address)
    return address.ok ? address.value : undefined
  } catch {
    return undefined
  } finally {
    clearTimeout(timer)
  }
}
