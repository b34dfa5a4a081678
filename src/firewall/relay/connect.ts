/** Connects to the far side of a relayed connection. */
import { connect, type Socket } from 'node:net'
import type { IpAddress } from '../../packet/address.ts'
import type { Milliseconds, Port } from '../../units.ts'
import { HELD_BACK } from './listen.ts'

export interface Endpoint {
  readonly host: IpAddress
  readonly port: Port
  /** The local address to connect from. Absent: as routing decides. */
  readonly from?: IpAddress
}

/**
 * Tries the endpoints in turn until one answers.
 * @param timeout for each.
 * @param signal cancels.
 * @returns a connected socket that is not being read yet; the last error if none answered.
 */
export async function connectToFirst(
  endpoints: readonly Endpoint[],
  timeout: Milliseconds,
  signal: AbortSignal,
): Promise<Socket | Error> {
  let last: Error = new Error('nowhere to connect to')
  for (const endpoint of endpoints) {
    const outcome = await connectTo(endpoint, timeout, signal)
    if (!(outcome instanceof Error)) return outcome
    last = outcome
    if (signal.aborted) break
  }
  return last
}

function connectTo(
  { host, port, from }: Endpoint,
  timeout: Milliseconds,
  signal: AbortSignal,
): Promise<Socket | Error> {
  return new Promise((resolve) => {
    const options = {
      host,
      port,
      ...(from !== undefined && { localAddress: from }),
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      highWaterMark: HELD_BACK,
    }
    const socket = connect(options)
    const timer = setTimeout(() => socket.destroy(new Error(`no answer from ${host} port ${port}`)), timeout)
    const giveUp = (): void => {
      socket.destroy(new Error('given up'))
    }
    signal.addEventListener('abort', giveUp, { once: true })
    const settle = (outcome: Socket | Error): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', giveUp)
      resolve(outcome)
    }
    // Later errors are reported by `close`. Without a listener, they would end the process.
    socket.on('error', settle)
    socket.once('connect', () => settle(socket))
  })
}
