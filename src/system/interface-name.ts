/** Names of network interfaces by their index (netdevice(7)). */
import { closeSync, readFileSync } from 'node:fs'
import { AF_INET, libc, SOCK_CLOEXEC, SOCK_DGRAM } from './libc.ts'

export const SIOCGIFNAME = 0x8910
const SIOCGIFINDEX = 0x8933
/** struct ifreq: name 0, index 16 */
const IFREQ_LENGTH = 40
const NAME_LENGTH = 16

/**
 * @param socket any: the name is that of its own network namespace.
 * @returns undefined where the interface is gone.
 */
export function interfaceName(socket: number, index: number): string | undefined {
  const request = new Uint8Array(new ArrayBuffer(IFREQ_LENGTH))
  new DataView(request.buffer).setInt32(NAME_LENGTH, index, true)
  if (libc().ioctl(socket, SIOCGIFNAME, request) < 0) return undefined
  return String.fromCharCode(...request.subarray(0, request.subarray(0, NAME_LENGTH).indexOf(0)))
}

/** All interfaces of this network namespace. */
export function interfaceNames(): readonly string[] {
  // Two lines of headings, then a name and a colon in each line.
  const lines = readFileSync('/proc/self/net/dev', 'utf8').split('\n').slice(2)
  return lines.flatMap((line) => /^\s*([^\s:]+):/.exec(line)?.[1] ?? [])
}

/**
 * @param socket as for {@link interfaceName}.
 * @returns undefined where there is no such interface.
 */
export function interfaceIndex(socket: number, name: string): number | undefined {
  const request = new Uint8Array(new ArrayBuffer(IFREQ_LENGTH))
  const bytes = new TextEncoder().encode(name)
  if (bytes.length >= NAME_LENGTH) return undefined
  request.set(bytes)
  if (libc().ioctl(socket, SIOCGIFINDEX, request) < 0) return undefined
  return new DataView(request.buffer).getInt32(NAME_LENGTH, true)
}

/** The same, without a socket of the caller. @returns undefined if there is no such interface. */
export function indexOfInterface(name: string): number | undefined {
  const socket = libc().socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)
  if (socket < 0) return undefined
  try {
    return interfaceIndex(socket, name)
  } finally {
    closeSync(socket)
  }
}
