/**
 * The story without any privilege: one host, several loopback addresses, and ghostport's relay in user space in place
 * of a firewall. 127.0.0.1 is the client, 127.0.0.2 the server, 127.0.0.3 the scanner.
 */
import { spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { type UserInfo, userInfo } from 'node:os'
import { basename, join } from 'node:path'
import { NotAsTold } from './narrator.ts'
import { run, start } from './programs.ts'
import type { Eavesdropper, Host, HostName, Stage } from './stage.ts'
import { clone, environment, installCommand } from './work-folder.ts'

// A loopback connection that asks for no source address comes from 127.0.0.1.
const ADDRESSES = { client: '127.0.0.1', server: '127.0.0.2', scanner: '127.0.0.3' } as const

export async function loopbackStage(work: string): Promise<Stage> {
  const username = ownLogin()
  installCommand(work, clone)
  const [publicWeb = 0, web = 0, ssh = 0, spa = 0] = await freePorts(4)
  const host = (name: HostName): Host => {
    const folder = join(work, name)
    const options = { cwd: folder, env: environment(work, folder) }
    const startHere = (argv: readonly string[]) => start(argv, options, join(folder, `${basename(argv[0] ?? '')}.log`))
    return {
      name,
      folder,
      run: (argv, timeoutMilliseconds) =>
        run(argv, { ...options, ...(timeoutMilliseconds !== undefined && { timeoutMilliseconds }) }),
      start: startHere,
      startService: startHere,
    }
  }
  return {
    kind: 'loopback',
    description:
      'This machine gives you neither root nor user namespaces, so the story is told with ghostport’s relay: no kernel firewall,\nthree addresses of the loopback for three hosts, real packets and connections, and no privilege at all. What a relay cannot\nhide: sshd itself listens on a port of the loopback here, which any user of this machine could find.',
    hosts: { spaclient: host('spaclient'), spaserver: host('spaserver'), scanner: host('scanner') },
    addresses: ADDRESSES,
    ports: { web, publicWeb, ssh, spa },
    login: username,
    settings: [
      'FIREWALL                relay;',
      `RELAY                   ${ADDRESSES.server}:${publicWeb} decoy=${ADDRESSES.server}:${web};`,
      'CAPTURE                 udp;',
      `RECEIVER_USER           ${username};`,
    ],
    webServerUser: [],
    sourceOptions: {
      curl: ['--interface', ADDRESSES.scanner],
      nmap: ['-S', ADDRESSES.scanner, '-e', 'lo'],
    },
    scan: ['-sT', '--unprivileged', '-p', String(publicWeb)],
    defaultDrop: async () => {},
    eavesdrop: () => forwardPackets(spa),
  }
}

/** @throws NotAsTold if sshd would refuse the login: it reports that to its log and not to the client. */
function ownLogin(): string {
  const cannot = (why: string) => new NotAsTold(`Here the story logs in as you, by ssh, and cannot: ${why}.`)
  let user: UserInfo<string>
  try {
    user = userInfo()
  } catch {
    throw cannot(`there is no account with your user number, ${process.getuid?.()}`)
  }
  const { username, shell } = user
  if (shell === null || /\/(nologin|false)$/.test(shell))
    throw cannot(`the account ${username} has no shell (but ${shell})`)
  // The files of sshd. Only root can read the second, as for an sshd that root starts.
  for (const database of ['passwd', 'shadow']) {
    const entry = spawnSync('getent', [database, username], { encoding: 'utf8' }).stdout ?? ''
    if (entry.split(':')[1]?.startsWith('!')) throw cannot(`the account ${username} is locked`)
  }
  return username
}

/** Without privilege, nobody can capture on the loopback. So the packet passes a router that keeps a copy. */
async function forwardPackets(spaPort: number): Promise<Eavesdropper> {
  const router = createSocket('udp4')
  const seen = new Promise<Buffer>((resolve) => {
    router.once('message', (packet) => {
      router.send(packet, spaPort, ADDRESSES.server)
      resolve(packet)
    })
  })
  await new Promise<void>((resolve) => router.bind(0, ADDRESSES.server, resolve))
  router.unref()
  return {
    spaPort: router.address().port,
    async caught() {
      const late = new Promise<never>((_, reject) => {
        setTimeout(() => reject(new NotAsTold('the knock did not come by')), 3_000).unref()
      })
      const packet = await Promise.race([seen, late])
      router.close()
      return packet
    },
  }
}

/** Ports that were free a moment ago, on every address of the loopback. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer()
          server.once('error', reject)
          server.listen(0, '0.0.0.0', () => resolve(server))
        }),
    ),
  )
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
