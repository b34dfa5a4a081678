/**
 * Which settings a reload can change. Each key of {@link ServerConfig} and of its policy has an answer here: otherwise
 * it does not compile. Settings that are built into running parts need a restart, which live grants survive.
 */

import type { LoadedConfig } from '../../config/load.ts'
import type { UsedSetting } from '../../config/server/fwknopd-settings.ts'
import type { ServerConfig } from '../../config/server/server-config.ts'

/** `'reload'`: a reload changes it. Else the settings that it consists of, which need a restart. */
type Answer = 'reload' | readonly UsedSetting[]

type Complete<Config> = { readonly [Key in keyof Config]-?: Answer }

const answers: Complete<Omit<ServerConfig, 'policy'>> = {
  captures: [
    ...(['CAPTURE', 'ENABLE_UDP_SERVER', 'PCAP_INTF', 'SPA_PORTS', 'PCAP_FILTER', 'UDPSERV_PORT'] as const),
    ...(['MAX_SNIFF_BYTES', 'PCAP_FILE', 'ENABLE_TCP_SERVER', 'TCPSERV_PORT'] as const),
    ...(['ENABLE_PCAP_PROMISC', 'ENABLE_PCAP_ANY_DIRECTION', 'VERBOSE'] as const),
  ],
  interfaceChecks: 'reload',
  packetLimit: ['PACKET_LIMIT'],
  firewall: [
    ...(['FIREWALL', 'FIREWALL_MODE', 'CONNTRACK_MARK', 'PROTECTED_PORTS', 'NFT_TABLE', 'MAX_GRANTS'] as const),
    ...(['NFT_TABLE_OWNER', 'RELAY'] as const),
    // Where knocks arrive, no grant leads elsewhere.
    ...(['CAPTURE', 'ENABLE_UDP_SERVER', 'SPA_PORTS', 'UDPSERV_PORT', 'ENABLE_TCP_SERVER', 'TCPSERV_PORT'] as const),
    ...(['IPT_INPUT_ACCESS', 'IPT_OUTPUT_ACCESS', 'IPT_FORWARD_ACCESS', 'IPT_DNAT_ACCESS'] as const),
    ...(['IPT_SNAT_ACCESS', 'IPT_MASQUERADE_ACCESS', 'ENABLE_IPT_OUTPUT', 'ENABLE_RULE_PREPEND'] as const),
    ...(['ENABLE_IPT_COMMENT_CHECK', 'FLUSH_IPT_AT_INIT', 'FLUSH_IPT_AT_EXIT', 'FIREWALL_EXE'] as const),
  ],
  replay: ['REPLAY_DB', 'MAX_PACKETS_PER_KEY', 'DIGEST_FILE', 'FWKNOP_RUN_DIR', 'FWKNOP_CONF_DIR'],
  accessFile: 'reload',
  accessFolder: 'reload',
  auditLog: 'reload',
  consoleAccess: ['CONSOLE_USER', 'CONSOLE_SOCKET', 'CONSOLE_RIGHTS'],
  cluster: [
    ...(['CLUSTER', 'CLUSTER_NODE', 'CLUSTER_TIMEOUT', 'CLUSTER_PASSWORD_FILE', 'CLUSTER_CA_FILE'] as const),
    ...(['CLUSTER_SECRET_FILE', 'CLUSTER_CERTIFICATE_FILE', 'CLUSTER_KEY_FILE'] as const),
    ...(['CLUSTER_USERS', 'CLUSTER_USERS_MAY', 'CLUSTER_COPY_AGE'] as const),
  ],
  controlSocket: ['CONTROL_SOCKET'],
  pidFile: ['FWKNOP_PID_FILE', 'FWKNOP_RUN_DIR', 'FWKNOP_CONF_DIR'],
  receiverUser: ['RECEIVER_USER'],
  commands: 'reload',
  hooks: [
    ...(['HOOK_GRANT', 'HOOK_REFUSAL', 'HOOK_EXPIRY', 'HOOK_USER', 'HOOK_GROUP'] as const),
    ...(['WEBHOOK_URL', 'WEBHOOK_KEY_FILE', 'WEBHOOK_CA_FILE'] as const),
  ],
  gnupg: 'reload',
  refusalsPerSecond: 'reload',
  lines: 'reload',
}

const policyAnswers: Complete<ServerConfig['policy']> = {
  maxAge: ['ENABLE_SPA_PACKET_AGING', 'MAX_SPA_PACKET_AGE', 'PCAP_FILE'],
  gateways: 'reload',
  refuseReplays: ['ENABLE_DIGEST_PERSISTENCE'],
  showsPackets: 'reload',
  namesTrials: 'reload',
  http: 'reload',
  atDestination: 'reload',
  nat: 'reload',
}

/** A configuration, and the settings that it was made from. */
export type Comparable = Pick<LoadedConfig, 'server' | 'values'>

/** @returns the changed settings that need a restart, for the operator: each once. */
export function needsRestart(running: Comparable, wanted: Comparable): readonly (UsedSetting | 'SPA_PORT')[] {
  const parts = [
    ...changed(answers, withoutStanzaPorts(running.server), withoutStanzaPorts(wanted.server)),
    ...changed(policyAnswers, running.server.policy, wanted.server.policy),
  ]
  const named = parts.flatMap((settings) => {
    const different = settings.filter((name) => !isSame(running.values[name], wanted.values[name]))
    // The same text can mean another path if it begins with FWKNOP_CONF_DIR.
    return different.length > 0 ? different : settings
  })
  return [...new Set([...named, ...changedStanzaPorts(running.server, wanted.server)])]
}

/** What the stanzas add to the server's own settings is judged apart from these. */
function withoutStanzaPorts({ captures, firewall, ...server }: ServerConfig) {
  const { knocks: _, ...rest } = { knocks: undefined, ...firewall }
  return { ...server, captures: captures.map(({ stanzaPorts: _, ...capture }) => capture), firewall: rest }
}

/** Packet sockets can be open twice. A port of UDP or TCP cannot, and a file is read once. */
function changedStanzaPorts(running: ServerConfig, wanted: ServerConfig): readonly 'SPA_PORT'[] {
  if (running.captures.every(({ kind }) => kind === 'packet')) return []
  const own = ({ captures }: ServerConfig) => captures.map(({ stanzaPorts }) => stanzaPorts)
  return isSame(own(running), own(wanted)) ? [] : ['SPA_PORT']
}

/** @returns for each changed key that needs a restart, the settings behind it. */
function changed<Config extends object>(
  table: Complete<Config>,
  running: { readonly [Key in keyof Config]?: unknown },
  wanted: { readonly [Key in keyof Config]?: unknown },
): readonly (readonly UsedSetting[])[] {
  return (Object.entries(table) as [keyof Config, Answer][]).flatMap(([key, answer]) =>
    answer === 'reload' || isSame(running[key], wanted[key]) ? [] : [answer],
  )
}

/** Both are plain data, made by one parser: equal values have equal text. */
function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
