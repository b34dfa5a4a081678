/**
 * Where the server’s helpers come from: what looks up names, runs gpg and delivers webhooks, each as a user of its own.
 * systemd starts them for connections to a socket, or this process does.
 */
import { statSync } from 'node:fs'
import { currentSituation } from '../../../system/privilege.ts'

export const HELPER_SOCKET_CURE = 'This starts its socket: systemctl start ghostport-helper.socket'

/**
 * @param path the socket; undefined if the server was told of none.
 * @returns the path, if helpers are to be had from there; undefined if this process starts them. Where it may not
 * change the user, it never does: they would be root.
 */
export function helperSocket(
  path: string | undefined,
  maySetUser: boolean = currentSituation().maySetUser,
): string | undefined {
  return path !== undefined && (isSocket(path) || !maySetUser) ? path : undefined
}

/** Whether there is a socket. */
export function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() === true
}
