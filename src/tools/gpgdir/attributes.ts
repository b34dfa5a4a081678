/** Mode, owner, times, ACL and extended attributes of a source, given to its result. */
import type { BigIntStats } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import {
  ACCESS_ACL,
  attributeNames,
  attributeOf,
  removeAttribute,
  setAttribute,
  setTimes,
} from '../../system/file-attributes.ts'

/** Those of users, and the other kinds of ACL. Labels and capabilities are for the kernel to give. */
const KEPT = /^(?:user\.|system\.(?:nfs4_acl|richacl)$)/

/**
 * Nobody may read the result who could not read the source. @throws Error with the reason: an attribute that cannot be
 * kept would be lost with the source.
 */
export async function giveAttributes(
  input: FileHandle,
  output: FileHandle,
  source: BigIntStats,
  preserveTimes: boolean,
): Promise<void> {
  const hasGroup = await giveOwner(output, source)
  const acl = hasGroup ? attributeOf(input.fd, ACCESS_ACL) : undefined
  // The folder may have given it an ACL of its own.
  if (acl === undefined) removeAttribute(output.fd, ACCESS_ACL)
  else setAttribute(output.fd, ACCESS_ACL, acl)
  // What an ACL or the group of the source gives is no right of another group.
  await output.chmod(Number(source.mode) & (hasGroup ? 0o777 : 0o707))
  for (const name of attributeNames(input.fd)) {
    if (!KEPT.test(name)) continue
    const value = attributeOf(input.fd, name)
    if (value !== undefined) setAttribute(output.fd, name, value)
  }
  if (preserveTimes) setTimes(output.fd, source.atimeNs, source.mtimeNs)
}

/** Only root may give files away; members of a group may give files to it. @returns whether it has the same group. */
async function giveOwner(output: FileHandle, { uid, gid }: BigIntStats): Promise<boolean> {
  const own = await output.stat({ bigint: true })
  const group = Number(gid)
  if (own.uid !== uid) await output.chown(Number(uid), group).catch(() => {})
  const now = await output.stat({ bigint: true })
  if (now.gid !== gid) await output.chown(Number(now.uid), group).catch(() => {})
  return (await output.stat({ bigint: true })).gid === gid
}
