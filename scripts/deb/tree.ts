/** The files of one Debian package, laid out in a folder as they will be installed. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { clientCommands } from '../../src/cli/client-commands.ts'
import { fillUnit, UNITS } from '../../src/cli/unit.ts'
import { writeDocuments } from '../documents/all.ts'
import { clone } from '../setup/clone.mjs'
import { copyright } from './copyright.ts'
import type { Kind, Processor } from './kinds.ts'
import { type Pinned, pinnedPackage } from './pinned.ts'

/** Where the program is once it is installed. */
export const HOME = '/usr/lib/ghostport'
/** Samples, templates, completions: what `packaging/` of the npm package has. */
/** Gateway and console are started by their administrator alone: no other command writes their units. */
const WEB_UNITS = ['ghostport-gateway.service', 'ghostport-console.service'] as const
const SHARE = 'usr/share/ghostport'

export interface Contents {
  readonly version: string
  readonly kind: Kind
  readonly processor: Processor
  /** Of all files, Unix seconds. */
  readonly epoch: number
}

/** What went into a tree, for people who want to build it again. */
export interface Origin {
  readonly what: string
  readonly sha256: string
}

/** Lays the files out in `root`, which is empty. Their modes, owners and times come later: normalise.ts. */
export async function layOut(root: string, contents: Contents): Promise<readonly Origin[]> {
  const { kind, processor } = contents
  const home = join(root, HOME)
  mkdirSync(home, { recursive: true })
  const node = await pinnedPackage('toolchain/package-lock.json', `node-linux-${processor.node}`)
  const koffi = await pinnedPackage('package-lock.json', 'koffi')
  const native = await pinnedPackage('package-lock.json', `@koromix/koffi-linux-${processor.node}`)
  const qr = await pinnedPackage('package-lock.json', 'qr')
  const origins = putNode(home, node, processor)
  putPrograms(home, kind, contents.version)
  putKoffi(home, koffi, native, processor)
  for (const file of ['package.json', 'index.js']) copy(join(qr.folder, file), join(home, 'node_modules/qr', file))
  for (const [path, program] of Object.entries(kind.starters)) put(root, path, starter(program), 0o755)
  await putDocuments(root, contents)
  putShare(root, kind)
  // The folder of the configuration. The files in it are the administrator's, and no file of this package.
  if (kind.hasServer) mkdirSync(join(root, 'etc/fwknop'), { recursive: true })
  put(
    root,
    `usr/share/doc/${kind.name}/copyright`,
    copyright(
      kind.hasServer,
      readFileSync(join(node.folder, 'LICENSE'), 'utf8'),
      readFileSync(join(koffi.folder, 'LICENSE.txt'), 'utf8'),
      readFileSync(join(qr.folder, 'LICENSE-MIT'), 'utf8'),
    ),
  )
  return [
    ...origins,
    ...[node, koffi, native, qr].map(({ name, version, integrity }) => ({
      what: `npm ${name}@${version}`,
      sha256: integrity,
    })),
  ]
}

function putNode(home: string, { name, version, folder }: Pinned, { strip }: Processor): readonly Origin[] {
  const source = join(folder, 'bin/node')
  const target = join(home, 'node')
  execFileSync(strip.program, ['--strip-unneeded', '--remove-section=.comment', '-o', target, source])
  chmodSync(target, 0o755)
  return [
    { what: `node of ${name}@${version}, as it was fetched`, sha256: sha256(source) },
    { what: 'node, stripped', sha256: sha256(target) },
  ]
}

/** The bundles: each program is one file, and loads one or two. The library for other programs is npm's. */
function putPrograms(home: string, kind: Kind, version: string): void {
  const dist = join(clone, 'dist')
  const programs = kind.hasServer
    ? readdirSync(join(dist, 'cli')).filter((file) => file !== 'ghostport-client.js')
    : neededBy(join(dist, 'cli'), Object.values(kind.starters))
  for (const file of programs) put(home, `dist/cli/${file}`, bundle(join(dist, 'cli', file)))
  for (const file of startedBy(programs.map((program) => join(dist, 'cli', program))))
    put(home, `dist/daemon/${file}`, bundle(join(dist, 'daemon', file)))
  // The page of the desktop; with a server, also the one that a gateway serves.
  const pages = kind.hasServer ? 'web' : 'web/ui'
  cpSync(join(dist, pages), join(home, 'dist', pages), { recursive: true })
  const { name, license, type, engines } = JSON.parse(readFileSync(join(clone, 'package.json'), 'utf8'))
  put(home, 'package.json', `${JSON.stringify({ name, version, license, type, engines }, undefined, 2)}\n`)
}

