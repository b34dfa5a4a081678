/**
 * What ssh would do with the user's own words and files: where it would connect, to which port, over what. ssh itself
 * says so (`ssh -G`), so that its options, its configuration files and their `Match` blocks are read by no other rules
 * than its own.
 */
import { spawn } from 'node:child_process'
import { type Port, parsePort, port } from '../../units.ts'

export interface SshConfig {
  /** `HostName`; HOST itself where nothing else is set. */
  readonly hostname: string
  readonly port: Port
  /** From `-4`, `-6` or `AddressFamily`. */
  readonly family?: 4 | 6
  readonly hostKeyAlias?: string
  /** There is a `ProxyCommand` or `ProxyJump`: ssh does not connect to the host itself. */
  readonly proxied: boolean
}

export type SshAnswer =
  | { readonly ok: true; readonly config: SshConfig }
  /** It cannot be started, or refuses its words: `status` is to be the exit status. */
  | { readonly ok: false; readonly status: number; readonly says: string }

/**
 * @param host what is left of the destination without user and port, for what ssh does not say.
 * @param words the destination, and all that follows it.
 */
export function askSsh(host: string, words: readonly string[]): Promise<SshAnswer> {
  return new Promise((resolve) => {
    const ssh = spawn('ssh', ['-G', ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
    const said = { out: '', error: '' }
    ssh.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      said.out += chunk
    })
    ssh.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      said.error += chunk
    })
    ssh.once('error', (error) => {
      resolve({ ok: false, status: 127, says: `ghostport: ssh cannot be started: ${error.message}` })
    })
    ssh.once('close', (status) => {
      if (status === 0) resolve({ ok: true, config: parseSshConfig(host, said.out) })
      else resolve({ ok: false, status: status ?? 255, says: said.error.trimEnd() })
    })
  })
}

/** Reads what `ssh -G` prints: a name in small letters and its value in each line. */
export function parseSshConfig(host: string, text: string): SshConfig {
  const values = new Map<string, string>()
  for (const line of text.split('\n')) {
    const [, name, value] = /^(\S+) (.*)$/.exec(line) ?? []
    if (name !== undefined && value !== undefined && !values.has(name)) values.set(name, value)
  }
  const given = parsePort(values.get('port') ?? '')
  const family = { inet: 4, inet6: 6 }[values.get('addressfamily') ?? ''] as 4 | 6 | undefined
  const hostKeyAlias = values.get('hostkeyalias')
  return {
    hostname: values.get('hostname') ?? host,
    port: given.ok ? given.value : port(22),
    ...(family === undefined ? {} : { family }),
    ...(hostKeyAlias === undefined ? {} : { hostKeyAlias }),
    proxied: ['proxycommand', 'proxyjump'].some((name) => (values.get(name) ?? 'none').toLowerCase() !== 'none'),
  }
}

/** `[USER@]HOST`, or `ssh://[USER@]HOST[:PORT]`. */
export function parseDestination(destination: string): { readonly host: string; readonly namesPort: boolean } {
  const [, host, named] = /^ssh:\/\/(?:[^/]*@)?(\[[^\]]*\]|[^:/]*)(:[0-9]+)?\/?$/i.exec(destination) ?? []
  if (host === undefined) return { host: destination.slice(destination.lastIndexOf('@') + 1), namesPort: false }
  return { host: host.replace(/^\[(.*)\]$/, '$1'), namesPort: named !== undefined }
}

/** ssh's options that take a value, ssh(1). */
const WITH_VALUE = 'BbcDEeFIiJLlmOoPpQRSWw'

/**
 * Whether the words after the destination name a port (`-p 22`, `-oPort=22`). Only for 22, which `ssh -G` prints also
 * where nobody asked for it.
 */
export function namesPort(words: readonly string[]): boolean {
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? ''
    // The remote command begins.
    if (!/^-[^-]/.test(word)) return false
    for (let at = 1; at < word.length; at++) {
      const letter = word[at] ?? ''
      if (!WITH_VALUE.includes(letter)) continue
      const value = word.slice(at + 1) || words[++i] || ''
      if (letter === 'p' || (letter === 'o' && /^\s*port[\s=]/i.test(value))) return true
      break
    }
  }
  return false
}
