// The Debian packages that the story and the tests use. As root, the missing ones are installed; any other user gets a
// list of them. No service is started: a demonstration of closed ports must not open a port on the user's machine.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { outputOf, resultOf, run, say } from './terminal.mjs'

/** What `npm start` uses. */
export const storyPackages = [
  'apache2-bin', // the web server, without the service that the package apache2 would add
  'curl',
  'iproute2',
  'ndiff',
  'nftables',
  'nmap',
  'openssh-client',
  'openssh-server',
  'socat',
  'util-linux',
]

/** What `npm test` uses besides. */
export const testPackages = [
  ...storyPackages,
  'apparmor', // reads our profile
  'binutils', // with binutils-aarch64-linux-gnu: strips the Node.js of the Debian packages
  'binutils-aarch64-linux-gnu',
  'chromium',
  'conntrack',
  'debian-archive-keyring',
  'debootstrap', // with systemd-container: a whole Debian that boots (test/host)
  'etcd-client',
  'etcd-server', // what a cluster shares
  'fwknop-client',
  'fwknop-server',
  'fish', // with zsh: shells that complete our options
  'gnupg',
  'iptables',
  'libfaketime', // sets the clock of programs on test hosts
  'lintian', // judges the Debian packages
  'mandoc', // reads our man pages
  'openssl', // makes the certificates of tests
  'procps',
  'prometheus', // promtool reads our metrics, and tries our alerts
  'squid',
  'strace', // makes their disks slow
  'sudo',
  'systemd-container',
  'tinyproxy-bin', // a proxy, without the service that the package tinyproxy would add
  'w3m', // a text browser, for the forms of the gateway
  'zbar-tools', // reads QR codes
  'zsh',
]

/** Packages whose installation would start a daemon, with the name of its service. */
/** @type {Readonly<Record<string, string>>} */
const services = {
  apparmor: 'apparmor',
  'openssh-server': 'ssh',
  'fwknop-server': 'fwknop-server',
  squid: 'squid',
  prometheus: 'prometheus',
  'etcd-server': 'etcd',
}

export const isRoot = process.getuid?.() === 0

/**
 * Which of `packages` are not installed; `undefined` on a system without dpkg.
 *
 * @param {readonly string[]} packages
 */
export async function missingPackages(packages) {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
  const listed = await outputOf('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n', ...packages])
  if (listed === undefined) return undefined
  const installed = new Set()
  for (const line of listed.split('\n')) {
    const [name, status] = line.split(' ')
    if (status === 'installed') installed.add(name)
  }
  return packages.filter((name) => !installed.has(name))
}

/**
 * Refreshes apt's lists and asks it whether `packages` could be installed; installs nothing.
 *
 * @param {readonly string[]} packages
 * @returns {Promise<string | undefined>} why they could not, in apt's words
 */
export async function obstacleToPackages(packages) {
  // A failure here need not be one of the install: the existing lists may be enough.
  await apt('update').catch((error) => say(`set-up: ${error.message}; trying with the lists that are here`))
  const rehearsal = await resultOf('apt-get', ['-q', '--simulate', 'install', ...INSTALL_OPTIONS, ...packages], {
    env: environment(),
  })
  if (rehearsal === undefined) return 'there is no apt-get'
  return rehearsal.status === 0 ? undefined : `apt-get cannot install ${packages.join(', ')}:\n${rehearsal.text.trim()}`
}

/**
 * Installs `packages`, of which {@link obstacleToPackages} knew no obstacle.
 *
 * @param {readonly string[]} packages
 */
export async function installPackages(packages) {
  const started = packages.flatMap((name) => services[name] ?? [])
  const allowServices = forbidServices(started)
  try {
    await apt('install', '-y', ...INSTALL_OPTIONS, '-o', 'Dpkg::Use-Pty=0', ...packages)
  } finally {
    allowServices()
  }
  // Debian also enables a service that it would have started; at the next boot it would run after all.
  if (started.length > 0 && existsSync('/run/systemd/system'))
    await run('systemctl', ['--quiet', 'disable', ...started])
}

const INSTALL_OPTIONS = ['--no-install-recommends']

/**
 * Another apt may be at work (unattended upgrades): waits for it rather than fail.
 *
 * @param {readonly string[]} args
 */
function apt(...args) {
  return run('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=300', ...args], { env: environment() })
}

function environment() {
  return { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' }
}

const policyFile = '/usr/sbin/policy-rc.d'
const policyMark = '# made by the set-up of ghostport, for the length of one apt-get install'

/**
 * Debian asks this file before a maintainer script starts a service. Gives the function that takes it away again.
 *
 * @param {readonly string[]} names the services
 */
function forbidServices(names) {
  // A policy of the administrator stays. One of ours is left over from a set-up that was killed, and nothing holds its
  // lock.
  const standing = existsSync(policyFile) ? readFileSync(policyFile, 'utf8') : undefined
  if (names.length === 0 || (standing !== undefined && !standing.includes(policyMark))) return () => {}
  const pattern = names.flatMap((name) => [name, `${name}.service`, `${name}.socket`]).join('|')
  writeFileSync(policyFile, `#!/bin/sh\n${policyMark}\ncase "$1" in ${pattern}) exit 101 ;; esac\nexit 0\n`, {
    mode: 0o755,
  })
  const remove = () => rmSync(policyFile, { force: true })
  process.once('exit', remove)
  return () => {
    process.removeListener('exit', remove)
    remove()
  }
}
