/** Whether the service can be started without a person: it would start, and would shut no port. */
import { lookAtUnits } from '../../facts/systemd.ts'
import { type Known, known, notKnown } from '../../known.ts'
import type { Subject } from '../subject.ts'
import { lookAtConfiguration } from './configuration.ts'
import { filesOf } from './unit-file.ts'

const UNIT = 'ghostport.service'
/** No other option of serve, which could change a setting. */
const PLAIN_START = /^ExecStart=\S+(?: \S+)* serve(?: (?:-c|-a|--receiver-socket|--helper-socket) \S+)*$/gm

export async function lookAtServiceStart(subject: Subject): Promise<Known<boolean>> {
  const { looker, server } = subject
  const units = await lookAtUnits(looker)
  if (!units.known) return units
  const file = units.value.get(UNIT)?.file ?? ''
  const text = looker.read(file)
  if (!text.known) return text
  if (text.value === undefined) return notKnown(`there is no ${UNIT}`)
  for (const folder of ['/etc', '/run', '/usr/lib']) {
    const changed = `${folder}/systemd/system/${UNIT}.d`
    const found = looker.stat(changed)
    if (!found.known || found.value !== undefined) return notKnown(`${changed} changes the unit`)
  }
  const starts = text.value.match(/^ExecStart=/gm)?.length
  if (starts !== 1 || text.value.match(PLAIN_START)?.length !== 1) return notKnown('the unit has options of its own')
  const named = filesOf(text.value)
  if (named.settings !== server.server || (server.access !== undefined && named.stanzas !== server.access))
    return notKnown('the unit names other files')
  const configuration = await lookAtConfiguration(subject)
  if (!configuration.known) return configuration
  const { faults, loaded, refusals } = configuration.value
  if (loaded === undefined || faults.length > 0 || refusals.length > 0) return known(false)
  const { firewall } = loaded.server
  return known(!(firewall.kind === 'nftables' && firewall.mode.kind === 'gate'))
}
