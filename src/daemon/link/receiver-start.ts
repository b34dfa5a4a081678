/** What warden and receiver agree on before the first message: where the receiver finds its descriptors. */

/** The receiver's end of the socket pair to the warden. */
export const CHANNEL_DESCRIPTOR = 4
/** Makes a receiver open its own UDP sockets. */
export const OWN_SOCKETS_OPTION = '--own-sockets'
/** For a program that the service manager started for a connection of this server. */
export const FROM_SOCKET_OPTION = '--from-socket'
/** The first descriptor of a service that systemd starts for a connection (sd_listen_fds(3)). */
export const SERVICE_DESCRIPTOR = 3
/**
 * What a unit for several programs is to start, as a line before the {@link Handover}. The shell of the unit reads it
 * (packaging/ghostport-helper@.service).
 */
export type HelperName = 'cluster' | 'gnupg' | 'webhooks' | 'name'
/**
 * The first line to a program of ours over such a connection. With it come its standard error, and the descriptors that
 * it would inherit as a child, in order.
 */
export interface Handover {
  readonly type: 'descriptors'
  /** How many come besides standard error. */
  readonly count: number
  /** The warden's time zone, if its environment has one. */
  readonly zone?: string
}
/** Of such a line, in bytes. */
export const LONGEST_HANDOVER = 512
/** The descriptor of the n-th capture socket: 3, 5, 6, … */
export function captureDescriptor(n: number): number {
  return n === 0 ? 3 : CHANNEL_DESCRIPTOR + n
}
/** The reverse of {@link captureDescriptor}. */
export function captureIndex(descriptor: number): number {
  return descriptor === 3 ? 0 : descriptor - CHANNEL_DESCRIPTOR
}
