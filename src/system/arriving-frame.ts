/**
 * Lets a frame arrive at an interface of this host, as if the network card had received it. The kernel can do that with
 * bpf(2), “test run with live frames” (Linux 5.18): it gives the frame to an XDP program, here one of two instructions
 * that passes everything, and then to the network stack. The program is attached to nothing, and is gone afterwards.
 * Packet sockets and firewall see the frame like any other. Nothing is sent.
 */
import { closeSync } from 'node:fs'
import { constants } from 'node:os'
import { describeErrno } from './errno.ts'
import { indexOfInterface } from './interface-name.ts'
import { type Libc, libc } from './libc.ts'

// linux/bpf.h
const BPF_PROG_LOAD = 5
const BPF_PROG_TEST_RUN = 10
const BPF_PROG_TYPE_XDP = 6
const LIVE_FRAMES = 1 << 1
/** `r0 = XDP_PASS; exit` */
const PASS = Uint8Array.of(0xb7, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0)
const LICENSE = Uint8Array.of(0)
/** The parts of `union bpf_attr` that are used, for the two commands. */
const LOAD_LENGTH = 32
const RUN_LENGTH = 80
/** struct xdp_md: data 0, data_end 4, data_meta 8, ingress_ifindex 12, rx_queue_index 16, egress_ifindex 20. */
const CONTEXT_LENGTH = 24
const { EPERM, EINVAL, ENOTSUP } = constants.errno

/**
 * @param frame with its Ethernet header.
 * @returns why it could not; undefined if it arrived.
 */
export function letFrameArrive(name: string, frame: Uint8Array): string | undefined {
  let native: Libc
  try {
    native = libc()
  } catch (error) {
    return (error as Error).message
  }
  const index = indexOfInterface(name)
  if (index === undefined) return `there is no interface ${name}`
  const program = loadPass(native)
  if (program < 0) return explain(native.errno())
  try {
    return run(native, program, index, frame) < 0 ? explain(native.errno()) : undefined
  } finally {
    closeSync(program)
  }
}

function loadPass(native: Libc): number {
  const attributes = new Uint8Array(new ArrayBuffer(LOAD_LENGTH))
  const view = new DataView(attributes.buffer)
  view.setUint32(0, BPF_PROG_TYPE_XDP, true)
  view.setUint32(4, PASS.length / 8, true)
  view.setBigUint64(8, native.address(PASS), true)
  view.setBigUint64(16, native.address(LICENSE), true)
  return native.bpf(BPF_PROG_LOAD, attributes, LOAD_LENGTH)
}

function run(native: Libc, program: number, index: number, frame: Uint8Array): number {
  // A copy, whose memory does not move.
  const bytes = new Uint8Array(new ArrayBuffer(frame.length))
  bytes.set(frame)
  const context = new Uint8Array(new ArrayBuffer(CONTEXT_LENGTH))
  const about = new DataView(context.buffer)
  about.setUint32(4, bytes.length, true)
  about.setUint32(12, index, true)
  const attributes = new Uint8Array(new ArrayBuffer(RUN_LENGTH))
  const view = new DataView(attributes.buffer)
  view.setUint32(0, program, true)
  view.setUint32(8, bytes.length, true)
  view.setBigUint64(16, native.address(bytes), true)
  view.setUint32(32, 1, true) // once
  view.setUint32(40, CONTEXT_LENGTH, true)
  view.setBigUint64(48, native.address(context), true)
  view.setUint32(64, LIVE_FRAMES, true)
  return native.bpf(BPF_PROG_TEST_RUN, attributes, RUN_LENGTH)
}

function explain(errno: number): string {
  if (errno === EPERM) return 'bpf(2) is not allowed here'
  if (errno === EINVAL || errno === ENOTSUP) return 'the kernel cannot let a frame arrive (that needs Linux 5.18)'
  return `bpf: ${describeErrno(errno)}`
}
