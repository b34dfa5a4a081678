/**
 * The capture files that fwknop's suite carries, each read by `fwknopd --pcap-file` with the suite's configuration.
 * The suite runs them too. It looks for the rule of a door that is open for three seconds: on a busy machine too late.
 * Here the log is awaited.
 */
import { chmodSync, copyFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Network, Program } from '../support/netns.ts'
import type { CannedResult } from './canned-packets.ts'

export interface PcapFile {
  readonly file: string
  /** The suite's fwknopd.conf and access.conf for it. */
  readonly server: string
  readonly access: string
  readonly filter?: string
  /** Whom each packet in it opens for, in order. */
  readonly opensFor: readonly string[]
}

const udp = { server: 'default_fwknopd.conf', access: 'hmac_access.conf' } as const
const http = { access: 'hmac_access.conf', filter: 'port 80' } as const
export const pcapFiles: readonly PcapFile[] = [
  { file: 'multi_pkts.pcap', ...udp, opensFor: ['127.0.0.2'] },
  { file: 'fcs_spa.pcap', ...udp, opensFor: ['127.0.0.2'] },
  { file: 'spa_replay.pcap', ...udp, access: 'legacy_iv_access.conf', opensFor: ['127.0.0.2', '127.0.0.2'] },
  {
    ...{ file: 'spa_over_http.pcap', server: 'spa_over_http_fwknopd.conf', ...http },
    access: 'hmac_sha256_access.conf',
    opensFor: ['127.0.0.2'],
  },
  {
    ...{ file: 'spa_x_forwarded_for.pcap', server: 'spa_x_forwarded_for_fwknopd.conf', ...http },
    opensFor: ['1.2.3.4'],
  },
  {
    // The suite reads it with hmac_access.conf, under which no fwknopd opens it: it is a packet without HMAC.
    ...{ file: 'spa_allow_any_user_agent.pcap', server: 'spa_allow_any_user_agent_fwknopd.conf', ...http },
    access: 'android_access.conf',
    opensFor: ['1.2.3.4'],
  },
]

/**
 * @param folder where the files are. @param fwknopd the words that run ours.
 * @returns one result for each file, by whether it opened for exactly whom it should.
 */
export async function judgePcapFiles(
  net: Network,
  folder: string,
  fwknopd: readonly string[],
  files: readonly PcapFile[] = pcapFiles,
  deadlineMs = 20_000,
): Promise<readonly CannedResult[]> {
  const host = await net.host('fwknopd')
  const results: CannedResult[] = []
  for (const { file, server, access, filter, opensFor } of files) {
    const work = net.directory()
    // A file of keys that others may read is refused.
    const own = (name: string): string => {
      copyFileSync(join(folder, name), join(work, name))
      chmodSync(join(work, name), 0o600)
      return join(work, name)
    }
    const argv = [
      ...['-c', own(server), '-a', own(access), '-d', join(work, 'digest.cache'), '-p', join(work, 'fwknopd.pid')],
      ...['--pcap-file', own(file), ...(filter === undefined ? [] : ['--pcap-filter', filter])],
      ...['--foreground', '--verbose'],
    ]
    const apart = 'mount -t tmpfs none /run; exec "$@"'
    const program = host.start(['unshare', '--mount', 'sh', '-ec', apart, 'apart', ...fwknopd, ...argv])
    const why = await judgeLog(program, opensFor, deadlineMs)
    await program.stop()
    results.push({ name: `[pcap file] ${file}`, outcome: why === undefined ? 'passed' : 'failed', why: why ?? '' })
  }
  return results
}

/** @returns why it is not as wanted. */
async function judgeLog(
  program: Program,
  opensFor: readonly string[],
  deadlineMs: number,
): Promise<string | undefined> {
  const wanted = opensFor.map((address) => `Added access rule to FWKNOP_INPUT for ${address} -> `)
  try {
    await program.says(new RegExp(wanted.map((line) => line.replaceAll('.', '\\.')).join('[^]*')), deadlineMs)
  } catch (error) {
    return `${(error as Error).message.split('\n')[0]}\n${program.output.slice(-2000)}`
  }
  const added = program.output.match(/^Added access rule .*/gm) ?? []
  return added.length === opensFor.length ? undefined : `it opens more than it should: ${added.join('; ')}`
}
