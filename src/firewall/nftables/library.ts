/**
 * libnftables in this process, through koffi: a command takes 40 µs, while starting `nft` takes two milliseconds. The
 * prototypes are those of `nftables/libnftables.h`, soname 1.
 */
import { constants } from 'node:os'
import koffi, { type LibraryHandle } from 'koffi'
import type { TableName } from '../../config/server/firewall-settings.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { describeErrno } from '../../system/errno.ts'
import { BatchSocket } from './batch-socket.ts'
import { type Command, renderCommands } from './commands.ts'
import { NetfilterSocket, netfilterSockets } from './netlink.ts'
import { shapeOf } from './sets.ts'

export interface Nftables {
  /** Runs commands as one transaction. @returns what they print; the failure has nftables' message. */
  run(commands: string): Result<string, NftFailure>
  /**
   * Carries out commands, at least one, as one transaction. They go straight to the kernel, or through libnftables if
   * they are more than the socket takes at once.
   */
  change(table: TableName, commands: readonly Command[]): Result<void, NftFailure>
  /** The rules of all tables, without the elements of their sets. */
  listRules(): Result<string, NftFailure>
  /** A set with its elements. */
  listSet(family: string, table: string, set: string): Result<string, NftFailure>
  /** A listing with the elements of all sets, which can be long. @param what `ruleset`, `table inet ghostport`. */
  listWhole(what: string): Result<string, NftFailure>
  /** The netlink addresses of our transactions, as others see them. */
  readonly portIds: ReadonlySet<number>
  close(): void
}

export type NftFailure = Failure<'FIREWALL_REFUSED' | 'FIREWALL_FULL' | 'FIREWALL_UNAVAILABLE'> & {
  /** Something that the commands name does not exist. */
  readonly missing: boolean
}

const { ENOENT, ENFILE, EPERM, EOPNOTSUPP, EPROTONOSUPPORT } = constants.errno

/** Numbers instead of the names from the host's files (`/etc/iproute2/rt_marks`, `/etc/protocols`). */
const NUMERIC_PRIORITY_AND_SYMBOL = (1 << 8) | (1 << 9)
const TERSE = 1 << 11

/** How {@link Nftables.change} reaches the kernel. */
export type ChangePath =
  /** Over netlink if possible. */
  | 'direct'
  /** Always through libnftables. */
  | 'text'

/**
 * @param soname the library to load.
 * @param path `text` is for tests.
 * @returns `FIREWALL_UNAVAILABLE` if there is no library, or no netlink to the kernel's netfilter.
 */
