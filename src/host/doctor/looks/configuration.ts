/** The server's configuration, and what a start would say of this host. */
import type { LoadedConfig } from '../../../config/load.ts'
import type { Notice } from '../../../config/reading/notice.ts'
import { reviewConfig } from '../../../config/review.ts'
import { diskFiles } from '../../../daemon/warden/config-files-on-disk.ts'
import { lookAtHost } from '../../../daemon/warden/look-at-host.ts'
import type { Failure } from '../../../result.ts'
import { type Known, known, notKnown } from '../../known.ts'
import { once } from '../../once.ts'
import type { Subject } from '../subject.ts'

export interface Configuration {
  /** What is wrong with the files. */
  readonly faults: readonly Failure[]
  /** Absent if the files are at fault. */
  readonly loaded?: LoadedConfig
  /** Why a start would be refused although the files are good. */
  readonly refusals: readonly Failure[]
  /** Of the files and of the host. */
  readonly notices: readonly Notice[]
}

export const lookAtConfiguration = once(async ({ looker, server }: Subject): Promise<Known<Configuration>> => {
  const found = looker.stat(server.server)
  if (!found.known && looker.uid !== 0) return notKnown(`only root may read ${server.server}`)
  if (found.known && found.value === undefined) return notKnown(`there is no ${server.server}`)
  const { faults, loaded } = reviewConfig(diskFiles(looker.uid), server)
  if (looker.uid !== 0 && faults.some(({ code, detail }) => code === 'CONFIG_UNREADABLE' && /permission/.test(detail)))
    return notKnown('only root may read the files of the server')
  if (loaded === undefined) return known({ faults, refusals: [], notices: [] })
  const host = await lookAtHost(loaded)
  return known({ faults, loaded, refusals: host.refusals, notices: [...loaded.notices, ...host.notices] })
})

/** The configuration, if it is good. */
export async function lookAtLoaded(subject: Subject): Promise<Known<LoadedConfig>> {
  const configuration = await lookAtConfiguration(subject)
  if (!configuration.known) return configuration
  const { loaded } = configuration.value
  return loaded === undefined ? notKnown('the configuration is not good') : known(loaded)
}
