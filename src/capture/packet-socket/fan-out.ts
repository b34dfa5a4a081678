/**
 * Which of several packet sockets gets a packet, as a classic BPF program for PACKET_FANOUT_CBPF: a hash of its
 * source decides. So a flood from one source fills one socket, and packets of other sources find room in the others.
 * All packets of a source stay in order.
 *
 * Over IPv6 a source is a network of 64 bits, since a host can use all addresses of its network. The program contains
 * random numbers, so that nobody can choose an address that shares a socket with another.
 */
import { type Instruction, LD_W_ABS, MUL_K, RET_A, RSH_K, TAX, XOR_K, XOR_X } from '../../system/bpf.ts'

/** Where the source begins in an IP header. */
const SOURCE_AT = { 4: 12, 6: 8 } as const

/**
 * The constants of MurmurHash3's last step (fmix32), which change each bit of the hash with each bit of the input. With
 * random multipliers, some would spread neighbouring addresses badly.
 */
const MULTIPLIERS = [0x85eb_ca6b, 0xc2b2_ae35] as const
const SHIFTS = [16, 13] as const
/** The kernel takes the hash modulo the number of sockets: high bits of a product are better mixed than low ones. */
const HASH_SHIFT = 16

/**
 * @param random 12 random bytes
 * @returns the program. It ends with a number of 16 bits; a packet too short to have a source goes to the first socket.
 */
export function fanOutProgram(family: 4 | 6, random: Uint8Array): readonly Instruction[] {
  const numbers = new DataView(random.buffer, random.byteOffset, random.byteLength)
  const [first, second, third] = [numbers.getUint32(0), numbers.getUint32(4), numbers.getUint32(8)]
  const at = SOURCE_AT[family]
  const line = (code: number, k: number): Instruction => ({ code, jt: 0, jf: 0, k: k >>> 0 })
  const mix = (shift: number, multiplier: number): readonly Instruction[] => [
    line(TAX, 0),
    line(RSH_K, shift),
    line(XOR_X, 0),
    line(MUL_K, multiplier),
  ]
  return [
    line(LD_W_ABS, at),
    line(XOR_K, first),
    ...mix(SHIFTS[0], MULTIPLIERS[0]),
    line(XOR_K, second),
    ...(family === 4 ? [] : [line(TAX, 0), line(LD_W_ABS, at + 4), line(XOR_X, 0)]),
    ...mix(SHIFTS[1], MULTIPLIERS[1]),
    line(XOR_K, third),
    line(RSH_K, HASH_SHIFT),
    line(RET_A, 0),
  ]
}
