/** Settings that are built into what runs: a reload cannot change them, a restart can, and live grants survive it. */
import type { ServerConfig } from '../config/server-config.ts'

const settings: readonly [names: string, of: (config: ServerConfig) => unknown][] = [
  ['CAPTURE, PCAP_INTF, SPA_PORTS, MAX_SNIFF_BYTES', (config) => config.capture],
  [
    'FIREWALL, FIREWALL_MODE, CONNTRACK_MARK, PROTECTED_PORTS, NFT_TABLE, MAX_GRANTS, RELAY',
    (config) => config.firewall,
  ],
  ['REPLAY_DB, DIGEST_FILE, FWKNOP_RUN_DIR', (config) => config.replay],
  ['ENABLE_DIGEST_PERSISTENCE', (config) => config.policy.refuseReplays],
  ['ENABLE_SPA_PACKET_AGING, MAX_SPA_PACKET_AGE', (config) => config.policy.maxAge],
  ['CONTROL_SOCKET', (config) => config.controlSocket],
  ['RECEIVER_USER', (config) => config.receiverUser],
]

/** @returns the names of what differs, for the operator. */
export function needsRestart(running: ServerConfig, wanted: ServerConfig): readonly string[] {
  const differs = ([, of]: (typeof settings)[number]): boolean =>
    JSON.stringify(of(running)) !== JSON.stringify(of(wanted))
  return settings.filter(differs).map(([names]) => names)
}
