/** Programs of the classic BPF machine, as the kernel takes them for sockets and for system calls. */

import type { Libc } from './libc.ts'

/** One `struct sock_filter`. */
export interface Instruction {
  readonly code: number
  readonly jt: number
  readonly jf: number
  readonly k: number
}

/** BPF_MAXINSNS of linux/bpf_common.h. */
export const LONGEST_PROGRAM = 4096

// linux/bpf_common.h: the opcodes used here.
export const LD_W_ABS = 0x20
export const LD_H_ABS = 0x28
export const LD_B_ABS = 0x30
export const LD_W_IND = 0x40
export const LD_H_IND = 0x48
export const LD_B_IND = 0x50
export const LD_MEM = 0x60
export const LDX_IMM = 0x01
export const LDX_MEM = 0x61
export const LDX_MSH = 0xb1
export const ST = 0x02
export const ADD_K = 0x04
export const ADD_X = 0x0c
export const SUB_X = 0x1c
export const AND_K = 0x54
export const LSH_K = 0x64
export const RSH_K = 0x74
export const MUL_K = 0x24
export const XOR_K = 0xa4
export const XOR_X = 0xac
export const TAX = 0x07
export const TXA = 0x87
export const JA = 0x05
export const JEQ_K = 0x15
export const JGT_K = 0x25
export const JGE_K = 0x35
export const JSET_K = 0x45
export const RET_K = 0x06
export const RET_A = 0x16

/** In the kernel's form: an array of `struct sock_filter`, little-endian. */
export function encodeProgram(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8)
  const view = new DataView(bytes.buffer)
  for (const [i, { code, jt, jf, k }] of program.entries()) {
    view.setUint16(8 * i, code, true)
    view.setUint8(8 * i + 2, jt)
    view.setUint8(8 * i + 3, jf)
    view.setUint32(8 * i + 4, k, true)
  }
  return bytes
}

/** sizeof(struct sock_fprog) */
export const SOCK_FPROG_LENGTH = 16

/**
 * The program in the form of setsockopt(2) and seccomp(2): a `struct sock_fprog` of {@link SOCK_FPROG_LENGTH} bytes,
 * followed in the same memory by the instructions that it points to.
 */
export function filterOf(native: Libc, program: readonly Instruction[]): Uint8Array {
  const code = encodeProgram(program)
  const bytes = new Uint8Array(new ArrayBuffer(SOCK_FPROG_LENGTH + code.length))
  const view = new DataView(bytes.buffer) // length 0, pointer 8
  view.setUint16(0, program.length, true)
  view.setBigUint64(8, native.address(bytes) + BigInt(SOCK_FPROG_LENGTH), true)
  bytes.set(code, SOCK_FPROG_LENGTH)
  return bytes
}
