/** Receivers that systemd starts, each in a unit of its own: another way than spawn.ts. */
import { connectProcess, failedStart } from './connected-process.ts'
import type { ReceiverStarter } from './spawn.ts'

/** @param path of the socket. */
export function connectedReceivers(path: string): ReceiverStarter {
  return {
    separateUser: true,
    isElsewhere: true,
    start(fds) {
      try {
        return connectProcess(path, fds)
      } catch (error) {
        return failedStart(
          new Error(
            `no receiver can be had from ${(error as Error).message}. This starts its socket: systemctl start ghostport-receiver.socket`,
          ),
        )
      }
    },
  }
}
