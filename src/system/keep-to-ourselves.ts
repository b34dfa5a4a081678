/** Keeps descriptors and capabilities of this process from the programs that it starts. */
import { readdirSync } from 'node:fs'
import { type Libc, libc } from './libc.ts'

const F_SETFD = 2
const FD_CLOEXEC = 1
const PR_CAP_AMBIENT = 47
const PR_CAP_AMBIENT_CLEAR_ALL = 4

/**
 * A program that this process starts gets only the descriptors that are passed to it. Node opens its own descriptors
 * that way. Libraries do not (libmnl's socket to the firewall), and neither did the process that started us. A service
 * manager may have given this process ambient capabilities, which each started program would inherit.
 */
export function keepToOurselves(): void {
  let native: Libc
  try {
    native = libc()
  } catch {
    return // Nothing native is loaded here, so nothing native has opened anything.
  }
  for (const fd of readdirSync('/proc/self/fd').map(Number)) if (fd > 2) native.fcntl(fd, F_SETFD, FD_CLOEXEC)
  native.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
}
