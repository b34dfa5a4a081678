/** `ghostport serve --fw-flush`: takes ghostport's table off the host. */
import { diskFiles } from '../daemon/disk-files.ts'
import { type ConfigPaths, loadConfig } from '../daemon/load-config.ts'
import { removeTable } from '../daemon/open-firewall.ts'
import type { Terminal } from './terminal.ts'

/** @returns 0 once there is no table of ours. In gate mode the ports that it protected are then open. */
export async function flushFirewall(paths: ConfigPaths, terminal: Terminal): Promise<number> {
  const user = process.getuid?.() ?? 0
  const loaded = loadConfig(diskFiles(user), paths)
  if (!loaded.ok) return terminal.fail(loaded.failure)
  const { firewall, controlSocket } = loaded.value.server
  const removed = await removeTable(firewall, controlSocket)
  if (!removed.ok) return terminal.fail(removed.failure)
  terminal.print('The table is gone, and every grant with it.')
  return 0
}
