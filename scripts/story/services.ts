/** The programs on the server: a web server, sshd, and ghostport. Real ones, with short configurations. */
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { NotAsTold, narrator } from './narrator.ts'
import type { Running } from './programs.ts'
import type { Stage } from './stage.ts'

/** How long the door stays open for a knock: long enough for a whole scan. */
export const GRANT_SECONDS = 20
export const WEB_PAGE = '<h1>Nothing but a web page</h1>'

export async function startWebServer({
  hosts: { spaserver },
  ports,
  addresses,
  kind,
  webServerUser,
}: Stage): Promise<void> {
  const { folder } = spaserver
  mkdirSync(join(folder, 'www'))
  writeFileSync(join(folder, 'www', 'index.html'), `${WEB_PAGE}\n`)
  const modules = '/usr/lib/apache2/modules'
  writeFileSync(
    join(folder, 'apache.conf'),
    `${[
      `ServerRoot ${folder}`,
      'ServerName www.example.net',
      ...['mpm_event', 'authz_core', 'dir'].map((name) => `LoadModule ${name}_module ${modules}/mod_${name}.so`),
      `Listen ${kind === 'loopback' ? `${addresses.server}:` : ''}${ports.web}`,
      'ServerTokens Prod',
      `DefaultRuntimeDir ${folder}`,
      'PidFile apache.pid',
      'ErrorLog apache-error.log',
      `DocumentRoot ${folder}/www`,
      'DirectoryIndex index.html',
      'StartServers 1',
      ...webServerUser,
    ].join('\n')}\n`,
  )
  narrator.command('spaserver', 'apache2 -f apache.conf')
  spaserver.startService(['apache2', '-f', join(folder, 'apache.conf'), '-DFOREGROUND'])
}

export async function startSshd({ hosts: { spaserver, spaclient }, ports, kind, login }: Stage, work: string) {
  const home = join(work, 'home')
  for (const key of [join(spaserver.folder, 'ssh_host_key'), join(spaclient.folder, 'id_ed25519')])
    await spaserver.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', login, '-f', key])
  const authorized = join(home, 'authorized_keys')
  copyFileSync(join(spaclient.folder, 'id_ed25519.pub'), authorized)
  chmodSync(authorized, 0o600)
  if (kind === 'root') {
    const { uid, gid } = statSync(home)
    chownSync(authorized, uid, gid)
  }
  const hostKey = readFileSync(join(spaserver.folder, 'ssh_host_key.pub'), 'utf8')
  writeFileSync(join(spaclient.folder, 'known_hosts'), `spaserver ${hostKey}`)
  writeFileSync(
    join(spaclient.folder, 'ssh_config'),
    `${[
      'IdentityFile id_ed25519',
      'IdentitiesOnly yes',
      'UserKnownHostsFile known_hosts',
      'HostKeyAlias spaserver',
      'StrictHostKeyChecking yes',
      'BatchMode yes',
      'ConnectTimeout 5',
      'ServerAliveInterval 0',
    ].join('\n')}\n`,
  )
  writeFileSync(
    join(spaserver.folder, 'sshd_config'),
    `${[
      `HostKey ${spaserver.folder}/ssh_host_key`,
      // The relay leads to it from this host.
      kind === 'loopback' ? `ListenAddress 127.0.0.1:${ports.ssh}` : `Port ${ports.ssh}`,
      `AuthorizedKeysFile ${authorized}`,
      'PidFile none',
      'UsePAM no',
      // The shell reads no startup files of this machine's user.
      `SetEnv HOME=${spaserver.folder}`,
      // The folder is below /tmp, which others may write to.
      'StrictModes no',
      'PasswordAuthentication no',
      'PrintMotd no',
    ].join('\n')}\n`,
  )
  narrator.command('spaserver', 'sshd -f sshd_config')
  const sshd = spaserver.startService(['/usr/sbin/sshd', '-D', '-e', '-f', join(spaserver.folder, 'sshd_config')])
  await sshd.until('sshd listens', (output) => (output.includes('Server listening') ? true : undefined), 10_000)
}

/**
 * Makes the keys, writes the files of both ends, starts `ghostport serve`. Returns the milliseconds until it was ready.
 */
export async function startGhostport(stage: Stage): Promise<{ server: Running; readyAfter: number; socket: string }> {
  const { hosts, ports } = stage
  const { spaserver, spaclient } = hosts
  const made = await spaserver.run(['ghostport', 'keygen', '--json'])
  if (made.status !== 0) throw new NotAsTold(`ghostport keygen: ${made.stderr}`)
  const keys = JSON.parse(made.stdout) as { readonly key_base64: string; readonly hmac_key_base64: string }
  const secrets = [`KEY_BASE64              ${keys.key_base64}`, `HMAC_KEY_BASE64         ${keys.hmac_key_base64}`]
  const socket = join(spaserver.folder, 'run', 'control.sock')
  mkdirSync(join(spaserver.folder, 'run'), { mode: 0o700 })

  const server = [
    ...stage.settings,
    'ENABLE_IPT_LOCAL_NAT    Y;',
    ...(stage.kind === 'loopback' ? [`SPA_PORTS               ${ports.spa};`] : []),
    `REPLAY_DB               ${join(spaserver.folder, 'state', 'replay.db')};`,
    `CONTROL_SOCKET          ${socket};`,
  ]
  const access = [
    'SOURCE                  ANY',
    `OPEN_PORTS              tcp/${ports.publicWeb}`,
    `NAT_TARGETS             local:${ports.ssh}`,
    'REQUIRE_SOURCE_ADDRESS  Y',
    `FW_ACCESS_TIMEOUT       ${GRANT_SECONDS}`,
  ]
  const write = (file: string, lines: readonly string[]) =>
    writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 })
  write(join(spaserver.folder, 'fwknopd.conf'), server)
  write(join(spaserver.folder, 'access.conf'), [...access, ...secrets])
  write(join(spaclient.folder, '.fwknoprc'), ['[default]', ...secrets])

  narrator.say(
    '\nghostport keygen made the two keys; they stand in the client’s .fwknoprc and in the server’s access.conf:',
  )
  narrator.answer([...access, 'KEY_BASE64              (secret)', 'HMAC_KEY_BASE64         (secret)'].join('\n'))
  narrator.command('spaserver', 'cat fwknopd.conf')
  narrator.answer(server.join('\n'))
  narrator.command('spaserver', 'ghostport serve -c fwknopd.conf -a access.conf')
  const started = performance.now()
  const running = spaserver.start([
    'ghostport',
    'serve',
    '-c',
    join(spaserver.folder, 'fwknopd.conf'),
    '-a',
    join(spaserver.folder, 'access.conf'),
  ])
  const ready = await running.until(
    'ghostport is ready',
    (output) => output.split('\n').find((line) => line.includes('"event":"ready"')),
    10_000,
  )
  const readyAfter = performance.now() - started
  narrator.answer(ready)
  return { server: running, readyAfter, socket }
}

/** Programs that the story needs. */
export function missingPrograms(): readonly string[] {
  const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  const needed = ['apache2', 'curl', 'ndiff', 'nmap', 'ssh', 'ssh-keygen', 'sshd', 'socat']
  const lookUp = (name: string) => spawnSync('sh', ['-c', 'command -v "$0"', name], { env: { PATH: path } })
  return needed.filter((name) => lookUp(name).status !== 0)
}
