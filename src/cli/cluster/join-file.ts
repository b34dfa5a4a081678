/** What one node hands to the next: how etcd is reached, as whom, and with which secrets. One line of JSON. */
import { encodeText, jsonLine } from '../../bytes/text.ts'
import { parseClusterSecret } from '../../cluster-record/seal.ts'
import { type ClusterAddress, clusterAddress } from '../../config/server/cluster-settings.ts'
import { LONGEST_PASSWORD } from '../../daemon/link/cluster-protocol.ts'
import { integer, literal, type Reader, record, text } from '../../json-reader.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { certificatesIn, LONGEST_AUTHORITIES } from '../../system/trusted-file.ts'
import { readUserFile, refuseExposed, refuseMissing } from '../../system/user-file.ts'
import { addressText } from './own-node.ts'

export interface JoinFile {
  /** CLUSTER, as it is written. */
  readonly text: string
  readonly address: ClusterAddress
  readonly password?: string
  /** The line of CLUSTER_SECRET_FILE. */
  readonly secret?: string
  /** CLUSTER_CA_FILE: PEM. */
  readonly authorities?: string
  /** MAX_SPA_PACKET_AGE, in seconds: the same at all nodes. */
  readonly maxAge: number
}

const read = record(
  { ghostport: literal('join'), format: integer({ min: 1, max: 1 }), cluster: text({ max: 4000 }), maxAge: age() },
  {
    password: text({ max: LONGEST_PASSWORD }),
    secret: text({ max: 200 }),
    authorities: text({ max: LONGEST_AUTHORITIES }),
  },
)

/** Each becomes a file that the server reads. @returns what is wrong with one of them. */
function faultIn({ password, secret, authorities }: Pick<JoinFile, 'password' | 'secret' | 'authorities'>) {
  if (password === '' || /[\r\n]/.test(password ?? '')) return 'a password is one line'
  const sealed = secret === undefined ? ok(undefined) : parseClusterSecret(encodeText(secret))
  if (!sealed.ok) return sealed.failure.detail
  const trusted = authorities === undefined ? ok(undefined) : certificatesIn('“authorities”', authorities)
  return trusted.ok ? undefined : trusted.failure.detail
}

function age(): Reader<number> {
  return integer({ min: 1, max: 1_000_000_000 })
}

export function joinFileText({
  text: cluster,
  password,
  secret,
  authorities,
  maxAge,
}: Omit<JoinFile, 'address'>): string {
  return `${jsonLine({
    ...{ ghostport: 'join', format: 1, cluster, maxAge },
    ...(password !== undefined && { password }),
    ...(secret !== undefined && { secret }),
    ...(authorities !== undefined && { authorities }),
  })}\n`
}

/** @returns BUNDLE_INVALID for what no `cluster invite` wrote; CONFIG_EXPOSED where others could read or change it. */
export function readJoinFile(path: string): Result<JoinFile> {
  const found = readUserFile(path)
  if (!found.ok) return found
  if (found.value === undefined) return refuseMissing(path)
  if (found.value.readableByOthers) return refuseExposed(path)
  let value: unknown
  try {
    value = JSON.parse(found.value.text)
  } catch {
    return refuse('BUNDLE_INVALID', `${path} is not what “ghostport cluster invite” writes, or not all of it`)
  }
  const { format } = (value ?? {}) as { readonly format?: unknown }
  if (typeof format === 'number' && format > 1)
    return refuse('BUNDLE_INVALID', `${path} was written by a later version of ghostport: upgrade this host first`)
  const joined = read(value)
  if (joined === undefined) return refuse('BUNDLE_INVALID', `${path} is not what “ghostport cluster invite” writes`)
  const address = clusterAddress(joined.cluster)
  if (!address.ok) return refuse('BUNDLE_INVALID', `${path}: ${address.failure.detail}`)
  const { maxAge, password, secret, authorities } = joined
  const wrong = faultIn(joined)
  if (wrong !== undefined) return refuse('BUNDLE_INVALID', `${path}: ${wrong}`)
  return ok({
    ...{ text: addressText(address.value), address: address.value, maxAge },
    ...(password !== undefined && { password }),
    ...(secret !== undefined && { secret }),
    ...(authorities !== undefined && { authorities }),
  })
}
