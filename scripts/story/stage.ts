/** Where the story plays: three hosts, and what each kind of place can and cannot do. */
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
  /** Starts a daemon as an account that owns nothing: how depends on what the place allows. */
  startService(argv: readonly string[]): Running
}

export interface Stage {
  readonly kind: 'root' | 'user' | 'loopback'
  /** A sentence or two for the reader: what this place is, and what it cannot show. */
  readonly description: string
  readonly hosts: Readonly<Record<HostName, Host>>
  readonly addresses: { readonly server: string; readonly client: string; readonly scanner: string }
  readonly ports: { readonly web: number; readonly publicWeb: number; readonly ssh: number; readonly spa: number }
  /** Who logs in by ssh. */
  readonly login: string
  /** Lines of fwknopd.conf that this place needs. */
  readonly settings: readonly string[]
  /** Lines of apache's configuration: whom it runs as. */
  readonly webServerUser: readonly string[]
  /** Words by which the scanner's programs come from its address, where the place does not see to that. */
  readonly sourceOptions: { readonly curl: readonly string[]; readonly nmap: readonly string[] }
  /** What nmap is to look at. */
  readonly scan: readonly string[]
  /** The host's own firewall, said before it is set. */
  defaultDrop(): Promise<void>
  /** Begins to listen in on the client's network. */
  eavesdrop(): Promise<Eavesdropper>
}

/** Somebody on the way of the knock. */
export interface Eavesdropper {
  /** Where the client's packet has to go to come by; the server's own port, unless the wire cannot be tapped. */
  readonly spaPort: number
  /** The one packet that came by. @throws Error if none did. */
  caught(): Promise<Buffer>
}
