/** CLUSTER: servers with one identity, which share a store of used packets (docs/CLUSTER.md). */
import { isHostName, parseNatHost } from '../../packet/nat-target.ts'
import { ok, type Result } from '../../result.ts'
import { type Brand, type Milliseconds, type Port, parsePort, type Seconds } from '../../units.ts'
import { invalidValue, type ValueFailure } from '../reading/setting-values.ts'

/** The name of a node: 1 to 63 letters, digits, `.`, `_` or `-`. */
export type NodeName = Brand<string, 'NodeName'>
/** The name that servers share. The same letters. */
export type ClusterName = Brand<string, 'ClusterName'>

/** CLUSTER, as it is written. */
export interface ClusterAddress {
  readonly members: readonly ClusterMember[]
  /** `etcds`: TLS. */
  readonly secure: boolean
  readonly user?: string
  readonly cluster: ClusterName
}

export interface ClusterMember {
  /** An address or a name. */
  readonly host: string
  readonly port: Port
}

export interface ClusterConfig extends ClusterAddress {
  /** CLUSTER_NODE. */
  readonly node: NodeName
  /** CLUSTER_TIMEOUT: how long a knock waits for the answer. */
  readonly timeout: Milliseconds
  /** CLUSTER_PASSWORD_FILE */
  readonly passwordFile?: string
  /** CLUSTER_SECRET_FILE: what records are sealed with. Absent: this node shares used packets only. */
  readonly secretFile?: string
  /** CLUSTER_CA_FILE: whose certificates count. Absent: the list of Node.js. */
  readonly authoritiesFile?: string
  /** CLUSTER_CERTIFICATE_FILE and CLUSTER_KEY_FILE: what this node shows to etcd. */
  readonly own?: { readonly certificateFile: string; readonly keyFile: string }
  /** CLUSTER_USERS Y. Absent: the stanzas of this node are its own. */
  readonly users?: ClusterUsersConfig
}

/** Stanzas that all nodes of a cluster share. */
export interface ClusterUsersConfig {
  /** CLUSTER_USERS_MAY: what they may do here besides opening ports. */
  readonly may: readonly 'nat'[]
  /** CLUSTER_COPY_AGE: how long ago this node may have heard from etcd, for them to grant. */
  readonly copyAge: Seconds
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/
const STANDARD_PORT = 2379 as Port
const MOST_MEMBERS = 16
const EXAMPLE = 'etcds://10.0.0.1:2379,10.0.0.2:2379,10.0.0.3:2379/front'

export function nodeName(text: string): Result<NodeName, ValueFailure> {
  return NAME.test(text)
    ? ok(text as NodeName)
    : invalidValue(`“${text}” is not the name of a node: 1 to 63 letters, digits, “.”, “_” or “-”`)
}

const NODE_PATTERN = /^[A-Za-z0-9._*?-]{1,63}$/
const MOST_PATTERNS = 32

/** `web-*, db-1`: names of nodes, with `*` and `?`. */
export function nodePatterns(text: string): Result<readonly string[], ValueFailure> {
  const words = text.split(/[\s,]+/).filter((word) => word !== '')
  const wrong = words.find((word) => !NODE_PATTERN.test(word))
  if (words.length === 0 || wrong !== undefined)
    return invalidValue(`“${wrong ?? text}” is not the name of a node, or a pattern such as web-*`, 'web-*, db-1')
  if (words.length > MOST_PATTERNS) return invalidValue(`${words.length} names of nodes: at most ${MOST_PATTERNS}`)
  return ok(words)
}

export function clusterName(text: string): Result<ClusterName, ValueFailure> {
  return NAME.test(text)
    ? ok(text as ClusterName)
    : invalidValue(`“${text}” is not the name of a cluster: 1 to 63 letters, digits, “.”, “_” or “-”`)
}

/** `etcds://[USER@]HOST[:PORT][,HOST[:PORT]…]/NAME`. */
export function clusterAddress(text: string): Result<ClusterAddress, ValueFailure> {
  const [, scheme = '', rest] = /^([a-z]+):\/\/(.*)$/.exec(text) ?? []
  if (rest === undefined) return invalidValue(`“${text}” is not the address of a cluster, such as ${EXAMPLE}`, EXAMPLE)
  if (scheme !== 'etcd' && scheme !== 'etcds')
    return invalidValue(`a cluster is kept in etcd: its address begins with etcds:// or etcd://, not ${scheme}://`)
  const slash = rest.indexOf('/')
  const name = slash < 0 ? '' : rest.slice(slash + 1)
  if (name === '') return invalidValue(`“${text}” lacks the name of the cluster after a “/”, such as ${EXAMPLE}`)
  const cluster = clusterName(name)
  if (!cluster.ok) return cluster
  const authority = rest.slice(0, slash)
  const at = authority.lastIndexOf('@')
  const user = at < 0 ? undefined : authority.slice(0, at)
  if (user?.includes(':'))
    return invalidValue('the password is not part of CLUSTER: others could read it', 'CLUSTER_PASSWORD_FILE')
  // A “;” ends the value.
  if (user !== undefined && !/^[\x21-\x3a\x3c-\x7e]{1,255}$/.test(user))
    return invalidValue(
      `“${user}” is not a user of etcd that CLUSTER can name: 1 to 255 characters of ASCII, no blank, no “;”`,
    )
  const members: ClusterMember[] = []
  for (const one of authority.slice(at + 1).split(',')) {
    const member = memberValue(one)
    if (!member.ok) return member
    members.push(member.value)
  }
  if (members.length > MOST_MEMBERS) return invalidValue(`${members.length} members: at most ${MOST_MEMBERS}`)
  return ok({
    ...{ members, secure: scheme === 'etcds', cluster: cluster.value },
    ...(user !== undefined && { user }),
  })
}

function memberValue(text: string): Result<ClusterMember, ValueFailure> {
  const [, bracketed, plain, portText] = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/.exec(text) ?? []
  const host = parseNatHost(bracketed ?? plain ?? '')
  const port = portText === undefined ? ok(STANDARD_PORT) : parsePort(portText)
  if (!host.ok || !port.ok)
    return invalidValue(`“${text}” is not a member of etcd: HOST, HOST:PORT or [IPV6]:PORT, such as 10.0.0.1:2379`)
  return ok({ host: isHostName(host.value) ? host.value.name : host.value, port: port.value })
}

/** Whether what is sent to these members stays on this host. */
export function staysHere({ members }: Pick<ClusterAddress, 'members'>): boolean {
  return members.every(({ host }) => host === 'localhost' || host === '::1' || host.startsWith('127.'))
}
