/** The unit files of the server, its receiver and its helpers, and what `ghostport unit` prints today in its place. */
import { dirname, join } from 'node:path'
import { lookAtUnits } from '../../facts/systemd.ts'
import { type Known, known, notKnown } from '../../known.ts'
import { type Subject, UNITS_BESIDE } from '../subject.ts'

export interface UnitFile {
  readonly path: string
  /** Lines without comments that only one of the two has: `-` for the file on disk. */
  readonly differences: readonly string[]
}

/** @returns undefined if there is no unit file of an administrator: that of a package comes with its program. */
export async function lookAtUnitFile(subject: Subject): Promise<Known<UnitFile | undefined>> {
  const { looker, printedUnit } = subject
  const units = await lookAtUnits(looker)
  if (!units.known) return units
  const path = units.value.get('ghostport.service')?.file ?? ''
  if (!path.startsWith('/etc/systemd/system/')) return known(undefined)
  const text = looker.read(path)
  if (!text.known) return text
  if (text.value === undefined) return notKnown(`${path} is not there`)
  const { settings, stanzas } = filesOf(text.value)
  const printed = await printedUnit(settings, stanzas)
  if (!printed.ok) return notKnown(printed.failure.detail)
  const differences = [...differencesOf(text.value, printed.value)]
  for (const name of UNITS_BESIDE) {
    const beside = looker.read(join(dirname(path), name))
    if (!beside.known) return beside
    const wanted = await printedUnit(settings, stanzas, name)
    if (!wanted.ok) return notKnown(wanted.failure.detail)
    if (beside.value === undefined) differences.push(`+ the file ${name}`)
    else differences.push(...differencesOf(beside.value, wanted.value).map((line) => `${line} (${name})`))
  }
  return known({ path, differences })
}

/** The files that the unit names for its server. */
export function filesOf(unit: string): { readonly settings: string; readonly stanzas: string } {
  const [, start = ''] = /^ExecStart=(.*)$/m.exec(unit) ?? []
  const [, settings = '/etc/fwknop/fwknopd.conf'] = / -c (\S+)/.exec(start) ?? []
  const [, stanzas = '/etc/fwknop/access.conf'] = / -a (\S+)/.exec(start) ?? []
  return { settings, stanzas }
}

/** Comments, empty lines and the order within a section do not count. */
export function differencesOf(file: string, printed: string): readonly string[] {
  const [ours, theirs] = [lines(printed), lines(file)]
  return [
    ...theirs.filter((line) => !ours.includes(line)).map((line) => `- ${line}`),
    ...ours.filter((line) => !theirs.includes(line)).map((line) => `+ ${line}`),
  ]
}

function lines(text: string): readonly string[] {
  return text
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^[#;]/.test(line))
}
