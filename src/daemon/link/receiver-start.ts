/** What warden and receiver agree on before the first message: where the receiver finds its descriptors. */

/** The receiver's end of the socket pair to the warden. */
export const CHANNEL_DESCRIPTOR = 4
/** Makes a receiver open its own UDP sockets. */
export const OWN_SOCKETS_OPTION = '--own-sockets'
/** The descriptor of the n-th capture socket: 3, 5, 6, … */
export function captureDescriptor(n: number): number {
  return n === 0 ? 3 : CHANNEL_DESCRIPTOR + n
}