export function openNftables(
  soname = 'libnftables.so.1',
  path: ChangePath = 'direct',
): Result<Nftables, Failure<'FIREWALL_UNAVAILABLE'>> {
  // libnftables ends the whole process if it cannot open a netfilter socket, so this checks first.
  const usable = tryNetfilterSocket()
  if (!usable.ok) return usable

  let library: LibraryHandle
  try {
    library = koffi.load(soname)
  } catch (error) {
    return refuse(
      'FIREWALL_UNAVAILABLE',
      `cannot load ${soname} (Debian: apt-get install libnftables1): ${error instanceof Error ? error.message : error}`,
    )
  }
  const contextNew = library.func('void *nft_ctx_new(uint32_t flags)')
  const contextFree = library.func('void nft_ctx_free(void *ctx)')
  const bufferOutput = library.func('int nft_ctx_buffer_output(void *ctx)')
  const bufferError = library.func('int nft_ctx_buffer_error(void *ctx)')
  const setFlags = library.func('void nft_ctx_output_set_flags(void *ctx, unsigned int flags)')
  const runBuffer = library.func('int nft_run_cmd_from_buffer(void *ctx, const char *buf)')
  const output = library.func('const char *nft_ctx_get_output_buffer(void *ctx)')
  const errors = library.func('const char *nft_ctx_get_error_buffer(void *ctx)')

  const before = netfilterSockets()
  const context: unknown = contextNew(0)
  if (context === null || bufferOutput(context) !== 0 || bufferError(context) !== 0) {
    return refuse('FIREWALL_UNAVAILABLE', `${soname} cannot be started`)
  }
  // Terse, and without a list of tables: otherwise the library would fetch every element of every set for it.
  setFlags(context, NUMERIC_PRIORITY_AND_SYMBOL | TERSE)
  const run: Nftables['run'] = (commands) => {
    if (runBuffer(context, commands) === 0) return ok(output(context) as string)
    return nftFailure(errors(context) as string)
  }
  // Shows whether this process may use it and the kernel supports it. The socket gets its address with this first
  // message.
  const first = run('list chains\n')
  if (!first.ok) {
    contextFree(context)
    return refuse('FIREWALL_UNAVAILABLE', first.failure.detail)
  }
  const sockets = [...netfilterSockets()].filter(([id]) => !before.has(id))
  const portIds = new Set(sockets.map(([id]) => id))
  // libnftables' own socket. So both paths have one address, and a table that this address owns is open to both.
  const shared = path === 'direct' && sockets[0] !== undefined ? NetfilterSocket.sharing(sockets[0][1]) : undefined
  const batches = shared?.ok ? new BatchSocket(shared.value) : undefined

  let open = true
  const listWhole: Nftables['listWhole'] = (what) => {
    if (!open) return nftFailure('the library was closed')
    setFlags(context, NUMERIC_PRIORITY_AND_SYMBOL)
    const listed = run(`list ${what}\n`)
    setFlags(context, NUMERIC_PRIORITY_AND_SYMBOL | TERSE)
    return listed
  }
  return ok({
    portIds,
    run: (commands) => (open ? run(commands) : nftFailure('the library was closed')),
    change: (table, commands) => {
      if (!open) return nftFailure('the library was closed')
      const asText = commands.some(({ set }) => shapeOf(set).ranges)
      const answer = (asText ? undefined : batches?.carryOut(table, commands)) ?? { kind: 'not sent' }
      switch (answer.kind) {
        case 'done':
          return ok(undefined)
        case 'refused':
          return batchFailure(answer.errnos)
        case 'not sent': {
          const ran = run(renderCommands(table, commands))
          return ran.ok ? ok(undefined) : ran
        }
        default:
          return answer satisfies never
      }
    },
    listRules: () => (open ? run('list ruleset\n') : nftFailure('the library was closed')),
    listSet: (family, table, set) => listWhole(`set ${family} ${table} ${set}`),
    listWhole,
    close: () => {
      if (!open) return
      open = false
      batches?.close()
      contextFree(context)
    },
  })
}

function tryNetfilterSocket(): Result<void, Failure<'FIREWALL_UNAVAILABLE'>> {
  const opened = NetfilterSocket.open()
  if (!opened.ok) return refuse('FIREWALL_UNAVAILABLE', `the kernel’s netfilter cannot be used: ${opened.failure}`)
  opened.value.close()
  return ok(undefined)
}

/** The words of strerror(3) in libnftables' messages, and the error that they mean. */
const REASONS = [
  [/No such file or directory/, ENOENT],
  [/Too many open files in system/, ENFILE],
  [/Operation not permitted/, EPERM],
  [/Operation not supported|Protocol not supported|cache initialization failed/, EOPNOTSUPP],
] as const

type NftRefusal = { readonly ok: false; readonly failure: NftFailure }

/** @param said nftables' message: the first line is the reason, the following lines show the place. */
function nftFailure(said: string): NftRefusal {
  const reason = (said.split('\n')[0] ?? '').replace(/^.*?Error: (Could not process rule: )?/, '') || 'no reason given'
  return failure(
    reason,
    REASONS.flatMap(([words, errno]) => (words.test(said) ? [errno] : [])),
  )
}

/** @param errnos the kernel's answers to a batch. None: an answer is lost. */
function batchFailure(errnos: readonly number[]): NftRefusal {
  return failure(errnos[0] === undefined ? 'the kernel’s answer is lost' : describeErrno(errnos[0]), errnos)
}

function failure(reason: string, errnos: readonly number[]): NftRefusal {
  const detail = `nftables: ${reason}`
  const missing = errnos.includes(ENOENT)
  // ENFILE: a set has its full size.
  if (errnos.includes(ENFILE)) return { ok: false, failure: { code: 'FIREWALL_FULL', detail, missing } }
  if (errnos.includes(EPERM)) {
    const why = `${detail}: CAP_NET_ADMIN is needed, and a table that no other program owns`
    return { ok: false, failure: { code: 'FIREWALL_UNAVAILABLE', detail: why, missing } }
  }
  if (errnos.includes(EOPNOTSUPP) || errnos.includes(EPROTONOSUPPORT)) {
    const why = `${detail}: this kernel has no nf_tables`
    return { ok: false, failure: { code: 'FIREWALL_UNAVAILABLE', detail: why, missing } }
  }
  return { ok: false, failure: { code: 'FIREWALL_REFUSED', detail, missing } }
}
