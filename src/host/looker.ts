/**
 * How facts about this host are found: by reading files, by listing folders, and by running a few programs that only
 * show something. Nothing here changes the host. A program is asked by the name of a question, so that no text from
 * outside can become an argument.
 */
import type { IpAddress } from '../packet/address.ts'
import type { NetfilterProgram } from '../system/netfilter-programs.ts'
import type { Port } from '../units.ts'
import type { Known } from './known.ts'

/** The units that are asked about. A unit that does not exist costs nothing. */
export const UNITS = [
  'ghostport.service',
  'ghostport-gate.service',
  'ghostport-receiver.socket',
  'ghostport-helper.socket',
  'ghostport-policy.service',
  'ghostport-policy-watch.service',
  'fwknop-server.service',
  'nftables.service',
  'ufw.service',
  'firewalld.service',
  'docker.service',
  'fail2ban.service',
  'netfilter-persistent.service',
  'ssh.service',
  'ssh.socket',
  'sshd.service',
  'sshd.socket',
  'chrony.service',
  'systemd-timesyncd.service',
] as const
export type UnitName = (typeof UNITS)[number]

const UNIT_PROPERTIES = [
  'Id',
  'LoadState',
  'ActiveState',
  'SubState',
  'UnitFileState',
  'FragmentPath',
  'Result',
  'NRestarts',
  'NeedDaemonReload',
  'Listen',
]

/** Each question: the program and its arguments. Each of them only shows something. */
export const questions = {
  'version of nft': ['nft', '--version'],
  'rules of nft': ['nft', '--terse', '--numeric-priority', 'list', 'ruleset'],
  // Asked only where the kernel has that table already: the program would make it.
  'legacy rules of IPv4': ['iptables-legacy-save', '-t', 'filter'],
  'legacy rules of IPv6': ['ip6tables-legacy-save', '-t', 'filter'],
  'version of systemd': ['systemctl', '--version'],
  'state of units': ['systemctl', 'show', `--property=${UNIT_PROPERTIES.join(',')}`, ...UNITS],
  'settings of sshd': ['sshd', '-T'],
  links: ['ip', '-json', '-details', 'link', 'show'],
  queues: ['tc', '-json', 'qdisc', 'show'],
} as const satisfies Readonly<Record<string, readonly [string, ...string[]]>>
export type QuestionName = keyof typeof questions

/** What a program said. */
export interface Said {
  readonly status: number
  readonly output: string
  /** The first line of its standard error, printable. */
  readonly complaint: string
}

/** What a file is. Links are followed. */
export interface FileFacts {
  readonly kind: 'file' | 'folder' | 'socket' | 'other'
  /** User id. */
  readonly owner: number
  /** Permission bits. */
  readonly mode: number
}

/** An address of an interface, with the length of its prefix. */
export interface InterfaceAddress {
  readonly interface: string
  readonly address: IpAddress
  readonly prefixLength: number
  /** The hardware address: six bytes. */
  readonly hardware: Uint8Array
}

/** Room in a file system. */
export interface Space {
  readonly freeBytes: number
  readonly freeInodes: number
  /** 0: this file system does not count them. */
  readonly inodes: number
}

export interface Looker {
  /** The text of a file, at most {@link LONGEST_FILE} bytes of it; undefined if there is none. */
  read(path: string): Known<string | undefined>
  /** The names in a folder; undefined if there is no such folder. */
  list(folder: string): Known<readonly string[] | undefined>
  /** Where a link leads, as it is written; undefined if there is none. */
  link(path: string): Known<string | undefined>
  /** The real path, after all links; undefined if there is no such file. */
  realPath(path: string): Known<string | undefined>
  /** Undefined if there is no such file. */
  stat(path: string): Known<FileFacts | undefined>
  /** Runs one program of {@link questions}. Each question is asked once; later askers get the same answer. */
  ask(question: QuestionName): Promise<Known<Said>>
  /** The addresses of the interfaces that are up. */
  addresses(): Known<readonly InterfaceAddress[]>
  /**
   * Sends a request to netfilter that changes nothing.
   * @returns the datagrams of the answer.
   */
  netfilter(request: Uint8Array): Promise<Known<readonly Uint8Array[]>>
  /**
   * Gives the kernel a frame as if it had come in on an interface (`system/arriving-frame.ts`). It leaves nothing
   * behind, and nothing leaves the host.
   */
  frameArrives(interfaceName: string, frame: Uint8Array): Known<void>
  /** How many programs of eBPF an interface has for what comes in, by a link (`system/tcx-programs.ts`). */
  tcxPrograms(interfaceName: string): Known<number>
  /** The programs of eBPF at hooks of netfilter (`system/netfilter-programs.ts`). */
  netfilterPrograms(): Known<readonly NetfilterProgram[]>
  /** Sends one datagram to this host itself. */
  sendToSelf(address: IpAddress, port: Port, payload: Uint8Array): Promise<Known<void>>
  /** All addresses of a name, by the system’s resolver. Undefined: the name has none. */
  resolve(name: string): Promise<Known<readonly IpAddress[] | undefined>>
  /** The address of this host that a packet to there would come from. Sends nothing. */
  sourceTowards(address: IpAddress): Promise<Known<IpAddress>>
  /** Connects once, reads at most one line, and closes. @returns the line. */
  readLine(address: IpAddress, port: Port): Promise<Known<string>>
  /** What adjtimex(2) says of the system's clock: a `struct timex`, and the state that it returns. */
  clock(): Known<{ readonly state: number; readonly timex: Uint8Array }>
  /** Asks a running server at its control socket: for its status, if nothing else is said. Undefined if none runs. */
  control(path: string, question?: 'status' | 'uses'): Promise<Known<unknown>>
  /** How much room the file system of a path has; undefined if there is no such path. */
  space(path: string): Known<Space | undefined>
  /** Process id of this program. */
  readonly pid: number
  /** User id of this program. */
  readonly uid: number
  readonly environment: Readonly<Record<string, string | undefined>>
}

export const LONGEST_FILE = 4 << 20
