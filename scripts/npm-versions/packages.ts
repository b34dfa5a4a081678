/** The Node.js and npm versions for tests of the set-up, from the npm registry. Each is pinned by its hash. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What a machine may have before the set-up. */
export interface Machine {
  /** For the command line and for messages. */
  readonly name: string
  readonly node: keyof typeof NODES
  readonly npm: keyof typeof NPMS
}

/** Subresource integrity, as in a lockfile. */
type Integrity = `sha512-${string}`

const NODES = {
  '18.20.4': {
    x64: 'sha512-R0uJgrj1mEU6h0NiypqrDenjo1w/viS/QKwB4zZCosvu/Z7ZRJU+4VVgnVy2t82qgkRVN8ZsBDImbkBI3czUrQ==',
    arm64: 'sha512-Ktu694ksUXFRJkjKVDWu0+36uZ8/86p06Yx/vPBB2apZQl/bUhHZO4KRJikGquIb9S40modl7SkPy0yHgix0/Q==',
  },
  '20.19.0': {
    x64: 'sha512-HzVYgEgabV/n3nP2F9mcxS0Nxgg99jynX9CMovakLmSYTuTdQRbbtw0yadY8+qKcqXfiDAtb2hmtR7nDPzclGA==',
    arm64: 'sha512-kT7jX7frbsrMrXMsBaFt3Th1SWs5VjxTzd0U8vxcmdCFkaqeu5hFK0+QoYfIo5drmr3DmwJfLtO2gnD/7hNE/Q==',
  },
  '22.23.3': {
    x64: 'sha512-qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==',
    arm64: 'sha512-l3DAHZreylo+p9QXDtsOrjG2JXJqVzYXnAGmIQNOUNARcMppTO2cmewVQP+36tjJnSE+dzpMNtgW+c3oiDvXtA==',
  },
} as const satisfies Record<string, { readonly x64: Integrity; readonly arm64: Integrity }>

const NPMS = {
  '9.2.0': 'sha512-oypVdaWGHDuV79RXLvp+B9gh6gDyAmoHKrQ0/JBYTWWx5D8/+AAxFdZC84fSIiyDdyW4qfrSyYGKhekxDOaMXQ==',
  '10.9.9': 'sha512-1g+6jLQvaIuB4zwvHL7yrXuXcWZwDsCtBX8bbWDqbvJSSr9nPiDDWTHNgwXR27iIcTTW7v3A57hDW9RYv2W4Yg==',
  '11.21.2': 'sha512-7HPApk+AflMUavSseL1Pm6CnYqMIHk53x+KmuhqmTDqPkjPMgxIpTPcTqsE91EKNw4gFBJV9fnXiSdGm1DXq9A==',
} as const satisfies Record<string, Integrity>

export const machines: readonly [Machine, ...Machine[]] = [
  { name: 'debian-12', node: '18.20.4', npm: '9.2.0' },
  { name: 'debian-13', node: '20.19.0', npm: '9.2.0' },
  { name: 'npm-10', node: '20.19.0', npm: '10.9.9' },
  { name: 'npm-11', node: '22.23.3', npm: '11.21.2' },
]

/** The two programs of a machine, unpacked below a folder. */
export interface Programs {
  readonly node: string
  readonly npmCli: string
}

/**
 * Fetches and unpacks the Node.js and npm of `machine` below `folder`.
 *
 * @throws Error if the registry does not answer, or the package has another hash
 */
export function fetchPrograms(machine: Machine, folder: string): Programs {
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64'
  const node = unpack(`node-linux-${arch}@${machine.node}`, NODES[machine.node][arch], join(folder, 'node'))
  const npm = unpack(`npm@${machine.npm}`, NPMS[machine.npm], join(folder, 'npm'))
  return { node: join(node, 'bin', 'node'), npmCli: join(npm, 'bin', 'npm-cli.js') }
}

function unpack(name: string, integrity: Integrity, folder: string): string {
  mkdirSync(folder, { recursive: true })
  const packed = run('npm', ['pack', '--silent', '--pack-destination', folder, name], folder)
  const tarball = readFileSync(join(folder, packed.trim()))
  const found = `sha512-${createHash('sha512').update(tarball).digest('base64')}`
  if (found !== integrity) throw new Error(`${name} has the hash ${found}, not ${integrity}`)
  run('tar', ['-xzf', packed.trim()], folder)
  return join(folder, 'package')
}

function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr}`)
  return stdout
}
