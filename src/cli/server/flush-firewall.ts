/**
 * `ghostport serve --fw-flush`: removes ghostport's table or chains from the host, and runs the closes that are owed.
 * It needs only the server's own file, for their names. If that file has an error, it says so, and takes NFT_TABLE from
 * the file or its default.
 */
import { existsSync } from 'node:fs'
import { type ConfigSource, loadServerConfig } from '../../config/load.ts'
import type { SettingLocations } from '../../config/server/defaults-and-conflicts.ts'
import { type KernelFirewallConfig, type TableName, tableNameValue } from '../../config/server/firewall-settings.ts'
import { parseFwknopdConf } from '../../config/server/parse-fwknopd-conf.ts'
import { ledgerPath } from '../../config/server/server-config.ts'
import { GATE_UNIT } from '../../daemon/warden/boot-gate.ts'
import { diskFiles } from '../../daemon/warden/config-files-on-disk.ts'
import { type Removed, removeRules } from '../../daemon/warden/open-firewall.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { parsePort, port } from '../../units.ts'
import { auditLogHere, recordedIfPossible } from '../recorded.ts'
import { describeFailure, type Terminal } from '../terminal/terminal.ts'

/** How administrators come in, unless this session says otherwise. */
const SSH: ProtocolPort = { protocol: 'tcp', port: port(22) }

interface Target {
  readonly firewall: KernelFirewallConfig
  readonly controlSocket: string
  readonly at: SettingLocations
}

/**
 * Asks nothing, since scripts use it: a session that is open lives on, and what it should do next is told.
 * @returns 0 once there is no table and no chain of ours. In gate mode the ports that it protected are then as open as
 * the host leaves them.
 */
export async function flushFirewall(source: ConfigSource, terminal: Terminal): Promise<number> {
  const status = await flushRules(source, terminal)
  const parsed = loadServerConfig(diskFiles(process.getuid?.() ?? 0), source)
  // Where the rules could not be removed, a server may be running.
  if (status !== 0 || !parsed.ok) return status
  const { runOwedCloses } = await import('./owed-closes.ts')
  await runOwedCloses(ledgerPath(parsed.value.config), terminal)
  return status
}

async function flushRules(source: ConfigSource, terminal: Terminal): Promise<number> {
  const target = targetOf(source, terminal)
  if (target === undefined) {
    terminal.print('FIREWALL is relay: there is no table to remove. The relay closes its connections when it stops.')
    return 0
  }
  const { firewall, controlSocket, at } = target
  const what = firewall.kind === 'iptables' ? firewall.chains.input.chain : `inet ${firewall.table}`
  const removed = await recordedIfPossible(
    auditLogHere(source.server),
    { did: 'serve --fw-flush', before: [what], after: [] },
    // Who is not root removes nothing either, and is told why.
    (why) => process.geteuid?.() === 0 && terminal.note(why),
    () => removeRules(firewall, controlSocket, waysIn(), at),
  )
  if (!removed.ok) return terminal.fail(removed.failure)
  const [ours, are, were] =
    firewall.kind === 'iptables'
      ? [`chains of ${firewall.program} (${firewall.chains.input.chain} and its like)`, 'are', 'were no']
      : [`table “inet ${firewall.table}”`, 'is', 'was no']
  if (removed.value.kind === 'absent') terminal.print(`There ${were} ${ours}: nothing was removed.`)
  else terminal.print(`The ${ours} ${are} gone, and every grant with ${are === 'is' ? 'it' : 'them'}.`)
  for (const line of whatNow(removed.value)) terminal.note(line)
  if (existsSync(GATE_UNIT)) {
    terminal.note(
      'warning: ghostport-gate.service closes the protected ports again at the next boot, and then no knock opens them.',
    )
    terminal.note(`    To leave them open: systemctl disable ghostport-gate && rm ${GATE_UNIT}`)
  }
  return 0
}

/** @returns undefined where the file says that there is no table. */
function targetOf(source: ConfigSource, terminal: Terminal): Target | undefined {
  const { server: file, dialect } = source
  const files = diskFiles(process.getuid?.() ?? 0)
  const parsed = loadServerConfig(files, source)
  if (parsed.ok) {
    const { firewall, controlSocket } = parsed.value.config
    return firewall.kind === 'relay' ? undefined : { firewall, controlSocket, at: parsed.value.at }
  }
  const defaults = parseFwknopdConf(file, '', dialect === undefined ? {} : { dialect })
  if (!defaults.ok || defaults.value.config.firewall.kind === 'relay') return undefined
  const { firewall, controlSocket } = defaults.value.config
  if (firewall.kind === 'iptables') {
    terminal.note(`warning: ${describeFailure(parsed.failure)}`)
    terminal.note(`    so the chains to remove are ${firewall.chains.input.chain} and its like, by default`)
    return { firewall, controlSocket, at: {} }
  }
  const text = files.read(file)
  const named = text.ok ? tableNamedIn(text.value) : undefined
  const table = named ?? firewall.table
  terminal.note(`warning: ${describeFailure(parsed.failure)}`)
  terminal.note(
    `    so the table to remove is “inet ${table}”, ${named ? 'as NFT_TABLE says there' : 'the default of NFT_TABLE'}`,
  )
  return { firewall: { ...firewall, table }, controlSocket, at: {} }
}

/** NFT_TABLE in a file that is wrong elsewhere. */
function tableNamedIn(text: string): TableName | undefined {
  const [, name = ''] = /^[\t ]*NFT_TABLE:?[\t ]+([^\s;]+)/m.exec(text) ?? []
  const table = tableNameValue(name)
  return table.ok ? table.value : undefined
}

/** ssh, and the port that this session came in by. */
function waysIn(): readonly ProtocolPort[] {
  const mine = parsePort(process.env['SSH_CONNECTION']?.split(' ')[3] ?? '')
  return mine.ok && mine.value !== SSH.port ? [SSH, { protocol: 'tcp', port: mine.value }] : [SSH]
}

function whatNow({ kind, left, lookAlikes }: Removed): string[] {
  const lines: string[] = []
  for (const { state, text, cure } of left) {
    if (kind === 'gate' || state !== 'open')
      lines.push(`${kind === 'gate' && state === 'shut' ? 'note' : 'warning'}: now ${text}`)
    if (kind !== 'gate' && state === 'shut')
      lines.push(
        '    No knock opens it any more. The session that you have stays open.',
        `    Before you close it, let your way in: ${cure ?? ''}`,
      )
  }
  if (kind === 'gate' && left.some(({ state }) => state === 'open'))
    lines.push('    Nothing asks for a knock there any more. To shut a port, drop it in the host’s own firewall.')
  for (const name of lookAlikes)
    lines.push(`note: the table “inet ${name}” looks like ghostport’s. To remove it: nft delete table inet ${name}`)
  return lines
}
