/**
 * Which settings a reload can change. Each key of {@link ServerConfig} has an answer, and so has each key of its policy: the
 * compiler refuses a new one without. What is built into what runs needs a restart, and live grants survive that.
 */

import type { ServerConfig } from '../../config/server/server-config.ts'
import type { UsedSetting } from '../../config/server/settings.ts'

/** `'reload'`: a reload changes it. Else the variables behind it, which a restart changes. */
type Answer = 'reload' | readonly UsedSetting[]

type Complete<Config> = { readonly [Key in keyof Config]-?: Answer }

const answers: Complete<Omit<ServerConfig, 'policy'>> = {
  capture: [
    ...(['CAPTURE', 'ENABLE_UDP_SERVER', 'PCAP_INTF', 'SPA_PORTS', 'PCAP_FILTER', 'UDPSERV_PORT'] as const),
    'MAX_SNIFF_BYTES',
  ],
  firewall: [
    ...(['FIREWALL', 'FIREWALL_MODE', 'CONNTRACK_MARK', 'PROTECTED_PORTS', 'NFT_TABLE', 'MAX_GRANTS'] as const),
    'RELAY',
  ],
  replay: ['REPLAY_DB', 'MAX_PACKETS_PER_KEY', 'DIGEST_FILE', 'FWKNOP_RUN_DIR'],
  accessFile: 'reload',
  controlSocket: ['CONTROL_SOCKET'],
  pidFile: ['FWKNOP_PID_FILE', 'FWKNOP_RUN_DIR'],
  receiverUser: ['RECEIVER_USER'],
  refusalsPerSecond: 'reload',
}

const policyAnswers: Complete<ServerConfig['policy']> = {
  maxAge: ['ENABLE_SPA_PACKET_AGING', 'MAX_SPA_PACKET_AGE'],
  refuseReplays: ['ENABLE_DIGEST_PERSISTENCE'],
  http: 'reload',
  nat: 'reload',
}

/** @returns the names of the settings that differ and need a restart, for the operator. */
export function needsRestart(running: ServerConfig, wanted: ServerConfig): readonly string[] {
  return [...changed(answers, running, wanted), ...changed(policyAnswers, running.policy, wanted.policy)]
}

function changed<Config extends object>(
  table: Complete<Config>,
  running: { readonly [Key in keyof Config]?: unknown },
  wanted: { readonly [Key in keyof Config]?: unknown },
): readonly string[] {
  return (Object.entries(table) as [keyof Config, Answer][]).flatMap(([key, answer]) =>
    answer === 'reload' || JSON.stringify(running[key]) === JSON.stringify(wanted[key]) ? [] : [answer.join(', ')],
  )
}
