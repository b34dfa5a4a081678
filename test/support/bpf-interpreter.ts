/**
 * Runs a classic BPF program like the kernel, over the packet of a SOCK_DGRAM packet socket. For tests of the filter.
 */
import { ETHERTYPES, PACKET_PROTOCOL, PACKET_TYPE } from '../../src/capture/packet-socket/spa-filter.ts'
import * as bpf from '../../src/system/bpf.ts'

/**
 * @returns how many bytes of the packet are accepted; 0 is a refusal. @throws Error for a program that the kernel's
 * checker refuses.
 */
export function interpret(program: readonly bpf.Instruction[], packet: Uint8Array, packetType = 0): number {
  let a = 0
  let x = 0
  const memory = new Uint32Array(16)
  for (let pc = 0; ; pc++) {
    const instruction = program[pc]
    if (instruction === undefined) throw new Error(`ran off the end at ${pc}`)
    const { code, jt, jf, k } = instruction
    if (jt > 255 || jf > 255 || jt < 0 || jf < 0) throw new Error(`jump too far at ${pc}`)
    const jump = (holds: boolean): void => {
      pc += holds ? jt : jf
    }
    const load = (at: number, length: number): boolean => {
      if (at + length > packet.length) return false
      a = 0
      for (let i = 0; i < length; i++) a = a * 256 + (packet[at + i] ?? 0)
      return true
    }
    let isInside = true
    switch (code) {
      case bpf.LD_W_ABS:
        if (k === PACKET_TYPE) a = packetType
        else if (k === PACKET_PROTOCOL) a = ETHERTYPES[(packet[0] ?? 0) >> 4 === 6 ? 6 : 4]
        else if (k >= 0xfffff000) throw new Error(`unknown ancillary load ${k}`)
        else isInside = load(k, 4)
        break
      case bpf.LD_H_ABS:
        isInside = load(k, 2)
        break
      case bpf.LD_B_ABS:
        isInside = load(k, 1)
        break
      case bpf.LD_W_IND:
        isInside = load(x + k, 4)
        break
      case bpf.LD_H_IND:
        isInside = load(x + k, 2)
        break
      case bpf.LD_B_IND:
        isInside = load(x + k, 1)
        break
      case bpf.LD_MEM:
        a = memory[k] ?? 0
        break
      case bpf.LDX_IMM:
        x = k
        break
      case bpf.LDX_MEM:
        x = memory[k] ?? 0
        break
      case bpf.LDX_MSH:
        if (k >= packet.length) return 0
        x = 4 * ((packet[k] ?? 0) & 0x0f)
        break
      case bpf.ST:
        memory[k] = a
        break
      case bpf.ADD_K:
        a = (a + k) >>> 0
        break
      case bpf.ADD_X:
        a = (a + x) >>> 0
        break
      case bpf.SUB_X:
        a = (a - x) >>> 0
        break
      case bpf.LSH_K:
        a = (a << k) >>> 0
        break
      case bpf.RSH_K:
        a >>>= k
        break
      case bpf.MUL_K:
        a = Math.imul(a, k) >>> 0
        break
      case bpf.AND_K:
        a = (a & k) >>> 0
        break
      case bpf.XOR_K:
        a = (a ^ k) >>> 0
        break
      case bpf.XOR_X:
        a = (a ^ x) >>> 0
        break
      case bpf.TAX:
        x = a
        break
      case bpf.TXA:
        a = x
        break
      case bpf.JA:
        pc += k
        break
      case bpf.JEQ_K:
        jump(a === k)
        break
      case bpf.JGT_K:
        jump(a > k)
        break
      case bpf.JGE_K:
        jump(a >= k)
        break
      case bpf.JSET_K:
        jump((a & k) !== 0)
        break
      case bpf.RET_K:
        return k
      case bpf.RET_A:
        return a
      default:
        throw new Error(`unknown opcode ${code.toString(16)} at ${pc}`)
    }
    if (!isInside) return 0
  }
}
