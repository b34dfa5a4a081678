/**
 * How the receiver gets rid of all privilege. The warden starts it with few capabilities, through setpriv(1) if
 * installed. The receiver becomes another user by itself (become.ts). Before it looks at a packet it checks itself, and
 * refuses to run with any privilege left (docs/THREAT-MODEL.md).
 *
 * setpriv replaces itself by exec, so the receiver is still the warden's own child. setpriv empties the bounding set
 * and sets no_new_privs before the first instruction of the receiver. Without setpriv, the receiver does both by
 * itself.
 */
import type { SpawnOptions } from 'node:child_process'
import { accessSync, constants, readFileSync, realpathSync } from 'node:fs'
import { basename } from 'node:path'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { systemReason } from './errno.ts'
import { libc } from './libc.ts'

/** The needed fields of a line of passwd(5). */
export interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/**
 * Looks a user up by name in the text of /etc/passwd. Users of other sources (LDAP) are not found: the receiver needs a
 * local user that is not root under another name.
 */
export function findAccount(passwd: string, user: string): Result<Account, Failure<'CONFIG_INVALID_VALUE'>> {
  for (const line of passwd.split('\n')) {
    const [name, , uid, gid] = line.split(':')
    if (name !== user || uid === undefined || gid === undefined) continue
    if (!/^[0-9]{1,10}$/.test(uid) || !/^[0-9]{1,10}$/.test(gid))
      return refuse('CONFIG_INVALID_VALUE', `the line of user “${user}” in /etc/passwd is damaged`)
    if (Number(uid) === 0)
      return refuse('CONFIG_INVALID_VALUE', `user “${user}” has the number 0: that is root. Name another user`)
    return ok({ name: user, uid: Number(uid), gid: Number(gid) })
  }
  return refuse(
    'CONFIG_INVALID_VALUE',
    `there is no user “${user}” in /etc/passwd. Name a user that is there, or make this one: useradd --system ${user}`,
  )
}

/** What decides how the receiver can be started. {@link currentSituation} reads it. */
export interface Situation {
  readonly uid: number
  /** /proc/self/uid_map: which users exist in this user namespace. Undefined if there is no such file. */
  readonly uidMap: string | undefined
  /** Path of setpriv(1), if installed. */
  readonly setpriv: string | undefined
  /** CAP_SETUID and CAP_SETGID are available. */
  readonly maySetUser: boolean
  /** CAP_KILL is available: it allows to end a process of another user. */
  readonly mayKill: boolean
  /** CAP_SETPCAP is available. */
  readonly mayDropBounding: boolean
  /** CAP_DAC_READ_SEARCH is available: the program may be in a place that only another user can read. */
  readonly mayReadAll: boolean
}

/** A program to start, without a shell. */
export interface ReceiverCommand {
  readonly file: string
  readonly args: readonly string[]
  readonly options: Pick<SpawnOptions, 'cwd' | 'env'>
  /**
   * Whether the receiver runs as another user than the warden. False if the warden may not change users, or if the
   * account does not exist in its user namespace. Then the receiver is the warden's user, without capabilities.
   */
  readonly separateUser: boolean
}

const CAP_DAC_READ_SEARCH = 2n
const CAP_KILL = 5n
const CAP_SETGID = 6n
const CAP_SETUID = 7n
const CAP_SETPCAP = 8n
const SETPRIV_PATHS = ['/usr/bin/setpriv', '/bin/setpriv', '/sbin/setpriv', '/usr/sbin/setpriv']

export function currentSituation(): Situation {
  const status = readOptional('/proc/self/status')
  const effective = status === undefined ? 0n : capabilitySet(status, 'CapEff')
  const has = (capability: bigint): boolean => ((effective >> capability) & 1n) === 1n
  const uid = process.getuid?.() ?? 0
  return {
    uid,
    uidMap: readOptional('/proc/self/uid_map'),
    setpriv: SETPRIV_PATHS.find((path) => isExecutable(path) && !isBusybox(path)),
    maySetUser: status === undefined ? uid === 0 : has(CAP_SETUID) && has(CAP_SETGID),
    mayKill: status === undefined ? uid === 0 : has(CAP_KILL),
    mayDropBounding: has(CAP_SETPCAP),
    mayReadAll: has(CAP_DAC_READ_SEARCH),
  }
}

const WHERE_BOUNDING_SETS_ARE = '(systemd: CapabilityBoundingSet=, containers: --cap-add)'

/** The setpriv of busybox lacks some of the options. */
function isBusybox(path: string): boolean {
  return /busybox/.test(basename(realpathSync(path)))
}

