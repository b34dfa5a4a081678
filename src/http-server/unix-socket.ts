/** A Unix socket to listen on. It is a file: it has a mode, and one that a dead process left behind is in the way. */
import { chmodSync, lchownSync, lstatSync, unlinkSync } from 'node:fs'
import { connect, type Server } from 'node:net'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { errorCode, systemReason } from '../system/errno.ts'
import { judgeTrail, ourUsers } from '../system/file-trust.ts'
import { removeServerFile } from '../system/server-file.ts'
import { systemPath } from '../system/system-path.ts'

export interface UnixSocketPath {
  readonly path: string
  /** Who may connect: those who may write to it. */
  readonly mode: number
  /** Whose it becomes, where root makes it. Absent: the user of this process. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
}

/** @returns what removes it again. */
export async function useUnixSocket(
  server: Server,
  { path, mode, owner }: UnixSocketPath,
): Promise<Result<() => void, Failure<'HTTP_UNAVAILABLE' | 'CONFIG_EXPOSED'>>> {
  try {
    const exposed = judgeTrail(path, { owners: ourUsers() })
    if (exposed !== undefined) return { ok: false, failure: exposed }
    const found = lstatSync(systemPath(path), { throwIfNoEntry: false })
    if (found !== undefined && !found.isSocket())
      return refuse('HTTP_UNAVAILABLE', `${path} exists, and is not a socket`)
    if (found !== undefined) {
      if (await answers(path)) return refuse('HTTP_UNAVAILABLE', `${path}: another program listens there`)
      unlinkSync(systemPath(path))
    }
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ path: systemPath(path) as string }, () => {
        server.off('error', reject)
        resolve()
      })
    })
    if (owner !== undefined) lchownSync(systemPath(path), owner.uid, owner.gid)
    chmodSync(systemPath(path), mode)
    const identity = lstatSync(systemPath(path), { bigint: true })
    return ok(() => removeServerFile(path, identity))
  } catch (error) {
    const code = errorCode(error)
    const why =
      code === 'ENOENT'
        ? 'there is no such folder'
        : code === 'EACCES'
          ? 'this user may not listen there'
          : systemReason(error)
    return refuse('HTTP_UNAVAILABLE', `${path}: ${why}`)
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
