/**
 * The gate between the start of the network and the start of the server. It is a separate unit that needs neither this
 * program nor Node.js. It closes the protected ports even if the server cannot start.
 */
import { existsSync, readFileSync } from 'node:fs'
import type { LoadedConfig } from '../../config/load.ts'
import type { Notice } from '../../config/reading/notice.ts'
import type { NftablesConfig } from '../../config/server/firewall-settings.ts'
import { closedGate } from '../../firewall/nftables/closed-gate.ts'
import { formatProtocolPorts } from '../../packet/protocol-port.ts'
import { systemdRuns } from '../../system/systemd.ts'

export const GATE_UNIT = '/etc/systemd/system/ghostport-gate.service'
/** The link that `systemctl enable` makes for the unit. */
const ENABLED = '/etc/systemd/system/sysinit.target.wants/ghostport-gate.service'

/**
 * @param nft path of the program.
 * @returns the unit for these ports.
 */
export function gateUnit(
  { table, mode }: Pick<NftablesConfig, 'table'> & { readonly mode: Gate },
  nft: string,
): string {
  return `# The gate of ghostport from before the network on. “ghostport unit --gate” prints this text; print it again after each change of
# PROTECTED_PORTS or NFT_TABLE.
#
#     ghostport unit --gate > ${GATE_UNIT}
#     systemctl daemon-reload
#     systemctl enable ghostport-gate
#
# It closes the protected ports to everybody, at each boot, whether or not ghostport itself can start. ghostport takes the gate over.

[Unit]
Description=ghostport, the closed gate before the network is up
DefaultDependencies=no
# A file such as /etc/nftables.conf may begin with “flush ruleset”.
After=nftables.service
Before=network-pre.target sysinit.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target
# Only at boot: once ghostport has run, the gate is its own, with grants in it.
ConditionPathExists=!/run/ghostport
RefuseManualStart=yes

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=${nft} '${closedGate(table, mode.protectedPorts).join(' \\\n  ')}'
# The network does not wait longer than this.
TimeoutStartSec=10

[Install]
WantedBy=sysinit.target
`
}

type Gate = Extract<NftablesConfig['mode'], { readonly kind: 'gate' }>

/** Facts about this host. */
export interface BootFacts {
  /** Whether systemd has booted it. */
  readonly systemd: boolean
  /** The text of {@link GATE_UNIT}, if it exists. */
  readonly unit: string | undefined
  readonly enabled: boolean
}

/** Warns if nothing closes the protected ports before the server has started. */
export function bootGateNotices(
  { server: { firewall }, at }: Pick<LoadedConfig, 'server' | 'at'>,
  facts: BootFacts = factsOfHost(),
): readonly Notice[] {
  if (firewall.kind !== 'nftables' || firewall.mode.kind !== 'gate' || !facts.systemd) return []
  const { mode, table } = firewall
  const wanted = gateOf(gateUnit({ table, mode }, 'nft'))
  const ports = formatProtocolPorts(mode.protectedPorts)
  const problem =
    facts.unit === undefined || !facts.enabled
      ? `at boot, ${ports} is open to everybody until this server has started, and stays open if it cannot start`
      : gateOf(facts.unit) === wanted
        ? undefined
        : `at boot, ${GATE_UNIT} closes other ports than ${ports}, or another table than ${table}`
  if (problem === undefined) return []
  const cure = `ghostport unit --gate > ${GATE_UNIT} && systemctl daemon-reload && systemctl enable ghostport-gate`
  const location = at.FIREWALL_MODE
  const text = `FIREWALL_MODE gate: ${problem}`
  return [{ level: 'warning', text, cure, ...(location === undefined ? {} : { at: location }) }]
}

/** The commands that a unit gives to nft. */
function gateOf(unit: string): string | undefined {
  return /^ExecStart=\S+ '([^']*)'$/m.exec(unit)?.[1]
}

function factsOfHost(): BootFacts {
  return { systemd: systemdRuns(), unit: textOf(GATE_UNIT), enabled: existsSync(ENABLED) }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
