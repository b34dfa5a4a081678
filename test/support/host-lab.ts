/**
 * A whole Debian with systemd, for what network namespaces cannot show: packages, units, the order of a boot, ufw, and
 * whether an administrator with only ssh is ever locked out.
 *
 *   client 192.0.2.77 (and a stranger, .66) ── bridge ── 192.0.2.10 the machine      2001:db8::77, ::66, ::10 likewise
 *
 * One root per Debian is made with debootstrap and kept in {@link CACHE}; each machine has an overlay on it. The
 * machine runs in systemd-nspawn, in the network namespace of the client, with mounts, process numbers and a control
 * group of its own. When the test ends in any way, the kernel ends the machine, with its mounts and links.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { debianPackage } from './debian-packages.ts'
import { type DebianName, type MorePackage, must, rootWith } from './debian-root.ts'
import { type Host, Network, netnsUnavailable, type Outcome, type Program } from './netns.ts'

export const SERVER = { four: '192.0.2.10', six: '2001:db8::10' } as const
export const CLIENT = { four: '192.0.2.77', six: '2001:db8::77' } as const
export const STRANGER = { four: '192.0.2.66', six: '2001:db8::66' } as const

const REGISTRY_PORT = 4873

/** Where a machine is, and what it is called. */
export interface Place {
  readonly name: string
  readonly four: string
  readonly six: string
}
const USUAL_PLACE: Place = { name: 'server', ...SERVER }

const clone = fileURLToPath(new URL('../../', import.meta.url))

/** For `{ skip }`: why no machine can be booted here, or `false`. */
export function hostLabUnavailable(): string | false {
  if (process.getuid?.() !== 0) return 'booting a Debian takes root'
  const withoutNamespaces = netnsUnavailable()
  if (withoutNamespaces !== false) return withoutNamespaces
  const missing = ['debootstrap', 'systemd-nspawn', 'unshare', 'ssh', 'ssh-keygen'].filter(
    (program) => spawnSync('which', [program]).status !== 0,
  )
  return missing.length === 0 ? false : `not installed: ${missing.join(', ')}`
}

/** A client, a stranger, and a Debian to administrate. */
export class HostLab implements AsyncDisposable {
  readonly net: Network
  /** Has the addresses of {@link CLIENT} and {@link STRANGER}. Its home, with `ghostport` and `ssh` on its path. */
  readonly client: Host
  readonly home: string
  readonly place: Place
  readonly #machine: Program
  readonly #group: string | undefined
  /** The network is that of another lab, which ends it. */
  readonly #isGuest: boolean

  /** Another machine on the bridge of `lab`, for the same administrator. */
  static async bootBeside(
    lab: HostLab,
    place: Place,
    debian: DebianName,
    packages: readonly MorePackage[] = [],
  ): Promise<HostLab> {
    const beside = new HostLab(lab.net, lab.client, debian, rootWith(debian, packages), [], place, lab)
    await beside.reachable()
    return beside
  }

  /**
   * @param packages of Debian, besides the usual ones.
   * @param files for the machine's /root.
   * @param place of the machine. In its network, the client is {@link clientBeside}.
   */
  static async boot(
    debian: DebianName,
    packages: readonly MorePackage[] = [],
    files: readonly string[] = [],
    place: Place = USUAL_PLACE,
  ): Promise<HostLab> {
    const base = rootWith(debian, packages)
    const net = await Network.create()
    let lab: HostLab | undefined
    try {
      const client = await net.host('client')
      // Without snooping: a bridge that has just lost a port may not know yet which port a multicast to an IPv6
      // neighbour is for.
      client.must(['ip', 'link', 'add', 'br0', 'type', 'bridge', 'mcast_snooping', '0'])
      for (const address of [`${CLIENT.four}/24`, `${STRANGER.four}/24`])
        client.must(['ip', 'address', 'add', address, 'dev', 'br0'])
      for (const address of [`${STRANGER.six}/64`, `${CLIENT.six}/64`])
        client.must(['ip', 'address', 'add', address, 'dev', 'br0', 'nodad'])
      client.must(['ip', 'link', 'set', 'br0', 'up'])
      const registry = fileURLToPath(new URL('./npm-registry.ts', import.meta.url))
      const served = client.start([process.execPath, registry, join(clone, 'node_modules'), String(REGISTRY_PORT)])
      await served.says(/listening/)
      if (place !== USUAL_PLACE) client.must(['ip', 'address', 'add', `${clientBeside(place)}/24`, 'dev', 'br0'])
      lab = new HostLab(net, client, debian, base, files, place)
      await lab.reachable()
      return lab
    } catch (error) {
      await (lab ?? net).close()
      throw error
    }
  }

