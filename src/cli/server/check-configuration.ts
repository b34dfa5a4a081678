/** What a start would say of the configuration and of this host, without starting or changing anything. */
import type { ConfigSource } from '../../config/load.ts'
import type { Notice } from '../../config/reading/notice.ts'
import { reviewConfig } from '../../config/review.ts'
import { diskFiles } from '../../daemon/warden/config-files-on-disk.ts'
import { lookAtHost } from '../../daemon/warden/look-at-host.ts'
import type { Failure } from '../../result.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { describeNotice } from './notice-lines.ts'
import { type PolicyTable, policyTable } from './policy-table.ts'

export interface CheckedServer {
  /** Why a server would not start; empty if it would. */
  readonly faults: readonly Failure[]
  /** The files may have more faults than these. */
  readonly isCutOff: boolean
  readonly notices: readonly Notice[]
  /** Absent if the files are at fault. */
  readonly policy?: PolicyTable
  readonly stanzas: number
}

/**
 * Reads the files; if they are good, also looks at what a start needs of this host.
 * @param receiverSocket as for {@link lookAtHost}.
 */
export async function checkServer(source: ConfigSource, receiverSocket?: string): Promise<CheckedServer> {
  const { faults, isCutOff, loaded } = reviewConfig(diskFiles(process.getuid?.() ?? 0), source)
  if (loaded === undefined) return { faults, isCutOff, notices: [], stanzas: 0 }
  const host = await lookAtHost(loaded, receiverSocket)
  return {
    faults: host.refusals,
    isCutOff,
    notices: [...loaded.notices, ...host.notices],
    policy: policyTable(loaded),
    stanzas: loaded.policy.stanzas.length,
  }
}

/** `ghostport serve --exit-parse-config`. @returns 0 where a server would start; else the status of the first fault. */
export async function checkConfiguration(
  source: ConfigSource,
  terminal: Terminal,
  receiverSocket?: string,
): Promise<number> {
  const { faults, notices, stanzas } = await checkServer(source, receiverSocket)
  for (const notice of notices) terminal.note(describeNotice(notice))
  const [status] = faults.map((fault) => terminal.fail(fault))
  if (status !== undefined) return status
  terminal.print(`The configuration is good: ${stanzas} ${stanzas === 1 ? 'stanza' : 'stanzas'}.`)
  return 0
}
