/**
 * Counts the packets that come to this host and could be knocks, before its firewall and its routing judge them. The
 * packets are not read: the kernel counts what passes the filter, and keeps one of them at most. Needs CAP_NET_RAW.
 */
import { closeSync } from 'node:fs'
import { ok, type Result, refuse } from '../../result.ts'
import { describeErrno } from '../../system/errno.ts'
import { type Libc, libc } from '../../system/libc.ts'
import type { CaptureBounds } from '../bounds.ts'
import type { CaptureFailure } from '../capture.ts'
import { openFiltered } from './open.ts'
import { takeStatistics } from './packet-socket.ts'
import { ETHERTYPES, spaFilter } from './spa-filter.ts'

export interface Witness {
  /** How many have come since it was opened. */
  count(): number
  close(): void
}

export function openWitness(bounds: Pick<CaptureBounds, 'ports' | 'maximumPayload'>): Result<Witness, CaptureFailure> {
  let native: Libc
  try {
    native = libc()
  } catch (error) {
    return refuse('CAPTURE_FAILED', `packet sockets: ${(error as Error).message}`)
  }
  const program = spaFilter({ ...bounds, onlySpa: true })
  const fds: number[] = []
  const close = (): void => {
    for (const fd of fds.splice(0)) closeSync(fd)
  }
  for (const family of [4, 6] as const) {
    const opened = openFiltered(native, ETHERTYPES[family], program)
    if ('errno' in opened) {
      close()
      return refuse('CAPTURE_FAILED', `no packet socket that counts what arrives (${describeErrno(opened.errno)})`)
    }
    fds.push(opened.fd)
  }
  let count = 0
  return ok({
    count() {
      for (const fd of fds) count += takeStatistics(fd).packets
      return count
    },
    close,
  })
}