  private constructor(
    net: Network,
    client: Host,
    debian: DebianName,
    base: string,
    files: readonly string[],
    place: Place,
    beside?: HostLab,
  ) {
    this.net = net
    this.client = client
    this.place = place
    this.#isGuest = beside !== undefined
    this.home = beside?.home ?? net.directory()
    if (beside === undefined) {
      must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(this.home, 'key')])
      this.#writeClientPrograms()
    }
    const folder = net.directory()
    for (const name of ['upper', 'work', 'root']) mkdirSync(join(folder, name))
    this.#prepare(join(folder, 'upper'), debian, files)
    const name = `ghostport-${randomBytes(4).toString('hex')}`
    this.#group = makeGroup(name)
    const nspawn = [
      ...['systemd-nspawn', '-D', join(folder, 'root'), '-b', '--register=no', '--keep-unit', `--machine=${name}`],
      ...['--network-bridge=br0', '--resolv-conf=off', '--timezone=off', '--link-journal=no'],
      // Docker needs the first three, and the GnuPG process the others.
      '--system-call-filter=add_key keyctl bpf landlock_create_ruleset landlock_add_rule landlock_restrict_self',
    ]
    const script = [
      this.#group === undefined ? '' : `echo $$ > ${this.#group}/cgroup.procs`,
      'mount --make-rprivate /',
      // systemd-nspawn's notes about machines. If /run is a disk, it refuses to remove them, and then to reboot.
      'mkdir -p /run/systemd/nspawn && mount -t tmpfs tmpfs /run/systemd/nspawn',
      `mount -t overlay overlay -o lowerdir=${base},upperdir=${folder}/upper,workdir=${folder}/work ${folder}/root || {`,
      // An overlay on an overlay is impossible: a copy takes a few seconds.
      `  cp -a --reflink=auto ${base}/. ${folder}/root && cp -a ${folder}/upper/. ${folder}/root; }`,
      // It ends with 133 if the machine wants to boot again.
      'until "$@"; do [ $? -eq 133 ] || exit 1; done',
    ].join('\n')
    const alone = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
    this.#machine = client.start([...alone, 'sh', '-ec', script, 'boot', ...nspawn], {
      env: { SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1' },
    })
  }

  #writeClientPrograms(): void {
    const bin = join(this.home, 'bin')
    mkdirSync(bin)
    const program = (name: string, text: string): void =>
      writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
    program('ghostport', `exec ${process.execPath} ${clone}dist/cli/ghostport.js "$@"`)
    const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR']
    const words = [...options, `IdentityFile=${this.home}/key`, 'User=root', 'BatchMode=yes'].map(
      (option) => `-o ${option}`,
    )
    // A test asks by ssh whether a port is open. What is copied may wait.
    for (const [name, seconds] of [
      ['ssh', 3],
      ['scp', 60],
    ] as const)
      program(
        name,
        `config="$HOME/.ssh/config"; [ "$HOME" = '${this.home}' ] && [ -f "$config" ] || config=none
exec /usr/bin/${name} -F "$config" ${words.join(' ')} -o ConnectTimeout=${seconds} "$@"`,
      )
  }

  /** The state of the machine before ghostport is installed. */
  #prepare(upper: string, debian: DebianName, files: readonly string[]): void {
    const write = (path: string, text: string, mode = 0o644): void => {
      const file = join(upper, path)
      mkdirSync(join(file, '..'), { recursive: true })
      writeFileSync(file, text, { mode })
    }
    const { name, four, six } = this.place
    write('etc/hostname', `${name}\n`)
    write('etc/hosts', `127.0.0.1 localhost ${name}\n`)
    const addresses = [`Address=${four}/24`, `Address=${six}/64`, 'IPv6AcceptRA=no']
    write('etc/systemd/network/10-host0.network', `[Match]\nName=host0\n[Network]\n${addresses.join('\n')}\n`)
    const wanted = join(upper, 'etc/systemd/system/multi-user.target.wants')
    mkdirSync(wanted, { recursive: true })
    // This sshd option blocks hosts that connect often as attackers; here the tests connect often, for minutes.
    if (debian !== 'bookworm') write('etc/ssh/sshd_config.d/lab.conf', 'PerSourcePenalties no\n')
    symlinkSync('/lib/systemd/system/systemd-networkd.service', join(wanted, 'systemd-networkd.service'))
    mkdirSync(join(upper, 'root/.ssh'), { recursive: true, mode: 0o700 })
    chmodSync(join(upper, 'root'), 0o700)
    write('root/.ssh/authorized_keys', readFileSync(join(this.home, 'key.pub'), 'utf8'), 0o600)
    write(
      'usr/local/etc/npmrc',
      `registry=http://${CLIENT.four}:${REGISTRY_PORT}/\naudit=false\nupdate-notifier=false\n`,
    )
    // The cable of a host that resets is dead. The kernel, while it removes a network namespace, takes the rules away
    // before the interface, and for some milliseconds refuses what comes in (seen in 4 of 60).
    write('usr/lib/systemd/system-shutdown/lab-cable', '#!/bin/sh\nip link set host0 down\n', 0o755)
    // A Node.js from a trusted source on this machine.
    mkdirSync(join(upper, 'usr/local/bin'), { recursive: true })
    copyFileSync(process.execPath, join(upper, 'usr/local/bin/node'))
    chmodSync(join(upper, 'usr/local/bin/node'), 0o755)
    must(['npm', 'pack', '--silent', '--ignore-scripts', '--pack-destination', join(upper, 'root')], clone)
    for (const file of [debianPackage('ghostport'), ...files]) copyFileSync(file, join(upper, 'root', basename(file)))
  }

  /** Waits until the ssh port answers. */
  async reachable(deadlineMs = 60_000): Promise<void> {
    const deadline = performance.now() + deadlineMs
    const { four } = this.place
    while (!(await this.ssh(four, this.place === USUAL_PLACE ? CLIENT.four : clientBeside(this.place), 700))) {
      assert.ok(performance.now() < deadline, `no ssh after ${deadlineMs} ms\n${this.#machine.output.slice(-3000)}`)
      await delay(200)
    }
  }

  /** Whether a new connection to the ssh port is answered. */
  async ssh(address: string = SERVER.four, source: string = CLIENT.four, timeoutMs = 3000): Promise<boolean> {
    return (await this.client.tcp(address, 22, { source, timeoutMs })).startsWith('SSH-')
  }

  /** A command of the client's user, in its home. */
  run(command: string, timeoutMs = 60_000): Outcome {
    const path = `${join(this.home, 'bin')}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`
    return this.client.run(['sh', '-c', command], {
      ...{ cwd: this.home, timeoutMs, env: { HOME: this.home, PATH: path, NO_COLOR: '1' } },
    })
  }

  /** {@link run}, for commands that must succeed. */
  must(command: string): string {
    const { status, stdout, stderr } = this.run(command)
    assert.equal(status, 0, `$ ${command}\n${stdout}${stderr}`)
    return stdout
  }

  /** Logs in by ssh. */
  async login(): Promise<Session> {
    return await Session.open(this.client, join(this.home, 'bin/ssh'))
  }

  /** A command at the machine's console: for the test itself, never for the administrator's steps. */
  console(command: string): Outcome {
    const init = this.#init()
    if (init === undefined) return { status: null, stdout: '', stderr: 'the machine is down' }
    const argv = ['-t', String(init), '-a', '--', 'bash', '-lc', command]
    // Without this process's environment: npm's own variables would mislead the machine's npm.
    const env = {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/root',
      LC_ALL: 'C.UTF-8',
    }
    const { status, stdout, stderr } = spawnSync('nsenter', argv, { encoding: 'utf8', timeout: 60_000, env })
    return { status, stdout, stderr }
  }

  /** The machine’s process 1, below unshare, the shell and systemd-nspawn. */
  #init(): number | undefined {
    let pid = this.#machine.pid
    try {
      for (;;) {
        pid = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0])
        if (readFileSync(`/proc/${pid}/comm`, 'utf8') === 'systemd\n') return pid
      }
    } catch {
      return undefined // Not yet, or between two boots.
    }
  }

  /** Its administrator reboots it, at the console. */
  async reboot(): Promise<void> {
    const { status, stderr } = this.console('systemctl reboot')
    assert.equal(status, 0, stderr)
  }

  /** How often it has booted again. */
  get reboots(): number {
    return this.#machine.output.match(/ is being rebooted/g)?.length ?? 0
  }

  async close(): Promise<void> {
    await this.#machine.stop('SIGKILL')
    if (!this.#isGuest) await this.net.close()
    if (this.#group !== undefined) await removeGroup(this.#group)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** The client’s address in the network of a machine: `.77`. */
export function clientBeside({ four }: Place): string {
  return four.replace(/[0-9]+$/, '77')
}

/** One login by ssh, kept open: the administrator's terminal. */
export class Session {
  readonly #program: Program
  #asked = 0

  static async open(client: Host, ssh: string): Promise<Session> {
    const session = new Session(client.start([ssh, SERVER.four, 'exec bash 2>&1']))
    await session.must('true')
    return session
  }

  private constructor(program: Program) {
    this.#program = program
  }

  /** Types a command and waits for its end. A session that is cut off fails the test. */
  async run(command: string, deadlineMs = 90_000): Promise<Outcome> {
    const mark = `done-${++this.#asked}-${randomBytes(4).toString('hex')}`
    const from = this.#program.output.length
    this.#program.child.stdin.write(`{ ${command}\n} </dev/null; printf '\\n%s %s\\n' ${mark} $?\n`)
    const [all, status] = await this.#program.says(new RegExp(`\\n${mark} ([0-9]+)\\n`), deadlineMs)
    const { output } = this.#program
    return { status: Number(status), stdout: output.slice(from, output.lastIndexOf(all)), stderr: '' }
  }

  async must(command: string, deadlineMs?: number): Promise<string> {
    const { status, stdout } = await this.run(command, deadlineMs)
    assert.equal(status, 0, `# ${command}\n${stdout}`)
    return stdout
  }

  /** Types `reboot`; resolves when the connection is gone. See {@link HostLab.reboots}. */
  async reboot(): Promise<void> {
    this.#program.child.stdin.write('systemctl reboot\n')
    const late = new AbortController()
    const patience = delay(60_000, 'late', { signal: late.signal }).catch(() => 'ended')
    const came = await Promise.race([this.#program.ended, patience])
    late.abort()
    assert.notEqual(came, 'late', `the session lives on after “systemctl reboot”\n${this.#program.output.slice(-2000)}`)
  }

  async close(): Promise<void> {
    await this.#program.stop()
  }
}

/** A control group, so that what systemd-nspawn makes in it can be removed with it. */
function makeGroup(name: string): string | undefined {
  const mounted = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .find((line) => line.split(' ')[2] === 'cgroup2')
  const root = mounted?.split(' ')[1]
  if (root === undefined) return undefined
  try {
    mkdirSync(join(root, name))
    return join(root, name)
  } catch {
    return undefined // Read-only here.
  }
}

async function removeGroup(group: string): Promise<void> {
  for (let tries = 0; tries < 50; tries++) {
    try {
      for (const entry of readdirSync(group, { withFileTypes: true }).filter((each) => each.isDirectory()))
        await removeGroup(join(group, entry.name))
      rmdirSync(group)
      return
    } catch {
      await delay(50) // The last processes are still being swept up.
    }
  }
}
