/** What fwknopd does without a configuration: its version, and the list of failure codes. */
import { failureKinds } from '../../failure-codes.ts'
import { ownVersion } from '../../system/own-version.ts'
import type { Terminal } from '../terminal/terminal.ts'

export function printVersion(terminal: Terminal): number {
  terminal.print(`fwknopd server of ghostport ${ownVersion()}, SPA protocol 3.0.0`)
  return 0
}

/** fwknopd numbers its failures for its tests. Here they have names. */
export function printFailureCodes(terminal: Terminal): number {
  terminal.print(Object.entries(failureKinds).map(([code, { sentence }]) => `${code}: ${sentence}`))
  return 0
}
