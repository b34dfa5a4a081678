/** Where the story plays: three hosts, and what each kind of stage can and cannot do. */
import type { Outcome, Running } from './programs.ts'

export type HostName = 'spaclient' | 'spaserver' | 'scanner'

export interface Host {
  readonly name: HostName
  /** Its own folder, in which its commands run, so that they need no long paths. */
  readonly folder: string
  /** Runs a command to its end. */
  run(argv: readonly string[], timeoutMilliseconds?: number): Promise<Outcome>
  /** Starts a command that goes on. */
  start(argv: readonly string[]): Running
  /** Starts a daemon as an account that owns nothing. How this is done depends on the stage. */
  startService(argv: readonly string[]): Running
}

export interface Stage {
  readonly kind: 'root' | 'user' | 'loopback'
  /** A sentence or two for the reader: what this stage is, and what it cannot show. */
  readonly description: string
  readonly hosts: Readonly<Record<HostName, Host>>
  readonly addresses: { readonly server: string; readonly client: string; readonly scanner: string }
  readonly ports: { readonly web: number; readonly publicWeb: number; readonly ssh: number; readonly spa: number }
  /** Who logs in by ssh. */
  readonly login: string
  /** Lines of fwknopd.conf that this stage needs. */
  readonly settings: readonly string[]
  /** Lines of apache's configuration: its user. */
  readonly webServerUser: readonly string[]
  /** Words that make the scanner's programs use its address, if the stage does not do that. */
  readonly sourceOptions: { readonly curl: readonly string[]; readonly nmap: readonly string[] }
  /** What nmap is to look at. */
  readonly scan: readonly string[]
  /** The host's own firewall, shown before it is set. */
  defaultDrop(): Promise<void>
  /** Begins to capture on the client's network. */
  eavesdrop(): Promise<Eavesdropper>
}

/** An observer on the way of the knock. */
export interface Eavesdropper {
  /**
   * Where the client's packet must go to pass the observer: the server's own port, unless the wire cannot be captured.
   */
  readonly spaPort: number
  /** The one packet that passed. @throws Error if none did. */
  caught(): Promise<Buffer>
}
