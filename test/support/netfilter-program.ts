/** Attaches a program of eBPF to the hook “input” of netfilter, for IPv4, for as long as it runs. It lets all pass. */
import { libc } from '../../src/system/libc.ts'

// linux/bpf.h
const BPF_PROG_LOAD = 5
const BPF_LINK_CREATE = 28
const BPF_PROG_TYPE_NETFILTER = 32
const BPF_NETFILTER = 45
const NFPROTO_IPV4 = 2
const NF_INET_LOCAL_IN = 1
const PRIORITY = -10
/** `r0 = NF_ACCEPT; exit` */
const ACCEPT = Uint8Array.of(0xb7, 0, 0, 0, 1, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0)
const LICENSE = Uint8Array.of(0)

const native = libc()
const load = new DataView(new ArrayBuffer(72))
load.setUint32(0, BPF_PROG_TYPE_NETFILTER, true)
load.setUint32(4, ACCEPT.length / 8, true)
load.setBigUint64(8, native.address(ACCEPT), true)
load.setBigUint64(16, native.address(LICENSE), true)
load.setUint32(68, BPF_NETFILTER, true)
const program = native.bpf(BPF_PROG_LOAD, new Uint8Array(load.buffer), 72)
const link = new DataView(new ArrayBuffer(64)) // prog_fd 0, attach_type 8, pf 16, hooknum 20, priority 24
link.setUint32(0, program, true)
link.setUint32(8, BPF_NETFILTER, true)
link.setUint32(16, NFPROTO_IPV4, true)
link.setUint32(20, NF_INET_LOCAL_IN, true)
link.setInt32(24, PRIORITY, true)
const attached = native.bpf(BPF_LINK_CREATE, new Uint8Array(link.buffer), 64)
process.stdout.write(program < 0 || attached < 0 ? `failed: ${program} ${native.errno()}\n` : 'attached\n')
setInterval(() => {}, 1000)
