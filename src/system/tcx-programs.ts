/**
 * Programs of eBPF that see each packet of an interface before any rule does, by a link to it (“tcx”, Linux 6.6). They
 * hang at no queue, so `tc` does not list them. The kernel counts them (bpf(2), BPF_PROG_QUERY); nothing changes.
 */
import { constants } from 'node:os'
import { describeErrno } from './errno.ts'
import { indexOfInterface } from './interface-name.ts'
import { libc } from './libc.ts'

// linux/bpf.h
const BPF_PROG_QUERY = 16
const BPF_TCX_INGRESS = 46
/** The part of `union bpf_attr` for a query: target_ifindex 0, attach_type 4, prog_ids 16, count 24. */
const QUERY_LENGTH = 64
const { EPERM, EINVAL, ENODEV } = constants.errno

export type TcxPrograms =
  | { readonly known: true; readonly value: number }
  /** Completes “not known because …”. */
  | { readonly known: false; readonly because: string }

/** How many there are for what comes in. A kernel that is too old to have any has none. */
export function countTcxPrograms(interfaceName: string): TcxPrograms {
  try {
    const index = indexOfInterface(interfaceName)
    // It is gone meanwhile.
    if (index === undefined) return { known: true, value: 0 }
    const attributes = new Uint8Array(new ArrayBuffer(QUERY_LENGTH))
    const view = new DataView(attributes.buffer)
    view.setUint32(0, index, true)
    view.setUint32(4, BPF_TCX_INGRESS, true)
    if (libc().bpf(BPF_PROG_QUERY, attributes, QUERY_LENGTH) === 0)
      return { known: true, value: view.getUint32(24, true) }
    const errno = libc().errno()
    if (errno === EINVAL || errno === ENODEV) return { known: true, value: 0 }
    const because = errno === EPERM ? 'bpf(2) is not allowed here' : `bpf: ${describeErrno(errno)}`
    return { known: false, because }
  } catch (error) {
    return { known: false, because: (error as Error).message }
  }
}
