/** `fwknopd --fw-list` and `--fw-list-all`: the rules as the host's own programs show them. */
import { type ConfigSource, loadServerConfig } from '../../config/load.ts'
import { diskFiles } from '../../daemon/warden/config-files-on-disk.ts'
import { listRules } from '../../daemon/warden/open-firewall.ts'
import type { Outcome } from '../command.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { checkRunFolder, makeRunFolder } from './host-faults.ts'

export async function showRules(source: ConfigSource, which: 'ours' | 'all', terminal: Terminal): Promise<Outcome> {
  const loaded = loadServerConfig(diskFiles(process.getuid?.() ?? 0), source)
  if (!loaded.ok) return loaded
  const folder = checkRunFolder(loaded.value.texts['FWKNOP_RUN_DIR'])
  if (!folder.ok) return folder
  const made = makeRunFolder(loaded.value.texts['FWKNOP_RUN_DIR'], (line) => terminal.note(line))
  if (!made.ok) return made
  const { firewall } = loaded.value.config
  if (firewall.kind === 'relay') {
    terminal.print('FIREWALL is relay: there are no firewall rules.')
    return 0
  }
  const listed = await listRules(firewall, which)
  if (!listed.ok) return listed
  const where =
    firewall.kind === 'nftables'
      ? which === 'all'
        ? 'in nftables'
        : `in the nftables table inet ${firewall.table}`
      : which === 'all'
        ? 'of iptables in applicable tables'
        : 'in fwknopd iptables chains'
  terminal.print(which === 'all' ? `Listing all rules ${where}...` : `Listing rules ${where}...`)
  if (listed.value !== '') terminal.print(['', ...listed.value.trimEnd().split('\n')])
  return 0
}
