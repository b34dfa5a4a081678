/**
 * From file names to a policy. The warden does this over the disk and keeps what it read; the receiver does it again
 * over what the warden kept, and comes to the same policy without opening a file.
 */
import type { Policy } from '../access/policy.ts'
import { ok, type Result } from '../result.ts'
import type { AccessReading } from './access/blocks.ts'
import { buildPolicy } from './access/build-policy.ts'
import { withoutUnfit } from './access/cluster-stanzas.ts'
import { parseAccessConf } from './access/parse-access-conf.ts'
import type { ConfigFiles } from './reading/config-files.ts'
import type { Dialect } from './reading/dialect.ts'
import type { Notice } from './reading/notice.ts'
import { type SettingLocations, type SettingValues, withKnocks } from './server/defaults-and-conflicts.ts'
import { type ParsedServerConfig, parseFwknopdConf, type SettingOverride } from './server/parse-fwknopd-conf.ts'
import { clusterCopyPath, type ServerConfig } from './server/server-config.ts'

/** Where the configuration is, and what the command line overrides in it. */
export interface ConfigSource {
  /** `-c` */
  readonly server: string
  /** `-a` */
  readonly access?: string
  /** Flags that stand for variables of the server’s file, and go before them: `-i`, `-U`. */
  readonly overrides?: readonly SettingOverride[]
  /** `-O` of fwknopd: more files of variables. A later one goes before an earlier one. */
  readonly moreServerFiles?: readonly string[]
  readonly dialect?: Dialect
  /** `-v` of fwknopd: how often. It counts in addition to VERBOSE. */
  readonly verbose?: number
  /** Where fwknopd was started: relative paths in its stanzas begin there. */
  readonly workingFolder?: string
}

export interface LoadedConfig {
  readonly server: ServerConfig
  readonly policy: Policy
  readonly notices: readonly Notice[]
  /** Where the server’s file sets a variable, for what turns out only on this host. */
  readonly at: SettingLocations
  /** What the server’s file and the command line set. */
  readonly values: SettingValues
  /** The same, as text. */
  readonly texts: Readonly<Record<string, string>>
}

export function loadConfig(files: ConfigFiles, source: ConfigSource): Result<LoadedConfig> {
  const parsed = loadServerConfig(files, source)
  if (!parsed.ok) return parsed
  const { config, at, values, texts } = parsed.value
  const server = source.access === undefined ? config : { ...config, accessFile: source.access }
  const passedOver: Notice[] = []
  const reading = accessReading(server, source, passedOver)
  const access = parseAccessConf(server.accessFile, files, server.gnupg, reading)
  if (!access.ok) return access
  const stanzas = withoutUnfit(server, access.value.stanzas, passedOver)
  const built = buildPolicy(server, stanzas)
  if (!built.ok) return built
  const { policy, notices, captures } = built.value
  const all = [...parsed.value.notices, ...passedOver, ...access.value.notices, ...notices]
  const captured = { ...server, captures, firewall: withKnocks(server.firewall, captures) }
  return ok({ server: captured, policy, notices: all, at, values, texts })
}

/** How the stanzas are read. @param notices gets what is passed over. */
export function accessReading(
  { accessFolder, cluster, replay }: Pick<ServerConfig, 'accessFolder' | 'cluster' | 'replay'>,
  { dialect, workingFolder = '/' }: Pick<ConfigSource, 'dialect' | 'workingFolder'>,
  notices: Notice[],
): AccessReading {
  return {
    ...(accessFolder !== undefined && { folder: accessFolder }),
    ...(cluster?.users !== undefined && {
      cluster: {
        ...{ file: clusterCopyPath({ replay }), cluster: cluster.cluster, notices },
        mayNat: cluster.users.may.includes('nat'),
      },
    }),
    ...(dialect === 'fwknopd' && { forgiving: { workingFolder, notices } }),
  }
}

/** The server's own files, without the stanzas. */
export function loadServerConfig(files: ConfigFiles, source: ConfigSource): Result<ParsedServerConfig> {
  const text = files.read(source.server)
  if (!text.ok) return text
  const layers: { file: string; text: string }[] = []
  for (const file of source.moreServerFiles ?? []) {
    const more = files.read(file)
    if (!more.ok) return more
    layers.push({ file, text: more.value })
  }
  const { overrides, dialect, verbose } = source
  return parseFwknopdConf(source.server, text.value, {
    layers,
    ...(verbose && { verbose }),
    ...(overrides && { overrides }),
    ...(dialect && { dialect }),
  })
}
