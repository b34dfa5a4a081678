/**
 * Every variable of fwknopd.conf: those of fwknop, and our own. One table, from which the parser works and against
 * which the list in docs/FROM-FWKNOP.md is tested. Nothing that an operator may write is passed over in silence:
 *
 * - `used`: it does here what it does there, or what docs/FROM-FWKNOP.md says instead;
 * - `irrelevant`: accepted, and a notice says why it has no effect;
 * - `refused`: refused by name. For a switch, the value `N` asks for nothing, and may stay.
 */
import { bytesFromText, encodeText, isUnicode } from '../../bytes/text.ts'
import type { IpAddress } from '../../packet/address.ts'
import { ok, type Result } from '../../result.ts'
import {
  absolutePath,
  accountName,
  hostAddressValue,
  invalidValue,
  listOf,
  networksValue,
  oneOf,
  portValue,
  protocolPortsValue,
  type ValueFailure,
  type ValueReader,
  wholeNumber,
  yesNo,
} from '../reading/setting-values.ts'
import { clusterAddress, nodeName } from './cluster-settings.ts'
import {
  chainPlaceValue,
  connectionMarkValue,
  firewallProgramValue,
  relayListenerValue,
  tableNameValue,
} from './firewall-settings.ts'
import { hookWords, webhookUrl } from './hook-settings.ts'
import { type SyslogFacility, syslogFacilities } from './server-config.ts'
import { captureFilter, spaPorts } from './spa-ports.ts'

const path: ValueReader<string> = (text) =>
  isUnicode(text) ? ok(text) : invalidValue(`the path “${text}” is not UTF-8`)
const userName: ValueReader<string> = (text) => {
  if (text === 'root') return invalidValue('a process that reads what strangers send must not be root', 'ghostport')
  return /^[a-z_][a-z0-9_-]{0,31}\$?$/.test(text) ? ok(text) : invalidValue(`“${text}” is not a user name`)
}
const socketPath: ValueReader<string> = (text) =>
  // sun_path has 108 bytes, the last of them NUL.
  encodeText(text).length > 107
    ? invalidValue('the path of a Unix socket has at most 107 bytes')
    : absolutePath('/run/ghostport')(text)