/**
 * Whether a receiver without privilege can be started at all. A program of user 0 gets all capabilities of its bounding
 * set back when it starts. Even without them, user 0 owns the system’s files and is root to other services.
 * @returns PRIVILEGE_MISSING with the name of the missing capability.
 */
export function checkSituation(account: Account, situation: Situation): Result<void, Failure<'PRIVILEGE_MISSING'>> {
  const { uid, uidMap, setpriv, maySetUser, mayKill, mayDropBounding } = situation
  const isSeparate = canSeparate(account, situation)
  // The warden must be able to end a hostile receiver, and to end its receiver when it stops.
  if (isSeparate && !mayKill)
    return refuse(
      'PRIVILEGE_MISSING',
      `the receiver must run as ${account.name}, and this process may not end a process of another user: ` +
        `it lacks CAP_KILL. Add it to its bounding set ${WHERE_BOUNDING_SETS_ARE}`,
    )
  if (uid !== 0 || isSeparate) return ok(undefined)
  const isRoot = outerUid(uid, uidMap) === 0
  if (isRoot && !maySetUser)
    return refuse(
      'PRIVILEGE_MISSING',
      `the receiver must run as ${account.name}, and this process may not change the user: ` +
        `it lacks CAP_SETUID or CAP_SETGID. Add CAP_SETUID, CAP_SETGID and CAP_KILL to its bounding set ${WHERE_BOUNDING_SETS_ARE}`,
    )
  if (isRoot)
    return refuse(
      'PRIVILEGE_MISSING',
      `the receiver must run as ${account.name}, and user ${account.uid} does not exist in this user namespace. ` +
        'Map that user into the namespace, or start ghostport outside of it',
    )
  if (setpriv === undefined)
    return refuse(
      'PRIVILEGE_MISSING',
      'the receiver cannot drop its capabilities: user 0 of this user namespace needs the program setpriv for that. ' +
        'Install util-linux, or give this process CAP_SETUID and CAP_SETGID and the user ' +
        `${account.name} (${account.uid})`,
    )
  if (!mayDropBounding)
    return refuse(
      'PRIVILEGE_MISSING',
      'the receiver cannot drop its capabilities: CAP_SETPCAP is missing. Add it to the bounding set of this process ' +
        '(containers: --cap-add SETPCAP)',
    )
  return ok(undefined)
}

/** Whether a program started by this process can run as this user. */
export function canSeparate(account: Account, { uid, uidMap, maySetUser }: Situation): boolean {
  return maySetUser && account.uid !== uid && isMapped(account.uid, uidMap)
}

/**
 * The command that starts a receiver with as little privilege as the situation allows. A receiver that becomes another
 * user does so itself (become.ts). Until then it has the few root capabilities that this needs. It gets only `PATH`,
 * the time zone, and the journal's stream from the environment. The caller adds `stdio`: see {@link captureDescriptor}.
 * @param program Node and its arguments.
 */
export function receiverCommand(
  program: readonly [string, ...string[]],
  account: Account,
  situation: Situation,
): ReceiverCommand {
  const separateUser = canSeparate(account, situation)
  const options = { cwd: '/', env: plainEnvironment() }
  const words = separateUser ? [...program, '--become', `${account.uid}:${account.gid}`] : program
  const [file = '', ...args] =
    situation.setpriv === undefined
      ? words
      : [situation.setpriv, ...dropOptions(separateUser, situation), '--no-new-privs', '--', ...words]
  return { file, args, options, separateUser }
}

/** The first two sets can always be emptied. A user other than 0 cannot use what stays in the last one. */
export function dropOptions(separateUser: boolean, { mayDropBounding, mayReadAll }: Situation): readonly string[] {
  const kept = separateUser ? `,+setuid,+setgid,+setpcap${mayReadAll ? ',+dac_read_search' : ''}` : ''
  const bounding = mayDropBounding ? [`--bounding-set=-all${kept}`] : []
  return ['--inh-caps=-all', '--ambient-caps=-all', ...bounding]
}

/** The privileges of a process, as in /proc/PID/status. */
export interface Privileges {
  readonly uid: number
  readonly gid: number
  readonly groups: readonly number[]
  /** Capability sets as bit masks; permitted, effective, inheritable, ambient and bounding. */
  readonly permitted: bigint
  readonly effective: bigint
  readonly inheritable: bigint
  readonly ambient: bigint
  readonly bounding: bigint
  readonly noNewPrivileges: boolean
}

/** The real, effective, saved and file system user of a process. @param status as for {@link parsePrivileges}. */
export function userIds(status: string): readonly number[] {
  return ids(status, 'Uid')
}

