/**
 * A Debian that does not run, to install packages in: a copy of an unused one, in which programs run without systemd
 * and without a network. It vanishes with its process.
 */
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { type DebianName, rootWith } from './debian-root.ts'
import { netnsUnavailable, type Outcome } from './netns.ts'

/** For `{ skip }`: why there can be none here, or `false`. */
export function chrootUnavailable(): string | false {
  if (process.getuid?.() !== 0) return 'a Debian of its own takes root'
  const missing = ['debootstrap', 'unshare', 'nsenter', 'dpkg-deb'].filter(
    (program) => spawnSync('which', [program]).status !== 0,
  )
  return missing.length === 0 ? netnsUnavailable() : `not installed: ${missing.join(', ')}`
}

export class ChrootedDebian {
  readonly #holder: ChildProcessByStdio<Writable, Readable, null>
  readonly #folder: string

  static async open(debian: DebianName): Promise<ChrootedDebian> {
    const base = rootWith(debian, [])
    const folder = mkdtempSync(join(tmpdir(), 'ghostport-debian-'))
    for (const name of ['upper', 'work', 'root', 'given']) mkdirSync(join(folder, name))
    const script = [
      'mount --make-rprivate /',
      `mount -t overlay overlay -o lowerdir=${base},upperdir=${folder}/upper,workdir=${folder}/work ${folder}/root || {`,
      // An overlay on an overlay is impossible: a copy takes a few seconds.
      `  cp -a --reflink=auto ${base}/. ${folder}/root; }`,
      `cd ${folder}/root`,
      'mount -t proc proc proc && mount --rbind /dev dev',
      `mkdir -p given && mount --bind ${folder}/given given`,
      // It vanishes anyway: dpkg need not wait for the disk.
      'echo force-unsafe-io > etc/dpkg/dpkg.cfg.d/test',
      'echo ready && exec cat',
    ].join('\n')
    const alone = ['--mount', '--pid', '--net', '--fork', '--kill-child']
    const holder = spawn('unshare', [...alone, 'sh', '-ec', script], { stdio: ['pipe', 'pipe', 'inherit'] })
    await Promise.race([
      once(holder.stdout, 'data'),
      once(holder, 'exit').then(() => Promise.reject(new Error('no Debian to install in'))),
    ])
    return new ChrootedDebian(holder, folder)
  }

  private constructor(holder: ChildProcessByStdio<Writable, Readable, null>, folder: string) {
    this.#holder = holder
    this.#folder = folder
  }

  /** @returns the path of a copy of the file, inside. */
  give(file: string): string {
    copyFileSync(file, join(this.#folder, 'given', basename(file)))
    return `/given/${basename(file)}`
  }

  /** A command of root. @param environment besides the usual one. */
  run(command: string, environment: Readonly<Record<string, string>> = {}): Outcome {
    const child = spawnSync('cat', [`/proc/${this.#holder.pid}/task/${this.#holder.pid}/children`], {
      encoding: 'utf8',
    })
    const inside = child.stdout.trim()
    const root = join(this.#folder, 'root')
    const argv = ['-t', inside, '--mount', '--pid', '--net', '--', 'chroot', root, '/bin/sh', '-c', command]
    const env = {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/root',
      LC_ALL: 'C.UTF-8',
      DEBIAN_FRONTEND: 'noninteractive',
      ...environment,
    }
    const { status, stdout, stderr } = spawnSync('nsenter', argv, { encoding: 'utf8', timeout: 120_000, env })
    return { status, stdout, stderr }
  }

  /** @throws Error with the output, if it does not succeed. */
  must(command: string, environment?: Readonly<Record<string, string>>): string {
    const { status, stdout, stderr } = this.run(command, environment)
    if (status !== 0) throw new Error(`# ${command}\nstatus ${status}\n${stdout}${stderr}`)
    return stdout + stderr
  }

  async close(): Promise<void> {
    const ended = once(this.#holder, 'exit')
    this.#holder.kill('SIGKILL')
    await ended
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