/** Variables that have an effect. The reader's type is the type of the value. */
export const usedSettings = {
  PCAP_INTF: interfaceNames,
  PCAP_FILE: absolutePath('/var/tmp'),
  PCAP_FILTER: captureFilter,
  ENABLE_PCAP_PROMISC: yesNo,
  ENABLE_PCAP_ANY_DIRECTION: yesNo,
  ENABLE_INTF_CHECKS: yesNo,
  INTF_CHECKS_INTERVAL: wholeNumber({ min: 1, max: 86_400, unit: 'seconds' }),
  ENABLE_INTF_EXISTS_CHECK: yesNo,
  ENABLE_INTF_RUNNING_CHECK: yesNo,
  ENABLE_INTF_BYTES_CHECK: yesNo,
  ENABLE_INTF_ADDRESS_CHECK: yesNo,
  ENABLE_INTF_RECEIVED_CHECK: yesNo,
  MAX_SNIFF_BYTES: wholeNumber({ min: 1, max: 32_768, unit: 'bytes' }),
  ENABLE_UDP_SERVER: yesNo,
  UDPSERV_PORT: portValue,
  ENABLE_TCP_SERVER: yesNo,
  TCPSERV_PORT: portValue,
  ENABLE_SPA_PACKET_AGING: yesNo,
  MAX_SPA_PACKET_AGE: wholeNumber({ min: 1, max: 100_000, unit: 'seconds' }),
  ENABLE_DIGEST_PERSISTENCE: yesNo,
  ENABLE_SPA_OVER_HTTP: yesNo,
  ALLOW_ANY_USER_AGENT: yesNo,
  ENABLE_X_FORWARDED_FOR: yesNo,
  TRUSTED_PROXIES: networksValue,
  GATEWAY_ADDRESSES: networksValue,
  GATEWAY_MAX_SPA_PACKET_AGE: wholeNumber({ min: 1, max: 100_000, unit: 'seconds' }),
  GATEWAY_RECEIPTS: yesNo,
  ENABLE_NAT_DNS: yesNo,
  ENABLE_IPT_FORWARDING: yesNo,
  ENABLE_IPT_LOCAL_NAT: yesNo,
  ENABLE_IPT_SNAT: yesNo,
  SNAT_TRANSLATE_IP: hostAddressValue as ValueReader<IpAddress>,
  IPT_INPUT_ACCESS: chainPlaceValue('input'),
  IPT_OUTPUT_ACCESS: chainPlaceValue('output'),
  IPT_FORWARD_ACCESS: chainPlaceValue('forward'),
  IPT_DNAT_ACCESS: chainPlaceValue('dnat'),
  IPT_SNAT_ACCESS: chainPlaceValue('snat'),
  IPT_MASQUERADE_ACCESS: chainPlaceValue('masquerade'),
  ENABLE_IPT_OUTPUT: yesNo,
  ENABLE_RULE_PREPEND: yesNo,
  ENABLE_DESTINATION_RULE: yesNo,
  ENABLE_IPT_COMMENT_CHECK: yesNo,
  FLUSH_IPT_AT_INIT: yesNo,
  FLUSH_IPT_AT_EXIT: yesNo,
  FIREWALL_EXE: firewallProgramValue,
  FWKNOP_RUN_DIR: absolutePath('/run'),
  FWKNOP_CONF_DIR: absolutePath('/etc'),
  ACCESS_FILE: path,
  ACCESS_FOLDER: path,
  FWKNOP_PID_FILE: path,
  DIGEST_FILE: path,
  SUDO_EXE: absolutePath('/usr/bin'),
  CMD_EXEC_TIMEOUT: wholeNumber({ min: 1, max: 86_400, unit: 'seconds' }),
  HOOK_GRANT: hookWords,
  HOOK_REFUSAL: hookWords,
  HOOK_EXPIRY: hookWords,
  HOOK_USER: accountName('user'),
  HOOK_GROUP: accountName('group'),
  WEBHOOK_URL: webhookUrl,
  WEBHOOK_KEY_FILE: absolutePath('/etc/fwknop'),
  WEBHOOK_CA_FILE: absolutePath('/etc/fwknop'),
  VERBOSE: wholeNumber({ min: 0, max: 99 }),
  SYSLOG_IDENTITY: syslogIdentity,
  SYSLOG_FACILITY: facilityValue,
  GPG_HOME_DIR: absolutePath('/root'),
  GPG_EXE: absolutePath('/usr/bin'),

  FIREWALL: oneOf('nftables', 'iptables', 'relay'),
  FIREWALL_MODE: oneOf('mark', 'gate'),
  CONNTRACK_MARK: connectionMarkValue,
  PROTECTED_PORTS: protocolPortsValue(),
  NFT_TABLE: tableNameValue,
  NFT_TABLE_OWNER: oneOf('auto', 'Y', 'N'),
  MAX_GRANTS: wholeNumber({ min: 1, max: 1_000_000 }),
  RELAY: relayListenerValue,
  CAPTURE: listOf(oneOf('packet', 'udp', 'tcp', 'none')),
  SPA_PORTS: spaPorts,
  PACKET_LIMIT: wholeNumber({ min: 1, max: 2_147_483_647, unit: 'packets' }),
  REPLAY_DB: absolutePath('/var/lib/ghostport'),
  MAX_PACKETS_PER_KEY: wholeNumber({ min: 1, max: 10_000_000, unit: 'packets' }),
  AUDIT_LOG: absolutePath('/var/lib/ghostport'),
  CLUSTER: clusterAddress,
  CLUSTER_NODE: nodeName,
  CLUSTER_TIMEOUT: wholeNumber({ min: 100, max: 10_000, unit: 'milliseconds' }),
  CLUSTER_PASSWORD_FILE: absolutePath('/etc/fwknop'),
  CLUSTER_SECRET_FILE: absolutePath('/etc/fwknop'),
  CLUSTER_CA_FILE: absolutePath('/etc/fwknop'),
  CLUSTER_CERTIFICATE_FILE: absolutePath('/etc/fwknop'),
  CLUSTER_KEY_FILE: absolutePath('/etc/fwknop'),
  CLUSTER_USERS: yesNo,
  CLUSTER_USERS_MAY: listOf(oneOf('nat')),
  CLUSTER_COPY_AGE: wholeNumber({ min: 60, max: 31_536_000, unit: 'seconds' }),
  CONSOLE_USER: userName,
  CONSOLE_SOCKET: socketPath,
  CONSOLE_RIGHTS: listOf(oneOf('revoke', 'extend', 'reload', 'users')),
  CONTROL_SOCKET: socketPath,
  RECEIVER_USER: userName,
  LOG_LIMIT: wholeNumber({ min: 1, max: 1_000_000, unit: 'lines a second' }),
} as const satisfies Record<string, ValueReader<unknown>>

