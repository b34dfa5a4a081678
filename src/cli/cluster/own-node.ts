/** What init and join have in common: the name of this node, its certificate, and the settings that are written. */
import { hostname } from 'node:os'
import { type ClusterAddress, type NodeName, nodeName } from '../../config/server/cluster-settings.ts'
import { readOwnCertificate } from '../../daemon/warden/cluster-process/secrets.ts'
import { formatHostPort } from '../../packet/address.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { fromHere } from '../server/config-source.ts'
import {
  AUTHORITIES_NAME,
  type BesideFile,
  besideSettings,
  type HostSettings,
  PASSWORD_NAME,
  SECRET_NAME,
} from './host-settings.ts'
import type { Given } from './options.ts'

export interface OwnCertificate {
  readonly certificateFile: string
  readonly keyFile: string
  readonly certificate: string
  readonly key: string
}

/** `--node`; or the name that this node has already; or that of this host, before its first dot. */
export function ownNode(given: Given, { config }: Pick<HostSettings, 'config'>): Result<NodeName> {
  const name = nodeName(given.node ?? config.cluster?.node ?? hostname().split('.')[0] ?? '')
  return name.ok ? name : refuse('VALUE_INVALID', `--node: ${name.failure.detail}`)
}

/** `--certificate-file` and `--key-file`. */
export function ownCertificate(given: Given): Result<OwnCertificate | undefined> {
  const { 'certificate-file': certificateText, 'key-file': keyText } = given
  if (certificateText === undefined && keyText === undefined) return ok(undefined)
  if (certificateText === undefined || keyText === undefined)
    return refuse('CLI_USAGE', '--certificate-file and --key-file go together')
  const certificateFile = fromHere(certificateText)
  const keyFile = fromHere(keyText)
  if (!certificateFile.ok) return certificateFile
  if (!keyFile.ok) return keyFile
  for (const [option, path] of [
    ['certificate-file', certificateFile.value],
    ['key-file', keyFile.value],
  ] as const)
    if (/[;\n]/.test(path))
      return refuse('VALUE_INVALID', `--${option}: fwknopd.conf can name no file with “;” in its path`)
  const files = { certificateFile: certificateFile.value, keyFile: keyFile.value }
  const read = readOwnCertificate(files)
  return read.ok ? ok({ ...files, ...read.value }) : read
}

/** How this host shall be a node. */
export interface WantedNode {
  /** CLUSTER. */
  readonly text: string
  readonly node: NodeName
  readonly password?: string | undefined
  /** What records are sealed with. */
  readonly secret?: string | undefined
  readonly authorities?: string | undefined
  readonly own?: OwnCertificate | undefined
  /** CLUSTER_USERS. */
  readonly users?: boolean
}

export interface NodeFiles {
  readonly settings: Readonly<Record<string, string>>
  readonly files: readonly BesideFile[]
}

/** @param wanted what is absent has no setting. */
export function nodeFiles(settings: string, wanted: WantedNode): NodeFiles {
  const { text, node, password, secret, authorities, own, users = false } = wanted
  const passwordFile = besideSettings(settings, PASSWORD_NAME)
  const secretFile = besideSettings(settings, SECRET_NAME)
  const authoritiesFile = besideSettings(settings, AUTHORITIES_NAME)
  return {
    settings: {
      CLUSTER: text,
      CLUSTER_NODE: node,
      ...(password !== undefined && { CLUSTER_PASSWORD_FILE: passwordFile }),
      ...(secret !== undefined && { CLUSTER_SECRET_FILE: secretFile }),
      ...(authorities !== undefined && { CLUSTER_CA_FILE: authoritiesFile }),
      ...(users && { CLUSTER_USERS: 'Y' }),
      ...(own !== undefined && { CLUSTER_CERTIFICATE_FILE: own.certificateFile, CLUSTER_KEY_FILE: own.keyFile }),
    },
    files: [
      ...(password === undefined ? [] : [{ path: passwordFile, text: `${password}\n`, mode: 0o600 }]),
      ...(secret === undefined ? [] : [{ path: secretFile, text: `${secret}\n`, mode: 0o600 }]),
      ...(authorities === undefined ? [] : [{ path: authoritiesFile, text: authorities, mode: 0o644 }]),
    ],
  }
}

/** Where an errand goes, without a login. */
export function asStranger(
  { secure, members, cluster }: ClusterAddress,
  { authorities, own }: Pick<WantedNode, 'authorities' | 'own'>,
) {
  const tls = {
    ...(authorities !== undefined && { authorities }),
    ...(own !== undefined && { own: { certificate: own.certificate, key: own.key } }),
  }
  return { members, cluster, ...(secure && { tls }) }
}

/** The same, as the nodes will ask. */
export function asNode(address: ClusterAddress, wanted: Pick<WantedNode, 'authorities' | 'own' | 'password'>) {
  const { user } = address
  const { password } = wanted
  return {
    ...asStranger(address, wanted),
    ...(user !== undefined && password !== undefined && { login: { user, password } }),
  }
}

/** What is written on this host, or would be. */
export function tellFiles({ settings, files }: NodeFiles, isDry: boolean): readonly string[] {
  const [write, set] = isDry ? ['would write', 'would set'] : ['wrote', 'set']
  return [
    ...files.map(({ path }) => `${write} ${path}`),
    ...Object.entries(settings).map(([name, value]) => `${set} ${name} ${value}`),
  ]
}

/**
 * What there is to say of the users of the cluster (docs/CLUSTER.md).
 * @param shares whether this node shares them. @param version of those that etcd has; 0: none.
 */
export function tellUsers(shares: boolean, version: number): readonly string[] {
  if (shares)
    return version > 0
      ? [`its users are those of the cluster too (version ${version}), after those of its own access.conf`]
      : ['then, to share the users of this node: ghostport user publish --all']
  const how = '--users, or “CLUSTER_USERS Y;” in fwknopd.conf'
  return version > 0
    ? [`warning: the nodes of this cluster share their users, and this one does not have them. To have them: ${how}`]
    : [`the nodes can share their users too: ${how}, at each`]
}

/** @returns SETUP_REFUSED where the host is in another cluster, or has files of one. */
export function judgeHost({ file, config }: HostSettings, text: string): Result<void> {
  const { cluster } = config
  if (cluster === undefined) return ok(undefined)
  if (addressText(cluster) === text) return ok(undefined)
  return refuse('SETUP_REFUSED', `${file} says that this host is in the cluster ${addressText(cluster)}`, {
    suggestion: 'ghostport cluster leave',
  })
}

export function addressText({ secure, user, members, cluster }: ClusterAddress): string {
  const hosts = members.map(({ host, port }) => formatHostPort(host, port))
  return `${secure ? 'etcds' : 'etcd'}://${user === undefined ? '' : `${user}@`}${hosts.join(',')}/${cluster}`
}

/** What the administrator does next. */
export const RESTART = 'systemctl restart ghostport'
