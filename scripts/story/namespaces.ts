/**
 * The story in network namespaces, as root or as root of a user namespace:
 *
 *     spaclient 10.66.1.2 ──── client0 10.66.1.1 ┐
 *                                                spaserver 10.66.0.1
 *     scanner   10.66.2.2 ──── wan0    10.66.2.1 ┘
 *
 * main.ts has put us into mount, process and (without root) user namespaces of our own. Accounts are mounts there. So
 * they collide with nothing, and end with us like the network namespaces.
 */
import { spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import {
  holdNamespace,
  inside,
  layCable,
  type Namespace,
  namedNamespace,
  runInside,
} from '../../test/support/namespace.ts'
import { NotAsTold, narrator } from './narrator.ts'
import { run, start } from './programs.ts'
import type { Eavesdropper, Host, HostName, Stage } from './stage.ts'
import { clone, environment, installCommand, packageFolder } from './work-folder.ts'

type Namespaces = Readonly<Record<HostName, Namespace>>

const ADDRESSES = { server: '10.66.0.1', client: '10.66.1.2', scanner: '10.66.2.2' } as const
const PORTS = { web: 80, publicWeb: 80, ssh: 22, spa: 62201 } as const
const LOGIN = 'alice'
/** Free on Debian: above the ids that adduser gives, below the system's own. */
const LOGIN_UID = 59_900

/** The host's own firewall: a web server for all, nothing else, and ghostport's mark. Plain nft. */
const DEFAULT_DROP = `table inet filter {
  chain input {
    type filter hook input priority 0; policy drop;
    iif lo accept
    ct state established,related accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept
    ct mark and 0x200000 == 0x200000 accept
    tcp dport 80 accept
  }
}
`

/** @param keep the hosts stay after the story, under names that every process sees. main.ts has made them. */
export async function namespaceStage(kind: 'root' | 'user', work: string, keep: boolean): Promise<Stage> {
  makeAccounts(kind, work)
  command('mount', '--bind', clone, packageFolder(work))
  installCommand(work, packageFolder(work))
  if (!keep) command('mount', '-t', 'tmpfs', 'tmpfs', '/run')
  if (!existsSync('/run/sshd')) mkdirSync('/run/sshd')
  const namespaceOf = (name: HostName) => (keep ? namedNamespace(name) : holdNamespace(name))
  const namespaces: Namespaces = {
    spaclient: await namespaceOf('spaclient'),
    spaserver: await namespaceOf('spaserver'),
    scanner: await namespaceOf('scanner'),
  }
  layCables(namespaces)

  const host = (name: HostName): Host => {
    const folder = join(work, name)
    const enter = inside(namespaces[name], [])
    const options = { cwd: folder, env: environment(work, folder) }
    const logOf = ([program = '']: readonly string[]) => join(folder, `${basename(program)}.log`)
    return {
      name,
      folder,
      run: (argv, timeoutMilliseconds) =>
        run([...enter, ...argv], { ...options, ...(timeoutMilliseconds !== undefined && { timeoutMilliseconds }) }),
      start: (argv) => start([...enter, ...argv], options, logOf(argv)),
      startService: (argv) => start([...enter, ...(kind === 'user' ? asOtherUser : []), ...argv], options, logOf(argv)),
    }
  }
  const hosts = { spaclient: host('spaclient'), spaserver: host('spaserver'), scanner: host('scanner') }
  return {
    kind,
    description:
      kind === 'root'
        ? 'Three hosts in network namespaces of this machine’s kernel, with a real firewall, real sshd, real apache, real nmap.'
        : 'You are not root, so the three hosts stand in a user namespace: real network namespaces, firewall, sshd, apache\nand nmap all the same. Only one user exists in there, so ghostport’s receiver gives up its capabilities but cannot\nbecome another user, as it does when root starts it.',
    hosts,
    addresses: ADDRESSES,
    ports: PORTS,
    login: LOGIN,
    settings: ['FIREWALL_MODE           mark;'],
    webServerUser: kind === 'root' ? ['User nobody', 'Group nogroup'] : [],
    sourceOptions: { curl: [], nmap: [] },
    scan: ['-sS', '--max-retries', '1', '--min-rate', '800', '-p', '1-1000'],
    async defaultDrop() {
      writeFileSync(join(hosts.spaserver.folder, 'host.nft'), DEFAULT_DROP)
      narrator.command('spaserver', 'nft -f host.nft')
      narrator.answer(DEFAULT_DROP)
      const loaded = await hosts.spaserver.run(['nft', '-f', 'host.nft'])
      if (loaded.status !== 0) throw new NotAsTold(`nft: ${loaded.stderr}`)
    },
    eavesdrop: () => tapWire(hosts.spaclient),
  }
}

// In a user namespace that has only root, processes cannot change to another user. sshd and apache refuse to serve as
// root without one. So they get a namespace of their own, in which the same outer user has another number.
const asOtherUser = ['unshare', '--user', `--map-user=${LOGIN_UID}`, '--']

/** An account to log in to, in copies of the system's files that only our mount namespace sees. */
function makeAccounts(kind: 'root' | 'user', work: string): void {
  const home = join(work, 'home')
  const mountCopy = (file: string, text: string, mode: number) => {
    const copy = join(work, file.slice('/etc/'.length))
    writeFileSync(copy, text, { mode })
    command('mount', '--bind', copy, file)
  }
  const withoutLogin = (text: string) =>
    text
      .split('\n')
      .filter((line) => !line.startsWith(`${LOGIN}:`) && line !== '')
      .join('\n')
  const passwd = withoutLogin(readFileSync('/etc/passwd', 'utf8'))
  mountCopy('/etc/passwd', `${passwd}\n${LOGIN}:x:${LOGIN_UID}:65534::${home}:/bin/sh\n`, 0o644)
  if (kind === 'user') return
  const shadow = withoutLogin(readFileSync('/etc/shadow', 'utf8'))
  mountCopy('/etc/shadow', `${shadow}\n${LOGIN}:*:19000:0:99999:7:::\n`, 0o600)
  chownSync(home, LOGIN_UID, 65534)
}

function layCables({ spaclient, spaserver, scanner }: Namespaces): void {
  const cables = [
    { host: spaclient, address: ADDRESSES.client, end: 'client0', gateway: '10.66.1.1' },
    { host: scanner, address: ADDRESSES.scanner, end: 'wan0', gateway: '10.66.2.1' },
  ]
  for (const { host, address, end, gateway } of cables) {
    layCable(
      { namespace: host, name: 'eth0', addresses: [`${address}/24`] },
      { namespace: spaserver, name: end, addresses: [`${gateway}/24`] },
    )
    runInside(host, ['ip', 'route', 'add', 'default', 'via', gateway])
  }
  runInside(spaserver, ['ip', 'address', 'add', `${ADDRESSES.server}/32`, 'dev', 'lo'])
  // Ports below 1024 for daemons that are not root; only in this network namespace.
  runInside(spaserver, ['sysctl', '-qw', 'net.ipv4.ip_unprivileged_port_start=0'])
}

/** socat hands over frames, one after the other. */
async function tapWire(client: Host): Promise<Eavesdropper> {
  const frames = join(client.folder, 'frames')
  writeFileSync(frames, '')
  const tap = client.start(['socat', '-u', '-d', '-d', 'INTERFACE:eth0', 'OPEN:frames,append'])
  await tap.until('socat listens', (output) => (output.includes('starting data transfer') ? true : undefined), 5_000)
  return {
    spaPort: PORTS.spa,
    async caught() {
      await tap.end()
      const packet = spaPacketIn(readFileSync(frames))
      if (packet === undefined) throw new NotAsTold('the knock was not seen on the wire')
      return packet
    },
  }
}

/** Skips the headers of a datagram to the SPA port: after the port come the length of the datagram and its checksum. */
function spaPacketIn(frames: Buffer): Buffer | undefined {
  const port = Buffer.from([PORTS.spa >> 8, PORTS.spa & 0xff])
  for (let at = frames.indexOf(port); at >= 0; at = frames.indexOf(port, at + 1)) {
    if (at + 6 > frames.length) break
    const payload = frames.subarray(at + 6, at + 6 + frames.readUInt16BE(at + 2) - 8)
    if (/^[A-Za-z0-9+/]{100,}={0,2}$/.test(payload.toString('latin1'))) return payload
  }
  return undefined
}

function command(file: string, ...args: string[]): void {
  const { status, stderr, error } = spawnSync(file, args, { encoding: 'utf8' })
  if (status !== 0) throw new NotAsTold(`${[file, ...args].join(' ')}: ${error?.message ?? stderr.trim()}`)
}
