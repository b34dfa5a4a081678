/** What `ghostport doctor` examines, from its options. */
import type { Subject } from '../../host/doctor/subject.ts'
import { systemLooker } from '../../host/system-looker.ts'
import { type Failure, ok, type Result } from '../../result.ts'
import { configFiles } from '../server/config-source.ts'
import { printedUnit } from '../unit.ts'

export interface SubjectOptions {
  readonly 'config-file': string | undefined
  readonly 'access-file': string | undefined
  readonly 'named-config': string | undefined
  readonly 'rc-file': string | undefined
}

/** @returns CONFIG_UNREADABLE for a relative path where the working directory is gone. */
export function subjectOf(given: SubjectOptions): Result<Subject, Failure<'CONFIG_UNREADABLE'>> {
  const server = configFiles(given)
  if (!server.ok) return server
  const { 'named-config': name, 'rc-file': rc } = given
  return ok({
    looker: systemLooker(),
    server: server.value,
    printedUnit,
    client: { ...(name !== undefined && { 'named-config': name }), ...(rc !== undefined && { 'rc-file': rc }) },
    now: Date.now(),
  })
}
