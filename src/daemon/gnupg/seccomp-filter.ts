/**
 * What the kernel refuses the GnuPG process, and gpg and gpg-agent that it starts (seccomp(2)): a list of what is
 * refused, since they need much. No network; no look into other processes; no other view of files or users. None of
 * them can leave the process group, by which the warden ends them all.
 */
import { constants } from 'node:os'
import { type Instruction, JEQ_K, LD_W_ABS, RET_K } from '../../system/bpf.ts'
import { AF_UNIX } from '../../system/libc.ts'
import { NUMBER_AT, RET_ALLOW, RET_ERRNO, RET_KILL_PROCESS } from '../../system/seccomp.ts'
import type { Architecture, SystemCall } from '../../system/seccomp-numbers.ts'

const { EPERM, EAFNOSUPPORT } = constants.errno

// struct seccomp_data, on little-endian machines
const ARCHITECTURE = 4
const FIRST_ARGUMENT = 16

const REFUSED: readonly SystemCall[] = [
  ...(['setsid', 'setpgid'] as const),
  ...(['ptrace', 'process_vm_readv', 'process_vm_writev', 'pidfd_open', 'pidfd_getfd', 'perf_event_open'] as const),
  ...(['mount', 'umount2', 'pivot_root', 'chroot', 'open_tree', 'move_mount', 'fsopen', 'mount_setattr'] as const),
  ...(['unshare', 'setns', 'name_to_handle_at', 'open_by_handle_at'] as const),
  ...(['bpf', 'userfaultfd', 'add_key', 'request_key', 'keyctl'] as const),
  // A ring carries out calls that no filter sees. Nobody made one before (daemon/warden/start.ts).
  ...(['io_uring_setup'] as const),
]

/** @returns the program for `architecture`. A call by another architecture's table (32-bit) ends the process. */
export function gnupgFilter({ audit, numbers }: Architecture): readonly Instruction[] {
  const program: Instruction[] = []
  const add = (code: number, k: number, jt = 0, jf = 0): void => void program.push({ code, jt, jf, k: k >>> 0 })
  add(LD_W_ABS, ARCHITECTURE)
  add(JEQ_K, audit, 1, 0)
  add(RET_K, RET_KILL_PROCESS)
  add(LD_W_ABS, NUMBER_AT)
  for (const call of REFUSED) {
    const number = numbers[call]
    if (number === undefined) continue
    add(JEQ_K, number, 0, 1)
    add(RET_K, RET_ERRNO | EPERM)
  }
  // A socket of any other family than Unix.
  add(JEQ_K, numbers.socket ?? 0, 0, 3)
  add(LD_W_ABS, FIRST_ARGUMENT)
  add(JEQ_K, AF_UNIX, 1, 0)
  add(RET_K, RET_ERRNO | EAFNOSUPPORT)
  add(RET_K, RET_ALLOW)
  return program
}
