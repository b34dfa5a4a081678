/** The roots of unused Debians, made with debootstrap and kept in {@link CACHE}. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

export type DebianName = 'bookworm' | 'trixie'

const CACHE = '/var/cache/ghostport-host-lab'
const MIRROR = 'http://deb.debian.org/debian'
/** What a server has; ufw is installed and off, as Debian leaves it. */
const PACKAGES = 'systemd,systemd-sysv,dbus,iproute2,nftables,openssh-server,iptables,ufw'
/** The version for Debian 12 and 13, from npm's own registry: Debian's package of it needs three hundred others. */
const NPM = '9.2.0'

/** Runs to its end, outside the machine. @throws AssertionError with its output. */
export function must(argv: readonly [string, ...string[]], cwd = '/'): string {
  const [program, ...args] = argv
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    ...{ cwd, encoding: 'utf8', maxBuffer: 64 << 20 },
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  })
  assert.equal(
    status,
    0,
    `${argv.join(' ')}\n${(stderr || (error?.message ?? '')).slice(-4000)}${stdout?.slice(-4000)}`,
  )
  return stdout
}

/** Packages of Debian besides {@link PACKAGES}. */
export type MorePackage =
  | 'apache2'
  | 'busybox-static'
  | 'caddy'
  | 'docker-cli'
  | 'docker.io'
  | 'etcd-client'
  | 'etcd-server'
  | 'firewalld'
  | 'fwknop-client'
  | 'fwknop-server'
  | 'gnupg'
  | 'nginx'
  | 'openssl'

/** The root with more packages: made from that of {@link baseRoot}, in half a minute. */
export function rootWith(debian: DebianName, packages: readonly MorePackage[]): string {
  const plain = baseRoot(debian)
  if (packages.length === 0) return plain
  const root = join(CACHE, `${debian}-2-${packages.join('-')}`)
  if (existsSync(root)) return root
  const making = mkdtempSync(join(CACHE, 'making-'))
  try {
    must(['cp', '-a', '--reflink=auto', `${plain}/.`, making])
    copyFileSync('/etc/resolv.conf', join(making, 'etc/resolv.conf'))
    must(['chroot', making, 'apt-get', 'update', '-q'])
    const install = ['apt-get', 'install', '-y', '-q', '--no-install-recommends']
    must(['chroot', making, 'env', 'DEBIAN_FRONTEND=noninteractive', ...install, ...packages])
    rmSync(join(making, 'var/cache/apt/archives'), { recursive: true, force: true })
    try {
      renameSync(making, root)
    } catch (error) {
      if (!existsSync(root)) throw error
    }
  } finally {
    rmSync(making, { recursive: true, force: true })
  }
  return root
}

/** The root of an unused Debian: made at the first call, which takes a minute. */
function baseRoot(debian: DebianName): string {
  const base = join(CACHE, `${debian}-2`)
  if (existsSync(base)) return base
  mkdirSync(CACHE, { recursive: true })
  const making = mkdtempSync(join(CACHE, 'making-'))
  try {
    chmodSync(making, 0o755)
    must(['debootstrap', '--variant=minbase', `--include=${PACKAGES}`, debian, making, MIRROR])
    const modules = join(making, 'usr/local/lib/node_modules/npm')
    mkdirSync(modules, { recursive: true })
    // The pinned Node.js comes without npm; this machine's own fetches it.
    const [archive = ''] = must(['npm', 'pack', '--silent', '--pack-destination', making, `npm@${NPM}`])
      .trim()
      .split('\n')
      .slice(-1)
    must(['tar', '-xzf', join(making, archive), '--strip-components=1', '--no-same-owner', '-C', modules])
    rmSync(join(making, archive))
    symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(making, 'usr/local/bin/npm'))
    rmSync(join(making, 'var/cache/apt/archives'), { recursive: true, force: true })
    try {
      renameSync(making, base)
    } catch (error) {
      // Another test made it meanwhile.
      if (!existsSync(base)) throw error
    }
  } finally {
    rmSync(making, { recursive: true, force: true })
  }
  return base
}
