/** The address of this host from which its packets go to another one, by the kernel's routes. */
import { type IpAddress, parseAddress } from '../packet/address.ts'
import { systemReason } from '../system/errno.ts'

/** @returns the address, or why there is none. Nothing is sent. */
export async function sourceTowards(
  address: IpAddress,
): Promise<{ readonly source: IpAddress } | { readonly because: string }> {
  const { createSocket } = await import('node:dgram')
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  return new Promise((resolve) => {
    const end = (found: { readonly source: IpAddress } | { readonly because: string }): void => {
      socket.close()
      resolve(found)
    }
    socket.on('error', (error) => end({ because: systemReason(error) }))
    const onConnect = (error?: Error): void => {
      const own = error ? undefined : parseAddress(socket.address().address)
      if (own?.ok) end({ source: own.value })
      else end({ because: error ? systemReason(error) : 'the kernel names no address' })
    }
    // Its type does not say that it gets the error. Chooses a route only.
    socket.connect(9, address, onConnect)
  })
}
