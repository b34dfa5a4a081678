/** An existing set-up of fwknop's server on this host, which ghostport can take over (`ghostport import`). */
import { type Known, known } from '../known.ts'
import type { Looker } from '../looker.ts'
import { lookAtUnits, type UnitState } from './systemd.ts'

export interface FwknopSetUp {
  /** Whether fwknop's own server is installed. ghostport has a program of that name too. */
  readonly installed: boolean
  /** Its files of configuration that are there. ghostport reads the same. */
  readonly files: readonly string[]
  /** Process id of a running fwknopd; undefined if none runs. */
  readonly pid?: number
  /** Undefined without systemd, or without such a unit. */
  readonly unit?: UnitState
}

const FILES = ['/etc/fwknop/fwknopd.conf', '/etc/fwknop/access.conf']
const PID_FILES = ['/run/fwknop/fwknopd.pid', '/var/run/fwknop/fwknopd.pid', '/run/fwknopd.pid']
/** The first bytes of a program in machine language. ghostport's fwknopd is a script. */
const ELF = '\x7fELF'

export async function lookAtFwknop(looker: Looker): Promise<Known<FwknopSetUp>> {
  const program = looker.read('/usr/sbin/fwknopd')
  if (!program.known) return program
  const files: string[] = []
  for (const path of FILES) {
    const found = looker.stat(path)
    if (!found.known) return found
    if (found.value?.kind === 'file') files.push(path)
  }
  const units = await lookAtUnits(looker)
  const unit = units.known ? units.value.get('fwknop-server.service') : undefined
  const pid = PID_FILES.map((path) => runningPid(looker, path)).find((each) => each !== undefined)
  return known({
    installed: program.value?.startsWith(ELF) === true,
    files,
    ...(pid !== undefined && { pid }),
    ...(unit !== undefined && unit.load !== 'not-found' && { unit }),
  })
}

/** A file that a killed server left behind names another process, or none. */
function runningPid(looker: Looker, path: string): number | undefined {
  const text = looker.read(path)
  const [pid] = /^\d+/.exec((text.known && text.value) || '') ?? []
  if (pid === undefined) return undefined
  const name = looker.read(`/proc/${pid}/comm`)
  return name.known && name.value?.trim() === 'fwknopd' ? Number(pid) : undefined
}
