/** Reports to the operator about the whole server: lines of the log, and the sentence that `systemctl status` shows. */

import type { LoadedConfig } from '../../config/load.ts'
import { describeFirewall } from '../../config/server/firewall-settings.ts'
import { formatFilter } from '../../config/server/pcap-filter.ts'
import { formatCapturePort } from '../../config/server/spa-ports.ts'
import type { Guard } from '../../firewall/firewall.ts'
import type { Log, LogField } from '../../log.ts'

export function logNotices(notices: LoadedConfig['notices'], log: Log): void {
  for (const { level, text, cure, at } of notices)
    log.write(level, 'notice', {
      text,
      ...(cure !== undefined && { cure }),
      ...(at && { file: at.file, line: at.line }),
    })
}

/** The fields of the line `ready`. @param receiver its process id. @param guard of the firewall. */
export function readyFields(
  { server, policy }: Pick<LoadedConfig, 'server' | 'policy'>,
  receiver: number | undefined,
  guard?: Guard,
): { readonly [name: string]: LogField } {
  const { captures, firewall } = server
  const passive = captures.filter(({ kind }) => kind === 'packet')
  const file = captures.find(({ path }) => path !== undefined)?.path
  const tcpPorts = captures.flatMap(({ kind, ports }) =>
    kind === 'tcp-server' ? ports.map((port) => formatCapturePort(port)) : [],
  )
  const filters = captures.flatMap(({ filter }) => (filter === undefined ? [] : formatFilter(filter)))
  return {
    capture: captures.map(({ kind }) => kind).join(','),
    ...(passive.length > 0 && {
      interfaces: passive.some(({ interfaces }) => interfaces === 'any')
        ? 'any'
        : passive.flatMap(({ interfaces }) => interfaces),
    }),
    ports: captures.flatMap(({ kind, ports }) =>
      (kind === 'tcp-server' ? [] : ports).map((port) => (typeof port === 'number' ? port : formatCapturePort(port))),
    ),
    ...(tcpPorts.length > 0 && { tcpPorts }),
    ...(filters.length > 0 && { filters }),
    ...(file !== undefined && { file }),
    firewall: describeFirewall(firewall),
    ...(guard !== undefined && { guard }),
    stanzas: policy.stanzas.length,
    warden: process.pid,
    receiver,
  }
}

/** One sentence, while packets are being received. @param remark what else there is to know. */
export function receivingSentence(
  { policy, server }: Pick<LoadedConfig, 'policy' | 'server'>,
  remark?: string,
): string {
  const { length } = policy.stanzas
  const how = server.captures.length === 0 ? 'a gate: it opens what other nodes grant' : 'receiving'
  const sentence = `${how}, ${length} ${length === 1 ? 'stanza' : 'stanzas'}`
  return remark === undefined ? sentence : `${sentence}; ${remark}`
}
