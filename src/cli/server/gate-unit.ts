/** `ghostport unit --gate`: the unit that closes the gate at boot, for the ports of the server’s own file. */
import { existsSync } from 'node:fs'
import { parseFwknopdConf } from '../../config/server/parse-fwknopd-conf.ts'
import { gateUnit } from '../../daemon/warden/boot-gate.ts'
import { diskFiles } from '../../daemon/warden/config-files-on-disk.ts'
import { refuse } from '../../result.ts'
import type { Terminal } from '../terminal/terminal.ts'

const PROGRAMS = ['/usr/sbin/nft', '/sbin/nft', '/usr/local/sbin/nft', '/usr/bin/nft']

/** @param file of the server’s settings. */
export function printGateUnit(file: string, terminal: Terminal): number {
  const text = diskFiles(process.getuid?.() ?? 0).read(file)
  const parsed = text.ok ? parseFwknopdConf(file, text.value) : text
  if (!parsed.ok) return terminal.fail(parsed.failure)
  const { config, at } = parsed.value
  const { firewall } = config
  if (firewall.kind !== 'nftables' || firewall.mode.kind !== 'gate') {
    const detail =
      firewall.kind === 'nftables'
        ? 'FIREWALL_MODE is mark: the host’s own firewall closes the ports at boot'
        : 'FIREWALL is relay: no port is open before the server runs'
    const location = at.FIREWALL_MODE ?? at.FIREWALL
    return terminal.fail(
      refuse(
        'CONFIG_CONFLICT',
        `--gate is for FIREWALL_MODE gate. ${detail}`,
        location === undefined ? {} : { at: location },
      ).failure,
    )
  }
  const nft = PROGRAMS.find((program) => existsSync(program))
  const { table, mode } = firewall
  const unit = gateUnit({ table, mode }, nft ?? '/usr/sbin/nft')
  if (nft === undefined)
    terminal.note('ghostport: warning: this host has no nft, which the unit runs (Debian: apt-get install nftables)')
  terminal.print(unit.replace(/\n$/, '').split('\n'))
  return 0
}