export type UsedSetting = keyof typeof usedSettings

/** fwknop built for firewalld calls the same things by other names. */
export const settingAliases: Readonly<Record<string, UsedSetting>> = {
  ENABLE_FIREWD_FORWARDING: 'ENABLE_IPT_FORWARDING',
  ENABLE_FIREWD_LOCAL_NAT: 'ENABLE_IPT_LOCAL_NAT',
  ENABLE_FIREWD_SNAT: 'ENABLE_IPT_SNAT',
  ENABLE_FIREWD_OUTPUT: 'ENABLE_IPT_OUTPUT',
  ENABLE_FIREWD_COMMENT_CHECK: 'ENABLE_IPT_COMMENT_CHECK',
  FLUSH_FIREWD_AT_INIT: 'FLUSH_IPT_AT_INIT',
  FLUSH_FIREWD_AT_EXIT: 'FLUSH_IPT_AT_EXIT',
  FIREWD_INPUT_ACCESS: 'IPT_INPUT_ACCESS',
  FIREWD_OUTPUT_ACCESS: 'IPT_OUTPUT_ACCESS',
  FIREWD_FORWARD_ACCESS: 'IPT_FORWARD_ACCESS',
  FIREWD_DNAT_ACCESS: 'IPT_DNAT_ACCESS',
  FIREWD_SNAT_ACCESS: 'IPT_SNAT_ACCESS',
  FIREWD_MASQUERADE_ACCESS: 'IPT_MASQUERADE_ACCESS',
}

/** May stand more than once. */
export const repeatableSettings: ReadonlySet<UsedSetting> = new Set<UsedSetting>(['RELAY'])

const NO_POLLING = 'ghostport does not poll: each packet wakes it'
const OTHER_FIREWALL = 'it is for the firewall of another operating system'
const NEEDS_A_REFUSED_SETTING = 'the variable that would enable it is not supported'

/** Accepted without effect, and why. */
export const irrelevantSettings: Readonly<Record<string, string>> = {
  PCAP_DISPATCH_COUNT: NO_POLLING,
  PCAP_LOOP_SLEEP: NO_POLLING,
  UDPSERV_SELECT_TIMEOUT: NO_POLLING,
  NFQ_LOOP_SLEEP: NO_POLLING,
  EXIT_AT_INTF_DOWN: 'capture survives an interface that goes down, and continues when it is up again',
  RULES_CHECK_THRESHOLD: 'the kernel ends each grant by itself: there are no rules to check',
  NFQ_INTERFACE: NEEDS_A_REFUSED_SETTING,
  NFQ_PORT: NEEDS_A_REFUSED_SETTING,
  NFQ_TABLE: NEEDS_A_REFUSED_SETTING,
  NFQ_CHAIN: NEEDS_A_REFUSED_SETTING,
  NFQ_QUEUE_NUMBER: NEEDS_A_REFUSED_SETTING,
  LOCALE: 'all messages are in English',
  FLUSH_IPFW_AT_INIT: OTHER_FIREWALL,
  FLUSH_IPFW_AT_EXIT: OTHER_FIREWALL,
  IPFW_START_RULE_NUM: OTHER_FIREWALL,
  IPFW_MAX_RULES: OTHER_FIREWALL,
  IPFW_ACTIVE_SET_NUM: OTHER_FIREWALL,
  IPFW_EXPIRE_SET_NUM: OTHER_FIREWALL,
  IPFW_EXPIRE_PURGE_INTERVAL: OTHER_FIREWALL,
  IPFW_ADD_CHECK_STATE: OTHER_FIREWALL,
  PF_ANCHOR_NAME: OTHER_FIREWALL,
  PF_EXPIRE_INTERVAL: OTHER_FIREWALL,
}

/** Of {@link irrelevantSettings}, those that must be numbers all the same: fwknopd refuses others. */
export const idleNumbers: Readonly<Record<string, ValueReader<number>>> = {
  // The sample file of fwknop recommends 0.
  PCAP_DISPATCH_COUNT: wholeNumber({ min: 0, max: 8_388_608 }),
  PCAP_LOOP_SLEEP: wholeNumber({ min: 1, max: 8_388_608 }),
  UDPSERV_SELECT_TIMEOUT: wholeNumber({ min: 1, max: 8_388_608 }),
  RULES_CHECK_THRESHOLD: wholeNumber({ min: 0, max: 131_071 }),
}

