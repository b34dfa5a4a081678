/** Looks at a host for a bug report. */
import { existsSync } from 'node:fs'
import type { Fields } from '../../host/bugreport/fields.ts'
import { bugReport, REPORTED, type ReportedFacts } from '../../host/bugreport/report.ts'
import { checks } from '../../host/doctor/checks.ts'
import { checksFor, examine } from '../../host/doctor/doctor.ts'
import { lookAtSubject } from '../../host/doctor/doctor-facts.ts'
import type { Subject } from '../../host/doctor/subject.ts'

export async function makeReport(
  subject: Subject,
  options: { readonly withAddresses: boolean; readonly ghostport: string },
): Promise<Fields> {
  const isServer = existsSync(subject.server.server)
  const facts = (await lookAtSubject(subject, new Set(REPORTED))) as ReportedFacts
  const examined = await examine(subject, checksFor(checks, new Set(isServer ? ['server'] : ['client'])))
  return bugReport(facts, examined, { ...options, node: process.versions.node })
}

/** `host.kernel: 6.12.57`: a line for each field. */
export function reportLines(fields: Fields, before = ''): readonly string[] {
  return Object.entries(fields).flatMap(([name, value]) => {
    const path = `${before}${name}`
    if (Array.isArray(value)) return [`${path}: ${value.length === 0 ? 'none' : value.join(', ')}`]
    return typeof value === 'object' && value !== null
      ? reportLines(value as Fields, `${path}.`)
      : [`${path}: ${value}`]
  })
}
