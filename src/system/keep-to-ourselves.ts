/** What a program that this process starts must not have of it: descriptors and capabilities. */
import { readdirSync } from 'node:fs'
import { type Libc, libc } from './libc.ts'

const F_SETFD = 2
const FD_CLOEXEC = 1
const PR_CAP_AMBIENT = 47
const PR_CAP_AMBIENT_CLEAR_ALL = 4

/**
 * Nothing that this process holds goes to a program that it starts but what is handed to it. Node opens all of its own descriptors that
 * way; libraries do not (libmnl's socket to the firewall), nor does the process that started us. And where a service manager gave this process
 * its capabilities as ambient ones, each program that it starts would have them too.
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
