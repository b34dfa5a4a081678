/** nodes.conf on this host: where it is, and how a command changes it. One command at a time. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { changedText } from '../../audit-log/changed-lines.ts'
import { loadServerConfig } from '../../config/load.ts'
import { type NodeList, parseNodesConf } from '../../config/nodes/nodes-conf.ts'
import { diskFiles } from '../../daemon/warden/config-files-on-disk.ts'
import { type Failure, ok, type Result } from '../../result.ts'
import { removeDrafts, replaceConfigFile } from '../../system/replace-config-file.ts'
import { systemPath } from '../../system/system-path.ts'
import { recorded } from '../recorded.ts'
import { configFiles, DEFAULT_CONFIG, fromHere } from '../server/config-source.ts'
import { lockConfigFile } from '../server/lock-config-file.ts'

export const nodesFileOption = {
  'nodes-file': { value: 'FILE', help: 'the list of nodes (nodes.conf beside access.conf)' },
} as const

export interface NodesGiven {
  readonly 'nodes-file': string | undefined
  readonly 'config-file': string | undefined
  readonly 'access-file': string | undefined
}

/** The list, with its text. */
export interface NodesFile extends NodeList {
  readonly file: string
  readonly text: string
}

/** @returns the path. A host without a server has a list, too: that of an administrator’s own device. */
export function nodesPath(given: NodesGiven): Result<string, Failure> {
  if (given['nodes-file'] !== undefined) return fromHere(given['nodes-file'])
  const source = configFiles(given)
  if (!source.ok) return source
  if (source.value.access !== undefined) return ok(join(dirname(source.value.access), 'nodes.conf'))
  const config = loadServerConfig(diskFiles(process.getuid?.() ?? 0), source.value)
  if (config.ok) return ok(join(dirname(config.value.config.accessFile), 'nodes.conf'))
  const isMissing = given['config-file'] === undefined && !existsSync(systemPath(DEFAULT_CONFIG))
  return isMissing ? ok(join(dirname(DEFAULT_CONFIG), 'nodes.conf')) : config
}

/** @returns the list, which is empty if there is no file. */
export function readNodes(given: NodesGiven): Result<NodesFile, Failure> {
  const path = nodesPath(given)
  if (!path.ok) return path
  const file = path.value
  if (!existsSync(systemPath(file))) return ok({ file, text: '', nodes: [], retired: [] })
  const text = diskFiles(process.getuid?.() ?? 0).read(file)
  if (!text.ok) return text
  const parsed = parseNodesConf(file, text.value)
  return parsed.ok ? ok({ file, text: text.value, ...parsed.value }) : parsed
}

/** A device without a server has no audit log. */
function auditLogOf(given: NodesGiven): string | undefined {
  const source = configFiles(given)
  const config = source.ok ? loadServerConfig(diskFiles(process.getuid?.() ?? 0), source.value) : source
  return config.ok ? config.value.config.auditLog : undefined
}

/**
 * @param edit gets what the file says now. Its text is read again before it is written.
 * @returns what the file says then; FILE_BUSY if another command holds it for too long; AUDIT_FAILED if this host has a
 * server, and the change cannot be recorded.
 */
export async function changeNodes(
  given: NodesGiven,
  { did, to }: { readonly did: string; readonly to: string },
  edit: (file: NodesFile) => Result<string, Failure>,
): Promise<Result<NodesFile, Failure>> {
  const path = nodesPath(given)
  if (!path.ok) return path
  const locked = await lockConfigFile(path.value)
  if (!locked.ok) return locked
  try {
    const before = readNodes(given)
    if (!before.ok) return before
    const text = edit(before.value)
    if (!text.ok) return text
    const { file } = before.value
    const parsed = parseNodesConf(file, text.value)
    if (!parsed.ok) return parsed
    removeDrafts(file)
    const log = auditLogOf(given)
    const change = { did, to, ...changedText(before.value.text, text.value) }
    const told = <T>(act: () => Result<T, Failure>) => (log === undefined ? act() : recorded(log, change, act))
    const written = await told(() => replaceConfigFile(file, text.value))
    return written.ok ? ok({ file, text: text.value, ...parsed.value }) : written
  } finally {
    locked.value.release()
  }
}