/** @param status the text of /proc/PID/status. @throws Error if a line is missing that every Linux has. */
export function parsePrivileges(status: string): Privileges {
  return {
    uid: userIds(status)[1] ?? 0,
    gid: ids(status, 'Gid')[1] ?? 0,
    groups: ids(status, 'Groups'),
    permitted: capabilitySet(status, 'CapPrm'),
    effective: capabilitySet(status, 'CapEff'),
    inheritable: capabilitySet(status, 'CapInh'),
    ambient: capabilitySet(status, 'CapAmb'),
    bounding: capabilitySet(status, 'CapBnd'),
    noNewPrivileges: line(status, 'NoNewPrivs') === '1',
  }
}

/**
 * Forbids other processes of the same user to read this one's memory, which will hold keys, and forbids the kernel to
 * write that memory to a core file. Without the native part, this step is left out. Then it refuses to go on with
 * privilege.
 *
 * Outside Linux only the user is checked.
 * @returns PRIVILEGE_EXCESSIVE with the name of what is too much. RECEIVER_GONE if the kernel does not say what this
 * process may do, for example without a free descriptor: the next start may learn it.
 */
export function assertUnprivileged(): Result<Privileges | undefined, Failure<'PRIVILEGE_EXCESSIVE' | 'RECEIVER_GONE'>> {
  closeMemory()
  if (process.platform !== 'linux') {
    if (process.getuid?.() === 0) return refuse('PRIVILEGE_EXCESSIVE', 'the receiver runs as root')
    return ok(undefined)
  }
  let status: string
  try {
    status = readFileSync('/proc/self/status', 'utf8')
  } catch (error) {
    return refuse('RECEIVER_GONE', `its privileges cannot be read: ${systemReason(error)}`)
  }
  const privileges = parsePrivileges(status)
  const checked = checkUnprivileged(privileges, readOptional('/proc/self/uid_map'))
  return checked.ok ? ok(privileges) : checked
}

/**
 * The rule of {@link assertUnprivileged}: no capability, and not the user that owns the machine. In a user namespace,
 * uid 0 may be an ordinary user outside, and without capabilities it has no more rights than that user.
 */
export function checkUnprivileged(
  privileges: Privileges,
  uidMap: string | undefined,
): Result<void, Failure<'PRIVILEGE_EXCESSIVE'>> {
  // The inheritable set gives nothing by itself, and some container engines leave it full.
  for (const set of ['permitted', 'effective', 'ambient'] as const)
    if (privileges[set] !== 0n)
      return refuse('PRIVILEGE_EXCESSIVE', `the ${set} capability set is ${privileges[set].toString(16)}, not empty`)
  if (outerUid(privileges.uid, uidMap) === 0) return refuse('PRIVILEGE_EXCESSIVE', 'the receiver runs as root')
  return ok(undefined)
}

const PR_SET_DUMPABLE = 4

/** Applies to the whole process: /proc/PID/mem and ptrace(2) then belong to root alone. */
export function closeMemory(): void {
  try {
    libc().prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
  } catch {
    // Without koffi: a plain UDP capture runs without a native part, with the system's own rules for ptrace.
  }
}

/**
 * @returns the uid outside this user namespace; `uid` itself if there is no map; undefined if the map does not have it.
 */
function outerUid(uid: number, uidMap: string | undefined): number | undefined {
  if (uidMap === undefined) return uid
  for (const row of uidMap.trim().split('\n')) {
    const [inner = 0, outer = 0, count = 0] = row.trim().split(/\s+/).map(Number)
    if (uid >= inner && uid < inner + count) return outer + (uid - inner)
  }
  return undefined
}

function isMapped(uid: number, uidMap: string | undefined): boolean {
  return outerUid(uid, uidMap) !== undefined
}

function line(status: string, name: string): string | undefined {
  return new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1]?.trim()
}

function ids(status: string, name: string): number[] {
  const text = line(status, name)
  if (text === undefined) throw new Error(`no ${name} in /proc/self/status`)
  return text === '' ? [] : text.split(/\s+/).map(Number)
}

function capabilitySet(status: string, name: string): bigint {
  const text = line(status, name)
  // Ambient sets are newer than the others (Linux 4.3). A kernel without them has none to give.
  if (text === undefined && name === 'CapAmb') return 0n
  if (text === undefined || !/^[0-9a-f]{1,16}$/.test(text)) throw new Error(`no ${name} in /proc/self/status`)
  return BigInt(`0x${text}`)
}

function plainEnvironment(): NodeJS.ProcessEnv {
  const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C' }
  const { TZ: zone, JOURNAL_STREAM: stream } = process.env
  return {
    ...env,
    ...(zone === undefined ? {} : { TZ: zone }),
    ...(stream === undefined ? {} : { JOURNAL_STREAM: stream }),
  }
}

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
