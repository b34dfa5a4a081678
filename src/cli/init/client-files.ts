/** What goes to the first client: its stanza of .fwknoprc, its entry of ~/.ssh/config, and the line that tries both. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatProtocolPorts } from '../../packet/protocol-port.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { fileReason } from '../../system/errno.ts'
import { rcStanza } from '../knock/keygen-text.ts'
import type { Line, Style } from '../terminal/line.ts'
import type { Prepared } from './prepare.ts'

export interface ClientFiles {
  /** Absent: the clients have their keys already. */
  readonly fwknoprc?: string
  /** Absent: no port of sshd is hidden. */
  readonly sshConfig?: string
  /** Run on the client. */
  readonly test: string
}

export function clientFiles({ client, hide }: Pick<Prepared, 'client' | 'hide'>): ClientFiles {
  const { server, alias, keys, sshPort, user } = client
  const ports = hide.map((one) => formatProtocolPorts([one])).join(',')
  return {
    ...(keys !== undefined && { fwknoprc: `${rcStanza(keys, { server, alias, ports })}\n` }),
    ...(sshPort !== undefined && { sshConfig: sshEntry(alias, server, sshPort, user) }),
    test: sshPort === undefined ? `ghostport knock ${alias} --wait` : `ssh ${alias}`,
  }
}

/**
 * ProxyCommand runs once for a real connection. `Match exec` would knock also for `ssh -G` and `ssh -O check`, and
 * twice with canonical names.
 */
function sshEntry(alias: string, server: string, port: number, user: string): string {
  const lines = [`HostName ${server}`, `User ${user}`, ...(port === 22 ? [] : [`Port ${port}`])]
  return `Host ${alias}\n${[...lines, 'ProxyCommand ghostport proxy %n %p'].map((each) => `    ${each}\n`).join('')}`
}

export function describeClient(files: ClientFiles, alias: string, style: Style): readonly Line[] {
  const { fwknoprc, sshConfig, test } = files
  return [
    style.bold('On the client'),
    ...(fwknoprc === undefined
      ? [`  Its stanza of ~/.fwknoprc stays as it is. It is taken to be called ${alias}.`]
      : ['  Add this to ~/.fwknoprc, which must be yours alone (chmod 600 ~/.fwknoprc):', '', ...lines(fwknoprc)]),
    ...(sshConfig === undefined ? [] : ['', '  Add this to ~/.ssh/config:', '', ...lines(sshConfig)]),
    '',
    '  Then knock and log in, with one command:',
    '',
    `${test}`,
  ]
}

function lines(text: string): readonly string[] {
  return text.replace(/\n$/, '').split('\n')
}

/** Writes them into a new folder. @returns the paths. CONFIG_UNWRITABLE: nothing is ever written over. */
export function writeClientFiles(
  folder: string,
  { fwknoprc, sshConfig }: ClientFiles,
): Result<readonly string[], Failure<'CONFIG_UNWRITABLE'>> {
  const written: string[] = []
  try {
    mkdirSync(folder, { mode: 0o700 })
    for (const [name, text] of [
      ['fwknoprc', fwknoprc],
      ['ssh_config', sshConfig],
    ] as const) {
      if (text === undefined) continue
      const path = join(folder, name)
      writeFileSync(path, text, { mode: 0o600, flag: 'wx' })
      written.push(path)
    }
    return ok(written)
  } catch (error) {
    return refuse('CONFIG_UNWRITABLE', `${folder}: ${fileReason(error)}`, {
      suggestion: 'name a folder that is not there yet',
    })
  }
}
