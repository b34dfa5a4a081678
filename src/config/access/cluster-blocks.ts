/**
 * The stanzas of the cluster (CLUSTER_USERS), as this node last had them: a file like access.conf, that the server
 * itself writes. Another node wrote each stanza. So one that cannot be used here is left out by itself, and it never
 * changes what the stanzas of this node's own file say.
 */
import { parseStanzaName, type StanzaName, sameNameKey } from '../../access/stanza-name.ts'
import { isUnicode } from '../../bytes/text.ts'
import { type Failure, ok, type Refused, type Result, refuse } from '../../result.ts'
import type { ConfigFiles } from '../reading/config-files.ts'
import type { ConfigFailure, Notice } from '../reading/notice.ts'
import { readSettingLines, type SettingLine } from '../reading/setting-lines.ts'
import type { ClusterName } from '../server/cluster-settings.ts'
import { serverSettingNames } from '../server/fwknopd-settings.ts'
import { stanzaSettingNames } from './access-setting-names.ts'

/** How the stanzas of the cluster are read. */
export interface ClusterReading {
  /** This node's copy of them. */
  readonly file: string
  /** The name of the cluster. */
  readonly cluster: ClusterName
  /** CLUSTER_USERS_MAY nat. */
  readonly mayNat: boolean
  /** Gets what keeps the file from being read. */
  readonly notices: Notice[]
}

/** How a copy begins; the name of its cluster follows. */
export const COPY_HEAD = '# ghostport: the stanzas of the cluster '

/** @returns the name of the cluster that a copy is of; undefined if it does not say it. */
export function clusterOfCopy(text: string): string | undefined {
  return text.startsWith(COPY_HEAD)
    ? /^[A-Za-z0-9._-]{1,63}(?=, version )/.exec(text.slice(COPY_HEAD.length))?.[0]
    : undefined
}

/** The lines of one stanza of the cluster; the first is its SOURCE. */
export interface ClusterBlock {
  readonly lines: readonly SettingLine[]
  readonly ofCluster: true
  /** Why it is left out. */
  readonly fault?: Failure
}

const ALL_NAMES = [...stanzaSettingNames, ...serverSettingNames]
const NAT = /^(?:FORCE_|FORWARD_ALL$|DISABLE_DNAT$)/
const COMMANDS = /^(?:CMD_|ENABLE_CMD_)/

/**
 * @param own the stanzas of this node. Their names go before those of the cluster.
 * @returns a block for each stanza of the copy. Where there is no copy yet, none.
 */
export function clusterBlocks(
  { file, cluster, mayNat, notices }: ClusterReading,
  files: ConfigFiles,
  own: readonly { readonly lines: readonly SettingLine[] }[],
): readonly ClusterBlock[] {
  const text = files.read(file)
  if (!text.ok) {
    const detail = `no stanza of the cluster is known here (${text.failure.detail})`
    notices.push({ level: 'warning', text: `CLUSTER_USERS: ${detail}` })
    return []
  }
  const other = clusterOfCopy(text.value)
  if (other !== undefined && other !== cluster) {
    const detail = `${file} is the copy of the cluster ${other}, and this host is in ${cluster}: its stanzas do not count`
    notices.push({ level: 'warning', text: `CLUSTER_USERS: ${detail}` })
    return []
  }
  const taken = new Map<string, SettingLine['at']>()
  for (const { lines } of own) {
    const named = nameIn(lines)
    if (named !== undefined) taken.set(sameNameKey(named.name), named.at)
  }
  return stanzaTexts(text.value).map(({ text: stanza, line }) => {
    const lines = linesOf(file, stanza, line)
    const start: SettingLine = { name: 'SOURCE', value: 'ANY', trailingBlanks: false, at: { file, line } }
    if (!lines.ok) return { lines: [start], ofCluster: true, fault: lines.failure }
    const refused = judge(lines.value, mayNat) ?? judgeName(lines.value, taken)
    const fault = refused === undefined ? {} : { fault: refused.failure }
    return { lines: lines.value, ofCluster: true, ...fault }
  })
}

/**
 * Whether this text may be a stanza of a cluster, before it is put there.
 * @returns the name in it; or why not, with lines counted from its first.
 */
