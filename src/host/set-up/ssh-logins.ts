/**
 * The logins that sshd writes into the journal. A session such as `ssh host true` is over before anybody sees its
 * processes; its line stays. Only lines of sshd itself as root count: the fields `_UID` and `_EXE` are journald's own,
 * from the kernel, and no program can choose them.
 */
import { type IpAddress, parseAddress } from '../../packet/address.ts'
import { milliseconds, type Port, parsePort } from '../../units.ts'
import { type Ran, runHere } from '../run-here.ts'

/** The other end of a connection that somebody logged in by. */
export interface Login {
  readonly peer: IpAddress
  readonly peerPort: Port
}

const JOURNALCTL = [
  'journalctl',
  '--quiet',
  '--no-pager',
  '--output=json',
  '--output-fields=MESSAGE,_UID,_EXE',
] as const
const OF_SSHD = ['_UID=0', 'SYSLOG_IDENTIFIER=sshd', 'SYSLOG_IDENTIFIER=sshd-session'] as const
const TIME = milliseconds(5000)
const MOST_LINES = 1000

/** Reads on from where it was begun. */
export class SshLogins {
  readonly #run: typeof runHere
  #cursor: string | undefined

  /** Lines from before do not count. */
  static begin(run: typeof runHere = runHere): SshLogins {
    return new SshLogins(run)
  }

  private constructor(run: typeof runHere) {
    this.#run = run
    this.#cursor = linesOf(run([...JOURNALCTL, '--lines=1'], { time: TIME })).at(-1)?.cursor
  }

  /** @returns the logins since it was asked last; none where there is no journal. */
  next(): readonly Login[] {
    // Without a place to read on from, older lines could not be told from newer ones.
    if (this.#cursor === undefined) return []
    const words = [`--after-cursor=${this.#cursor}`, `--lines=${MOST_LINES}`, ...OF_SSHD] as const
    const lines = linesOf(this.#run([...JOURNALCTL, ...words], { time: TIME }))
    this.#cursor = lines.at(-1)?.cursor ?? this.#cursor
    return lines.flatMap(({ login }) => login ?? [])
  }
}

interface JournalLine {
  readonly cursor: string
  readonly login?: Login
}

function linesOf({ status, output }: Ran): readonly JournalLine[] {
  return status === 0 ? output.split('\n').flatMap((each) => readJournalLine(each) ?? []) : []
}

const CURSOR = /^[\w=;-]+$/
const SSHD = /^\/[\w/.-]*\/sshd(-session)?$/
/** As sshd writes it: `Accepted publickey for ada from 192.0.2.7 port 50022 ssh2: ED25519 SHA256:…` */
const ACCEPTED = /^Accepted [\w/-]+ for \S+ from (\S+) port (\d+) ssh2(: .*)?$/

/** @param line JSON of journalctl. @returns undefined if it is no line of the journal. Never throws. */
export function readJournalLine(line: string): JournalLine | undefined {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  // A field that a program sent several times is a list, and no text.
  const fields = value as Readonly<Record<string, unknown>>
  const cursor = fields['__CURSOR']
  if (typeof cursor !== 'string' || !CURSOR.test(cursor)) return undefined
  const login = loginOf(fields)
  return { cursor, ...(login !== undefined && { login }) }
}

function loginOf(fields: Readonly<Record<string, unknown>>): Login | undefined {
  const { MESSAGE: message, _UID: uid, _EXE: program } = fields
  if (typeof message !== 'string' || uid !== '0' || typeof program !== 'string' || !SSHD.test(program)) return undefined
  const [, from = '', number = ''] = ACCEPTED.exec(message) ?? []
  const [peer, port] = [parseAddress(from), parsePort(number)]
  return peer.ok && port.ok ? { peer: peer.value, peerPort: port.value } : undefined
}
