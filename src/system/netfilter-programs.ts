/**
 * Programs of eBPF that hang at a hook of netfilter by a link (Linux 6.4). They stand beside the rules and decide about
 * the same packets, and no program that lists rules shows them. The kernel lists its links (bpf(2),
 * BPF_LINK_GET_NEXT_ID and BPF_OBJ_GET_INFO_BY_FD); nothing changes.
 */
import { closeSync } from 'node:fs'
import { constants } from 'node:os'
import { describeErrno } from './errno.ts'
import { type Libc, libc } from './libc.ts'

/** One such program. The kernel does not say to which network namespace its link belongs. */
export interface NetfilterProgram {
  /** `ipv4`, `ipv6`, or the number of another family. */
  readonly family: string
  /** `input`, `forward`, …, or the number of another hook. */
  readonly hook: string
  /** Rules of filter chains usually have 0. A lower number is asked earlier. */
  readonly priority: number
}

export type NetfilterPrograms =
  | { readonly known: true; readonly value: readonly NetfilterProgram[] }
  /** Completes “not known because …”. */
  | { readonly known: false; readonly because: string }

// linux/bpf.h
const BPF_OBJ_GET_INFO_BY_FD = 15
const BPF_LINK_GET_FD_BY_ID = 30
const BPF_LINK_GET_NEXT_ID = 31
const BPF_LINK_TYPE_NETFILTER = 10
/** The parts of `union bpf_attr` used here, and of `struct bpf_link_info`. */
const ATTRIBUTES_LENGTH = 64
const INFO_LENGTH = 64
/** Links of all kinds. More than any host has. */
const MOST_LINKS = 100_000

/** linux/netfilter.h */
const FAMILIES: Readonly<Record<number, string>> = {
  1: 'inet',
  2: 'ipv4',
  3: 'arp',
  5: 'netdev',
  7: 'bridge',
  10: 'ipv6',
}
const HOOKS = ['prerouting', 'input', 'forward', 'output', 'postrouting']

const { EPERM, EINVAL, ENOENT } = constants.errno

/** A kernel that is too old to have any has none. */
export function findNetfilterPrograms(): NetfilterPrograms {
  try {
    const native = libc()
    const found: NetfilterProgram[] = []
    let last = 0
    for (let count = 0; count < MOST_LINKS; count++) {
      const next = askFor(native, BPF_LINK_GET_NEXT_ID, last)
      if (next.result < 0) return next.errno === ENOENT || next.errno === EINVAL ? known(found) : failed(next.errno)
      last = next.attributes.getUint32(4, true)
      const link = askFor(native, BPF_LINK_GET_FD_BY_ID, last)
      if (link.result >= 0) found.push(...readLink(native, link.result))
      // It is gone meanwhile.
      else if (link.errno !== ENOENT) return failed(link.errno)
    }
    return { known: false, because: `the kernel has more than ${MOST_LINKS} links of eBPF` }
  } catch (error) {
    return { known: false, because: (error as Error).message }
  }
}

function known(value: readonly NetfilterProgram[]): NetfilterPrograms {
  return { known: true, value }
}

function failed(errno: number): NetfilterPrograms {
  return { known: false, because: errno === EPERM ? 'bpf(2) is not allowed here' : `bpf: ${describeErrno(errno)}` }
}

/** @param id the first field of the attributes. */
function askFor(native: Libc, command: number, id: number) {
  const attributes = new DataView(new ArrayBuffer(ATTRIBUTES_LENGTH))
  attributes.setUint32(0, id, true)
  const result = native.bpf(command, new Uint8Array(attributes.buffer), ATTRIBUTES_LENGTH)
  return { result, attributes, errno: result < 0 ? native.errno() : 0 }
}

/** Closes the descriptor. @returns nothing for a link of another kind. */
function readLink(native: Libc, descriptor: number): readonly NetfilterProgram[] {
  try {
    const bytes = new Uint8Array(new ArrayBuffer(INFO_LENGTH))
    const attributes = new DataView(new ArrayBuffer(ATTRIBUTES_LENGTH)) // bpf_fd 0, info_len 4, info 8
    attributes.setUint32(0, descriptor, true)
    attributes.setUint32(4, INFO_LENGTH, true)
    attributes.setBigUint64(8, native.address(bytes), true)
    if (native.bpf(BPF_OBJ_GET_INFO_BY_FD, new Uint8Array(attributes.buffer), ATTRIBUTES_LENGTH) < 0)
      throw new Error(`bpf: ${describeErrno(native.errno())}`)
    const info = new DataView(bytes.buffer) // type 0; of netfilter: pf 16, hooknum 20, priority 24
    if (info.getUint32(0, true) !== BPF_LINK_TYPE_NETFILTER) return []
    const [family, hook] = [info.getUint32(16, true), info.getUint32(20, true)]
    return [
      {
        family: FAMILIES[family] ?? String(family),
        hook: HOOKS[hook] ?? String(hook),
        priority: info.getInt32(24, true),
      },
    ]
  } finally {
    closeSync(descriptor)
  }
}
