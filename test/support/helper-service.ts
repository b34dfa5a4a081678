/** What systemd does for ghostport-helper@.service, without systemd: the shell of that unit, for each connection. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { fillUnit, HELPER_UNIT } from '../../src/cli/unit.ts'
import { type ReceiverService, receiverService } from './receiver-service.ts'

const HOME = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

export function helperService(path: string): ReceiverService {
  const unit = fillUnit(readFileSync(`${HOME}/packaging/${HELPER_UNIT}`, 'utf8'), {
    node: process.execPath,
    nodeOptions: ['--conditions=ghostport-source'],
    home: HOME,
    entry: 'src/cli/ghostport.ts',
    settings: '/etc/fwknop/fwknopd.conf',
    stanzas: '/etc/fwknop/access.conf',
  })
  if (!unit.ok) throw new Error(unit.failure.detail)
  const [, script] = /^ExecStart=\/bin\/sh -c '([^']*)'$/m.exec(unit.value.replaceAll(/\\\n\s*/g, ' ')) ?? []
  if (script === undefined) throw new Error(`${HELPER_UNIT} has no script`)
  // Without a compiler, Node.js cannot run the source.
  const words = script.replaceAll('$$', '$').replaceAll(' --jitless ', ' ')
  // As StandardInput=socket and StandardOutput=socket do.
  return receiverService(path, () => ['sh', '-c', `exec <&3 >&3 3<&-; ${words}`])
}
