/** `fwknopd -D`: the settings and stanzas in force, without keys. */
import { stanzaSettingNames } from '../../config/access/access-setting-names.ts'
import { readStanzaBlocks } from '../../config/access/blocks.ts'
import { accessReading, type ConfigSource, type LoadedConfig } from '../../config/load.ts'
import type { ConfigFiles } from '../../config/reading/config-files.ts'
import { serverSettingNames } from '../../config/server/fwknopd-settings.ts'
import { formatFilter } from '../../config/server/pcap-filter.ts'
import type { ServerConfig } from '../../config/server/server-config.ts'
import { formatCapturePort } from '../../config/server/spa-ports.ts'
import { ok, type Result } from '../../result.ts'
import type { Outcome } from '../command.ts'
import type { Terminal } from '../terminal/terminal.ts'

const NOT_SET = '<not set>'
const HIDDEN = '<see the access.conf file>'
const SECRETS: ReadonlySet<string> = new Set(['KEY', 'KEY_BASE64', 'HMAC_KEY', 'HMAC_KEY_BASE64', 'GPG_DECRYPT_PW'])

export function dumpConfig(
  loaded: LoadedConfig,
  files: ConfigFiles,
  source: ConfigSource,
  terminal: Terminal,
): Outcome {
  const lines = configLines(loaded, files, source)
  if (!lines.ok) return lines
  terminal.print(lines.value)
  return 0
}

/** The settings and stanzas in force as lines, without keys. */
export function configLines(loaded: LoadedConfig, files: ConfigFiles, source: ConfigSource): Result<readonly string[]> {
  const blocks = readStanzaBlocks(loaded.server.accessFile, files, accessReading(loaded.server, source, []))
  if (!blocks.ok) return blocks
  const own = { CONFIG_FILE: source.server, OVERRIDE_CONFIG: source.moreServerFiles?.join(',') }
  const texts: Readonly<Record<string, string | undefined>> = {
    ...defaultsInForce(loaded.server),
    ...loaded.texts,
    ...own,
  }
  const names = [...Object.keys(own), ...serverSettingNames]
  return ok([
    'Current fwknopd config settings:',
    ...names.map((name, n) => `${`${n}`.padStart(3)}. ${name.padEnd(28)} =  '${texts[name] || NOT_SET}'`),
    '',
    'Current fwknopd access settings:',
    ...blocks.value.flatMap(({ lines }, n) => {
      const given = new Map(lines.map(({ name, value }) => [name, SECRETS.has(name) ? HIDDEN : value]))
      const shown = stanzaSettingNames.filter((name) => name !== 'SOURCE')
      return [
        `SOURCE (${n + 1}):  ${given.get('SOURCE')}`,
        '==============================================================',
        ...shown.map((name) => `${name.padStart(27)}:  ${given.get(name) ?? NOT_SET}`),
        '',
      ]
    }),
  ])
}

/** What counts where no file says anything. */
function defaultsInForce(server: ServerConfig): Readonly<Record<string, string | undefined>> {
  const { captures, policy, replay, accessFile, controlSocket, pidFile, refusalsPerSecond, interfaceChecks } = server
  const yes = (on: boolean): string => (on ? 'Y' : 'N')
  const packet = captures.find(({ kind }) => kind === 'packet')
  const udp = captures.find(({ kind }) => kind === 'udp')
  const tcp = captures.find(({ kind }) => kind === 'tcp-server')
  return {
    ...(packet && {
      PCAP_INTF: packet.interfaces === 'any' ? 'any' : packet.interfaces.join(','),
      PCAP_FILTER:
        packet.filter === undefined
          ? packet.ports.map((port) => `udp port ${formatCapturePort(port)}`).join(' or ')
          : formatFilter(packet.filter),
    }),
    ...(udp && { UDPSERV_PORT: udp.ports.map(formatCapturePort).join(',') }),
    ENABLE_UDP_SERVER: yes(udp !== undefined),
    ENABLE_TCP_SERVER: yes(tcp !== undefined),
    ...(tcp && { TCPSERV_PORT: tcp.ports.map(formatCapturePort).join(',') }),
    MAX_SNIFF_BYTES: captures[0] && `${captures[0].maxBytes}`,
    ENABLE_SPA_PACKET_AGING: yes(policy.maxAge !== 'unlimited'),
    ...(policy.maxAge !== 'unlimited' && { MAX_SPA_PACKET_AGE: `${policy.maxAge}` }),
    ENABLE_DIGEST_PERSISTENCE: yes(policy.refuseReplays),
    ENABLE_IPT_FORWARDING: yes(policy.nat.forward !== undefined && Boolean(policy.nat.forward)),
    ENABLE_IPT_LOCAL_NAT: yes(Boolean(policy.nat.local)),
    FIREWALL: server.firewall.kind,
    REPLAY_DB: replay.database,
    MAX_PACKETS_PER_KEY: `${replay.packetsPerKey}`,
    DIGEST_FILE: replay.fwknopDigests.path,
    ACCESS_FILE: accessFile,
    CONTROL_SOCKET: controlSocket,
    FWKNOP_PID_FILE: pidFile,
    ENABLE_INTF_CHECKS: yes(interfaceChecks !== undefined),
    ...(interfaceChecks && {
      INTF_CHECKS_INTERVAL: `${interfaceChecks.interval}`,
      ENABLE_INTF_EXISTS_CHECK: yes(interfaceChecks.exists),
      ENABLE_INTF_RUNNING_CHECK: yes(interfaceChecks.running),
      ENABLE_INTF_BYTES_CHECK: yes(interfaceChecks.bytes),
      ENABLE_INTF_ADDRESS_CHECK: yes(interfaceChecks.addresses),
      ENABLE_INTF_RECEIVED_CHECK: yes(interfaceChecks.received),
    }),
    LOG_LIMIT: `${refusalsPerSecond}`,
  }
}
