/**
 * How much of the machine a receiver may take (getrlimit(2)), from the moment that strangers have a word: a receiver in
 * hostile hands could else take all memory, and all descriptors that the kernel has; or start a program that
 * outlives it and keeps its sockets.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { describeErrno } from '../../system/errno.ts'
import { libc } from '../../system/libc.ts'

// linux/resource.h, the same on every processor that libc.ts accepts.
const RLIMIT_FSIZE = 1
const RLIMIT_DATA = 2
const RLIMIT_NPROC = 6
const RLIMIT_NOFILE = 7
const RLIMIT_MEMLOCK = 8
const RLIMIT_AS = 9

/** Bytes beyond what it has when it begins. Its heap may have half of that (warden/receiver-process/spawn.ts). */
const MORE_MEMORY = 512 * 1024 ** 2
/** Descriptors beyond those that it has. */
const MORE_DESCRIPTORS = 16

/**
 * Sets the limits. They cannot be raised again. The memory that a process has reserved is no measure: V8 reserves much,
 * and uses little of it. So the limits are counted from what is there.
 *
 * @param connections that it may have at a time, of a TCP server
 * @returns PRIVILEGE_EXCESSIVE where they cannot be set
 */
export function limitReceiver(connections = 0): Result<void, Failure<'PRIVILEGE_EXCESSIVE'>> {
  try {
    const status = readFileSync('/proc/self/status', 'utf8')
    const descriptors = Math.max(...readdirSync('/proc/self/fd').map(Number)) + 1
    limit(RLIMIT_AS, bytesOf(status, 'VmSize') + MORE_MEMORY)
    limit(RLIMIT_DATA, bytesOf(status, 'VmData') + MORE_MEMORY)
    limit(RLIMIT_NOFILE, descriptors + MORE_DESCRIPTORS + connections)
    limit(RLIMIT_FSIZE, 0)
    // No process and no thread more: also where no filter confines it, all that is ever left of it is itself.
    limit(RLIMIT_NPROC, 0)
    limit(RLIMIT_MEMLOCK, 0)
    return ok(undefined)
  } catch (error) {
    return refuse('PRIVILEGE_EXCESSIVE', `the memory of the receiver cannot be limited: ${(error as Error).message}`)
  }
}

function bytesOf(status: string, name: string): number {
  const [, kilobytes] = new RegExp(`^${name}:\\s+([0-9]+) kB$`, 'm').exec(status) ?? []
  if (kilobytes === undefined) throw new Error(`no ${name} in /proc/self/status`)
  return Number(kilobytes) * 1024
}

/** @throws Error with a sentence. */
function limit(resource: number, most: number): void {
  const native = libc()
  const set = new BigUint64Array([BigInt(most), BigInt(most)])
  if (native.prlimit(0, resource, new Uint8Array(set.buffer), null) < 0) throw new Error(describeErrno(native.errno()))
}
