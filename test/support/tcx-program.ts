/** Attaches a program of eBPF to an interface by a link (tcx), for as long as it runs. Argument: the interface. */
import { indexOfInterface } from '../../src/system/interface-name.ts'
import { libc } from '../../src/system/libc.ts'

// linux/bpf.h
const BPF_PROG_LOAD = 5
const BPF_LINK_CREATE = 28
const BPF_PROG_TYPE_SCHED_CLS = 3
const BPF_TCX_INGRESS = 46
/** `r0 = TCX_NEXT; exit`: it leaves each packet to what comes next. */
const NEXT = Uint8Array.of(0xb7, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x95, 0, 0, 0, 0, 0, 0, 0)
const LICENSE = Uint8Array.of(0)

const native = libc()
const load = new DataView(new ArrayBuffer(32))
load.setUint32(0, BPF_PROG_TYPE_SCHED_CLS, true)
load.setUint32(4, NEXT.length / 8, true)
load.setBigUint64(8, native.address(NEXT), true)
load.setBigUint64(16, native.address(LICENSE), true)
const program = native.bpf(BPF_PROG_LOAD, new Uint8Array(load.buffer), 32)
const link = new DataView(new ArrayBuffer(64))
link.setUint32(0, program, true)
link.setUint32(4, indexOfInterface(process.argv[2] ?? '') ?? 0, true)
link.setUint32(8, BPF_TCX_INGRESS, true)
const attached = native.bpf(BPF_LINK_CREATE, new Uint8Array(link.buffer), 64)
process.stdout.write(attached < 0 ? `failed: ${native.errno()}\n` : 'attached\n')
setInterval(() => {}, 1000)