interface RefusedSetting {
  /** What to do meanwhile. */
  readonly instead: string
  /** Whether the value `N` asks for nothing, and may stay. */
  readonly mayBeNo: boolean
}

const refusedUnlessNo = (instead: string): RefusedSetting => ({ instead, mayBeNo: true })
const refusedAlways = (instead: string): RefusedSetting => ({ instead, mayBeNo: false })

/** Refused by name. */
export const refusedSettings: Readonly<Record<string, RefusedSetting>> = {
  ENABLE_NFQ_CAPTURE: refusedUnlessNo(
    'capture through NFQUEUE is not built: use CAPTURE packet, which needs no firewall rule',
  ),
  DIGEST_DB_FILE: refusedAlways('a dbm file cannot be imported: name a digest.cache with DIGEST_FILE instead'),
  BLACKLIST: refusedAlways('it has no effect in fwknopd 2.6 either: use a SOURCE that leaves the address out'),
  FIREWALL_TYPE: refusedAlways('it has no effect in fwknopd 2.6 either: FIREWALL chooses the firewall'),
  ENABLE_EXTERNAL_CMDS: refusedUnlessNo('it has no effect in fwknopd 2.6 either'),
  ENABLE_EXT_CMD_PREFIX: refusedUnlessNo('it has no effect in fwknopd 2.6 either'),
  EXT_CMD_PREFIX: refusedAlways('it has no effect in fwknopd 2.6 either'),
  EXTERNAL_CMD_OPEN: refusedAlways('it has no effect in fwknopd 2.6 either'),
  EXTERNAL_CMD_CLOSE: refusedAlways('it has no effect in fwknopd 2.6 either'),
  EXTERNAL_CMD_ALARM: refusedAlways('it has no effect in fwknopd 2.6 either'),
}

/** Every name that fwknopd.conf may hold. */
export const serverSettingNames: readonly string[] = [
  ...Object.keys(usedSettings),
  ...Object.keys(settingAliases),
  ...Object.keys(irrelevantSettings),
  ...Object.keys(refusedSettings),
]

/** It ends at the `[` before the process id in each line. */
function syslogIdentity(text: string): Result<string, ValueFailure> {
  return /^[\x21-\x39\x3b-\x5a\x5e-\x7e]{1,48}$/.test(text)
    ? ok(text)
    : invalidValue(
        `“${text}” cannot be a name in syslog: it has at most 48 characters, without blanks, “:” and brackets`,
      )
}

/** In any case, as in fwknop. */
function facilityValue(text: string): Result<SyslogFacility, ValueFailure> {
  return oneOf(...syslogFacilities)(text.toUpperCase())
}

/** `any`, or names. A name that may come is accepted; one that the kernel would never allow is not. */
function interfaceNames(text: string): Result<'any' | readonly string[], ValueFailure> {
  if (isAny(text)) return ok('any')
  return listOf((name) => {
    if (isAny(name)) return invalidValue('“any” means every interface: use it alone', 'any')
    const why = whyNoInterface(name)
    if (why === undefined) return ok(name)
    const meant = /^([^:@]+)[:@]/.exec(name)?.[1]
    const isName = meant !== undefined && whyNoInterface(meant) === undefined
    return invalidValue(`“${name}” cannot be the name of an interface: ${why}`, isName ? meant : undefined)
  })(text)
}

function isAny(text: string): boolean {
  return text.toLowerCase() === 'any'
}

/** IFNAMSIZ, less the NUL at the end. */
const LONGEST_INTERFACE = 15

/** The kernel's own rule, dev_valid_name(). */
function whyNoInterface(name: string): string | undefined {
  if ((bytesFromText(name)?.length ?? 0) > LONGEST_INTERFACE) return `it is longer than ${LONGEST_INTERFACE} bytes`
  if (name === '.' || name === '..') return 'the kernel refuses “.” and “..”'
  const bad = /[/:\s\p{Cc}]/u.exec(name)?.[0]
  if (bad === undefined) return undefined
  return bad === '/' || bad === ':' ? `it has a “${bad}”` : 'it has a blank or a control character'
}
