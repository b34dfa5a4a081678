/** What fwknopd looks at before it starts, besides its files: the host that the files are about. */
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { printable } from '../../bytes/text.ts'
import { nearest } from '../../config/reading/nearest.ts'
import type { ServerConfig } from '../../config/server/server-config.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { fileReason } from '../../system/errno.ts'
import { interfaceNames } from '../../system/interface-name.ts'
import { libc } from '../../system/libc.ts'
import { prepareServerFile } from '../../system/server-file.ts'

type HostFault = Failure<'CONFIG_INVALID_VALUE'>

/** Each interface of PCAP_INTF is there. One that goes away later is waited for. */
export function checkInterfaces({ captures }: Pick<ServerConfig, 'captures'>): Result<void, HostFault> {
  const wanted = captures.flatMap((one) => (one.kind === 'packet' && one.interfaces !== 'any' ? one.interfaces : []))
  if (wanted.length === 0) return ok(undefined)
  const present = interfaceNames()
  const missing = wanted.find((name) => !present.includes(name))
  if (missing === undefined) return ok(undefined)
  const suggestion = nearest(missing, present) ?? present.filter((name) => name !== 'lo').join(', ')
  return refuse('CONFIG_INVALID_VALUE', `PCAP_INTF: there is no interface “${missing}”`, {
    ...(suggestion !== '' && { suggestion }),
  })
}

/** @param path FWKNOP_RUN_DIR, where the files set it. */
export function checkRunFolder(path: string | undefined): Result<void, HostFault> {
  if (path === undefined) return ok(undefined)
  if (!isOther(path)) return ok(undefined)
  return refuse('CONFIG_INVALID_VALUE', `FWKNOP_RUN_DIR: “${path}” is not a folder`, { suggestion: '/run/fwknop' })
}

/**
 * Makes the folder where it is missing, as fwknopd does at each start, also for a question.
 * @param say gets fwknopd's words.
 * @returns CONFIG_EXPOSED: others could replace the folder. CONFIG_UNWRITABLE: it cannot be made.
 */
export function makeRunFolder(path: string | undefined, say: (line: string) => void): Result<void> {
  if (path === undefined || existsSync(path)) return ok(undefined)
  say(`Run directory: ${path} does not exist. Attempting to create it.`)
  try {
    const exposed = prepareServerFile(join(path, 'fwknopd.pid'))
    if (exposed !== undefined) return { ok: false, failure: exposed }
  } catch (error) {
    return refuse('CONFIG_UNWRITABLE', `FWKNOP_RUN_DIR: ${path}: ${fileReason(error)}`)
  }
  say(`Successfully created Run directory: ${path}`)
  return ok(undefined)
}

/**
 * LOCALE changes nothing, since all messages are in English. But one that this host does not have is a mistake.
 * @param say gets fwknopd's words.
 */
export function checkLocale(name: string | undefined, say: (line: string) => void): void {
  if (name === undefined || name === 'NONE') return
  try {
    if (!libc().hasLocale(name)) say(`Unable to set locale to '${printable(name)}': this host has no such locale.`)
  } catch {
    // Without the native part nobody can say it.
  }
}

/** Whether something else than a folder is there. What cannot be looked at has a message where it is used. */
function isOther(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === false
  } catch {
    return false
  }
}