export function judgeClusterStanza(text: string): Result<StanzaName, ConfigFailure> {
  const file = 'the stanza'
  // A record is JSON: other bytes, of a raw key, would become other text.
  if (!isUnicode(text))
    return refuse('CONFIG_SYNTAX', 'a stanza of a cluster is UTF-8: a key of other bytes goes into KEY_BASE64', {
      at: { file, line: 1 },
    })
  const lines = linesOf(file, text, 1)
  if (!lines.ok) return lines
  const refused = judge(lines.value, true)
  if (refused !== undefined) return refused
  const [first, ...others] = lines.value
  const second = others.find(({ name }) => name === 'SOURCE')
  if (first?.name !== 'SOURCE' || second !== undefined)
    return refuse('CONFIG_SYNTAX', 'a stanza begins with SOURCE, and has one', { at: { file, line: 1 } })
  const named = nameIn(lines.value)
  if (named !== undefined) return ok(named.name)
  return refuse('CONFIG_MISSING_KEY', 'a stanza of a cluster needs a NAME', { at: { file, line: 1 } })
}

/** @returns the texts of the stanzas in a copy, each from its SOURCE on, with the line where it begins. */
export function stanzaTexts(text: string): readonly { readonly text: string; readonly line: number }[] {
  const found: { lines: string[]; line: number }[] = []
  for (const [i, line] of text.split('\n').entries())
    if (/^SOURCE(?![A-Za-z0-9_])/.test(line)) found.push({ lines: [line], line: i + 1 })
    else found.at(-1)?.lines.push(line)
  return found.map(({ lines, line }) => ({ text: lines.join('\n').trimEnd(), line }))
}

function linesOf(file: string, text: string, first: number): Result<readonly SettingLine[], Failure<'CONFIG_SYNTAX'>> {
  const lines = readSettingLines(file, text, ALL_NAMES)
  const moved = (line: number): SettingLine['at'] => ({ file, line: line + first - 1 })
  if (lines.ok) return ok(lines.value.map((line) => ({ ...line, at: moved(line.at.line) })))
  const { failure } = lines
  return { ok: false, failure: { ...failure, at: moved(failure.at?.line ?? 1) } }
}

/** What no stanza of a cluster may do here. */
function judge(lines: readonly SettingLine[], mayNat: boolean): Refused<ConfigFailure> | undefined {
  for (const { name, at } of lines) {
    const no = (why: string) => refuse('CONFIG_CONFLICT', `${name} ${why}`, { at })
    if (name.startsWith('%')) return no('is not for stanzas of a cluster: other nodes have other files')
    if (name.startsWith('GPG_')) return no('is not for stanzas of a cluster: a keyring is on one host')
    if (COMMANDS.test(name))
      return no('is not for stanzas of a cluster: what runs commands here is in access.conf of this node')
    if (NAT.test(name) && !mayNat) return no('needs “CLUSTER_USERS_MAY nat” in fwknopd.conf of this node')
  }
  return undefined
}

/** A NAME of this node's own file counts, and so does the first of two in the cluster. */
function judgeName(
  lines: readonly SettingLine[],
  taken: Map<string, SettingLine['at']>,
): Refused<ConfigFailure> | undefined {
  const named = nameIn(lines)
  const at = lines[0]?.at
  if (named === undefined)
    return refuse('CONFIG_MISSING_KEY', 'a stanza of a cluster needs a NAME', at === undefined ? {} : { at })
  const key = sameNameKey(named.name)
  const other = taken.get(key)
  if (other === undefined) {
    taken.set(key, named.at)
    return undefined
  }
  return refuse('CONFIG_CONFLICT', `${other.file}:${other.line} has the same NAME, and goes before the cluster’s`, {
    at: named.at,
  })
}

function nameIn(
  lines: readonly SettingLine[],
): { readonly name: StanzaName; readonly at: SettingLine['at'] } | undefined {
  const line = lines.find(({ name }) => name === 'NAME')
  const parsed = line === undefined ? undefined : parseStanzaName(line.value)
  return line !== undefined && parsed?.ok ? { name: parsed.value, at: line.at } : undefined
}
