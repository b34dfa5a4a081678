/**
 * The first steps of a process without privilege that talks to a network: the sender, and the cluster process. It takes
 * its channel, and becomes a user of its own at once.
 */
import { becomeUnprivileged, parseBecome } from '../../system/become.ts'
import { setProcessTitle } from '../../system/own-process.ts'
import { FROM_SOCKET_OPTION } from './receiver-start.ts'

const STATUS = { usage: 64, unavailable: 69, privilege: 77 } as const

/**
 * Ends the process where it would keep privilege, or has no channel.
 * @param channel its descriptor.
 * @returns whether systemd started it for a connection; else a process of ours did.
 */
export async function beginHelper(title: string, channel: number): Promise<{ readonly isFromSocket: boolean }> {
  setProcessTitle(title)
  const isFromSocket = process.argv.includes(FROM_SOCKET_OPTION)
  if (isFromSocket) {
    const { takeDescriptors } = await import('./handover.ts')
    if (!takeDescriptors(channel, process.env).ok) process.exit(STATUS.unavailable)
  }
  const become = parseBecome(process.argv)
  if (!become.ok) process.exit(STATUS.usage)
  const unprivileged = await becomeUnprivileged(become.value)
  if (!unprivileged.ok) process.exit(STATUS.privilege)
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM'] as const) process.on(signal, () => {})
  return { isFromSocket }
}