/** The other programs of the server, which a command or one of them starts: each names their files. */
function startedBy(commands: readonly string[]): readonly string[] {
  const found = new Set<string>()
  const all = [...commands]
  for (const file of all)
    for (const [, name = ''] of readFileSync(file, 'utf8').matchAll(
      /"(?:\.\.\/daemon|\.)\/([\w-]+\.js)", import\.meta\.url/g,
    )) {
      const program = join(clone, 'dist/daemon', name)
      if (found.has(name) || !existsSync(program)) continue
      found.add(name)
      all.push(program)
    }
  return [...found].sort()
}

/** A bundle runs with our Node.js alone: it has no line for `env node`. */
function bundle(file: string): string {
  return readFileSync(file, 'utf8').replace(/^#!.*\n/, '')
}

/** @returns the programs, and those that they import when needed; without the commands that the client has not. */
function neededBy(folder: string, programs: readonly string[]): readonly string[] {
  const found = new Set(programs)
  for (const file of found) {
    const text = readFileSync(join(folder, file), 'utf8')
    for (const [, name = ''] of text.matchAll(/\bimport\("\.\/([\w-]+\.js)"\)/g)) if (isOfClient(name)) found.add(name)
  }
  return [...found].sort()
}

/** Modules of commands that are not the client’s are named in its bundle, and never loaded. */
function isOfClient(file: string): boolean {
  const name = file.replace(/\.js$/, '')
  return Object.hasOwn(clientCommands, name) || PARTS.has(name)
}

/** What is loaded by itself and is not a command. */
const PARTS: ReadonlySet<string> = new Set(['help', 'knock-flags', 'last-resort', 'fwknop-main'])

/** koffi, with the native part for this processor and the GNU C library. */
function putKoffi(home: string, koffi: Pinned, native: Pinned, { node }: Processor): void {
  const modules = join(home, 'node_modules')
  for (const file of ['package.json', 'index.cjs', 'src/koffi/index.cjs', 'src/koffi/src/static.cjs'])
    copy(join(koffi.folder, file), join(modules, 'koffi', file))
  for (const file of ['package.json', 'index.js', `linux_${node}/koffi.node`])
    copy(join(native.folder, file), join(modules, native.name, file))
}

/**
 * A starter: always with the Node.js of the package. What users set for other Node.js programs, or for OpenSSL, could
 * change what runs, or open an inspector.
 */
function starter(program: string): string {
  return `#!/bin/sh
# Runs ${program.replace(/(-client)?\.js$/, '')} with the Node.js of this package and with no other. Variables for other programs of Node.js and
# OpenSSL have no effect here.
unset NODE_OPTIONS NODE_PATH NODE_DEBUG NODE_DEBUG_NATIVE NODE_V8_COVERAGE NODE_COMPILE_CACHE NODE_REDIRECT_WARNINGS \\
  NODE_TLS_REJECT_UNAUTHORIZED NODE_ICU_DATA OPENSSL_CONF OPENSSL_MODULES OPENSSL_ENGINES
exec ${HOME}/node ${HOME}/dist/cli/${program} "$@"
`
}

async function putDocuments(root: string, { kind, version, epoch }: Contents): Promise<void> {
  const documents = await writeDocuments(kind.hasServer ? {} : { commands: clientCommands, programs: OF_CLIENT })
  for (const [path, text] of documents) {
    const name = path.split('/').at(-1) ?? ''
    if (path.startsWith('packaging/man/')) put(root, `usr/share/man/man${name.at(-1)}/${name}.gz`, zip(text))
    else if (name.endsWith('.bash'))
      put(root, `usr/share/bash-completion/completions/${name.replace(/\.bash$/, '')}`, text)
    else if (name.endsWith('.fish')) put(root, `usr/share/fish/vendor_completions.d/${name}`, text)
    else put(root, `usr/share/zsh/vendor-completions/${name}`, text)
    // For “ghostport completions”.
    if (path.startsWith('packaging/completions/')) put(root, `${SHARE}/completions/${name}`, text)
  }
  const folder = `usr/share/doc/${kind.name}`
  for (const file of ['README.md', 'SECURITY.md']) copy(join(clone, file), join(root, folder, file))
  put(root, `${folder}/CHANGELOG.md.gz`, zip(readFileSync(join(clone, 'CHANGELOG.md'), 'utf8')))
  put(root, `${folder}/changelog.gz`, zip(debianChangelog(kind, version, epoch)))
  for (const file of readdirSync(join(clone, 'docs')).filter((name) => name.endsWith('.md')))
    copy(join(clone, 'docs', file), join(root, folder, 'docs', file))
  link(`../../share/doc/${kind.name}/docs`, join(root, HOME, 'docs'))
}

/** For Prometheus and Grafana. */
const MONITORING = ['prometheus/ghostport.rules.yml', 'grafana/ghostport.json']

const OF_CLIENT: ReadonlySet<string> = new Set(['ghostport', 'fwknop', 'gpgdir', 'visitors'])

function putShare(root: string, kind: Kind): void {
  link('../../share/ghostport', join(root, HOME, 'packaging'))
  const packaging = join(clone, 'packaging')
  const overrides = join(packaging, 'debian', `${kind.name}.lintian-overrides`)
  copy(overrides, join(root, 'usr/share/lintian/overrides', kind.name))
  if (!kind.hasServer) return
  for (const file of [
    'fwknopd.conf',
    'access.conf',
    'console-users.conf',
    ...UNITS,
    'fail2ban/fwknopd.conf',
    'apparmor/ghostport',
    ...MONITORING,
  ])
    copy(join(packaging, file), join(root, SHARE, file))
  for (const name of UNITS)
    put(root, `usr/lib/systemd/system/${name}`, unit(readFileSync(join(packaging, name), 'utf8')))
  for (const name of WEB_UNITS) {
    const ofPackage = readFileSync(join(packaging, name), 'utf8')
      .replaceAll('/usr/bin/node', `${HOME}/node`)
      .replaceAll('/usr/lib/node_modules/ghostport', HOME)
    copy(join(packaging, name), join(root, SHARE, name))
    put(root, `usr/lib/systemd/system/${name}`, ofPackage)
  }
  copy(join(packaging, 'debian/ghostport.sysusers'), join(root, 'usr/lib/sysusers.d/ghostport.conf'))
  copy(join(packaging, 'debian/ghostport.tmpfiles'), join(root, 'usr/lib/tmpfiles.d/ghostport.conf'))
}

/** What “ghostport unit” prints on a host with the package. */
function unit(template: string): string {
  const filled = fillUnit(template, {
    node: `${HOME}/node`,
    nodeOptions: [],
    home: HOME,
    entry: 'dist/cli/ghostport.js',
    settings: '/etc/fwknop/fwknopd.conf',
    stanzas: '/etc/fwknop/access.conf',
  })
  if (!filled.ok) throw new Error(filled.failure.detail)
  return filled.value
}

/** In the form that Debian’s tools read; the text for people is CHANGELOG.md. */
function debianChangelog({ name }: Kind, version: string, epoch: number): string {
  const date = new Date(epoch * 1000).toUTCString().replace('GMT', '+0000')
  return `${name} (${version}) unstable; urgency=medium\n\n  * See CHANGELOG.md.gz in this folder.\n\n -- ${MAINTAINER}  ${date}\n`
}

/** SECURITY.md says how to reach them. `.invalid` is no address: there is no public one yet. */
export const MAINTAINER = 'The ghostport maintainers <maintainers@ghostport.invalid>'

function put(root: string, path: string, content: string | Uint8Array, mode = 0o644): void {
  const file = join(root, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content, { mode })
  chmodSync(file, mode)
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true })
  cpSync(from, to)
  chmodSync(to, 0o644)
}

function link(target: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(target, path)
}

/** By gzip itself: the bytes that zlib makes depend on the processor and on the version of Node.js. */
function zip(text: string): Uint8Array {
  return execFileSync('gzip', ['-9n'], { input: text })
}

function sha256(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}
