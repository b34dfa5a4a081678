/** What `console.conf` says, as typed values. */
import type { AccountName } from '../../access/command.ts'
import type { HttpServerConfig } from '../http-server-settings.ts'
import type { HttpName, HttpPlace } from '../reading/http-places.ts'

export interface ConsoleConfig extends HttpServerConfig {
  readonly listen: readonly HttpPlace[]
  /** At least one. */
  readonly hosts: readonly HttpName[]
  /** Accounts, history, and the certificate that signs itself. */
  readonly stateFolder: string
  /** The server's socket for consoles: CONSOLE_SOCKET of `fwknopd.conf`. */
  readonly serverSocket: string
  /** The server’s settings, which say where its audit log is: for the commands that root runs. */
  readonly serverSettings: string
  /** Who the process becomes, if root starts it: CONSOLE_USER of `fwknopd.conf`. */
  readonly user: AccountName
  /** What the history keeps at most. */
  readonly history: { readonly days: number; readonly events: number }
}
