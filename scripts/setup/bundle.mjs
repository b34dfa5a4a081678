// The programs of the package, each as one file: every file that a process loads costs it a quarter of a millisecond.
// The bundles are the starter of each command line (dist/cli/ghostport.js, …), each command that it imports when needed
// (dist/cli/knock.js, …), and the programs that the warden starts (dist/daemon/receiver.js,
// dist/daemon/executor.js). They share no file, so a
// process reads one or two. So code must not compare classes of values that pass between starter and command: each has
// a copy of the class (test/cli/start.test.ts). Names are kept, so that a stack trace stays readable. The compiler
// makes the library that package.json exports, which is not bundled.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { clone } from './clone.mjs'
import { requirePlatformPackage } from './npm.mjs'

/** @import { BuildOptions, Plugin } from 'esbuild' */

/** The programs of package.json, what they start in the background, and that of the Debian package for clients. */
const STARTERS = ['ghostport', 'ghostport-client', 'fwknop', 'fwknopd', 'fwknopd-background', 'gpgdir', 'visitors']
/** The program that the warden starts. */
const RECEIVER = 'src/daemon/receiver/program.ts'
/** The program that it starts where commands are configured. */
const EXECUTOR = 'src/daemon/executor/program.ts'
/** The program that the executor starts where a webhook is configured. */
const SENDER = 'src/daemon/sender/program.ts'
const CLUSTER = 'src/daemon/cluster/program.ts'
/** The program that talks to etcd for `ghostport cluster`. */
const ERRAND = 'src/daemon/cluster/errand.ts'
/** The program that it starts where GnuPG is configured. */
const GNUPG = 'src/daemon/gnupg/program.ts'
/** The program that `ghostport policy audit` asks the kernel with. */
const PROBER = 'src/host/audit/prober.ts'
/** Older Node.js versions must be able to load the starter, to report that they are too old. */
const NODE = 'node22.13'
const ANY_NODE = 'node18'

/**
 * Writes the programs below `folder`, which is to become dist/.
 *
 * @param {string} folder
 */
export async function bundlePrograms(folder) {
  const { build } = await loadEsbuild()
  /** @type {Set<string>} */
  const commands = new Set()
  /** @type {(source: string, target: string, more?: BuildOptions) => Promise<unknown>} */
  const program = async (source, target, more) => {
    await build({
      absWorkingDir: clone,
      entryPoints: [source],
      outfile: join(folder, target),
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: NODE,
      conditions: ['ghostport-source'],
      // koffi, and everything else that stays an npm package: found from dist/ as from src/.
      packages: 'external',
      logLevel: 'warning',
      plugins: [partsWithin(), outsideWhenNeeded((module) => `process.getBuiltinModule('${module}')`)],
      ...more,
    })
    escapeAll(join(folder, target))
  }
  const inAnyNode = (/** @type {string} */ module) =>
    `process.getBuiltinModule?.('${module}') ?? (await import('${module}')).default`
  for (const starter of STARTERS)
    await program(`src/cli/${starter}.ts`, `cli/${starter}.js`, {
      target: ANY_NODE,
      plugins: [commandsApart(commands), outsideWhenNeeded(inAnyNode)],
    })
  await Promise.all([
    ...[...commands].map((source) => program(source, `cli/${basename(source, '.ts')}.js`)),
    program(RECEIVER, 'daemon/receiver.js'),
    program(EXECUTOR, 'daemon/executor.js'),
    program(SENDER, 'daemon/sender.js'),
    program(CLUSTER, 'daemon/cluster.js'),
    program(ERRAND, 'daemon/errand.js'),
    program(GNUPG, 'daemon/gnupg.js'),
    program(PROBER, 'daemon/prober.js'),
  ])
}

/**
 * V8 keeps the text of a program in memory: one byte for each character, or two if a single one needs them. esbuild
 * escapes those of strings, and not those of regular expressions and comments.
 *
 * @param {string} file
 */
function escapeAll(file) {
  const text = readFileSync(file, 'utf8')
  const escaped = text.replace(/[^\0-\x7f]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`)
  writeFileSync(file, escaped)
}

/**
 * The packet library for a page that has no bundler of its own: one module, nothing to resolve.
 *
 * @param {string} folder
 */
export async function bundleForBrowsers(folder) {
  const { build } = await loadEsbuild()
  await build({
    absWorkingDir: clone,
    entryPoints: ['src/packet.ts'],
    outfile: join(folder, 'packet.browser.js'),
    bundle: true,
    format: 'esm',
    platform: 'browser',
    conditions: ['ghostport-source', 'browser'],
    target: 'es2023',
    minify: true,
    legalComments: 'none',
    logLevel: 'warning',
  })
}

/**
 * Leaves out of the starter what it imports only when it is needed, and notes it in `found`: each is a program of its
 * own.
 *
 * @param {Set<string>} found
 * @returns {Plugin}
 */
function commandsApart(found) {
  return {
    name: 'commands-apart',
    setup({ onResolve }) {
      onResolve({ filter: /^\./ }, ({ kind, path, importer }) => {
        if (kind !== 'dynamic-import') return undefined
        const source = join(dirname(importer), path)
        found.add(source)
        return { path: `./${basename(source, '.ts')}.js`, external: true }
      })
    },
  }
}

/**
 * Puts a part of an npm package into the program, and its licence to the end of the file: of this one, the programs
 * need 25 kB in 4 files, and the package has 3 MB.
 *
 * @returns {Plugin}
 */
function partsWithin() {
  return {
    name: 'parts-within',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^@bufbuild\/protobuf\/wire$/ }, ({ path }) => ({
        path: fileURLToPath(import.meta.resolve(path)),
        sideEffects: false,
      }))
      onLoad({ filter: /\/node_modules\/@bufbuild\/protobuf\/.*\.js$/ }, ({ path }) => ({
        contents: readFileSync(path, 'utf8').replace(
          /^(?:\/\/.*\n)+/,
          (licence) => `/*! @bufbuild/protobuf\n${licence.replaceAll(/^\/\/ ?/gm, '')}*/\n`,
        ),
      }))
    },
  }
}

/**
 * A part of a program that is imported only when needed brings its modules of Node.js, and koffi, only then: for a
 * knock, net is there with --wait alone; a server without packet capture and nftables runs without koffi. A plain
 * `import` of them would be hoisted to the head of the bundle; and that of fs also loads all that fs loads only when
 * asked, such as streams.
 *
 * @param {(module: string) => string} builtin the expression for a module of Node.js
 * @returns {Plugin}
 */
function outsideWhenNeeded(builtin) {
  const imported = importedByName()
  return {
    name: 'outside-when-needed',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^(node:|koffi$)/ }, ({ kind, path }) =>
        kind === 'import-statement' && path !== 'node:module' ? { path, namespace: 'outside' } : undefined,
      )
      onLoad({ filter: /./, namespace: 'outside' }, ({ path }) => ({
        contents: [
          path.startsWith('node:')
            ? `const outside = ${builtin(path)}`
            : `import { createRequire } from 'node:module'; const outside = createRequire(import.meta.url)('${path}')`,
          'export default outside',
          ...[...(imported.get(path) ?? [])].map(
            (name) => `export const ${name} = /* @__PURE__ */ (() => outside.${name})()`,
          ),
        ].join('\n'),
        resolveDir: clone,
      }))
    },
  }
}

/** The names that the source imports from each module of Node.js. If one were missing here, the build would fail. */
function importedByName() {
  /** @type {Map<string, Set<string>>} */
  const found = new Map()
  for (const file of readdirSync(join(clone, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || file.endsWith('.test.ts')) continue
    const text = readFileSync(join(clone, 'src', file), 'utf8')
    for (const [, names = '', module = ''] of text.matchAll(/^import (?:\w+, )?\{([^}]*)\} from '(node:[^']+)'/gm)) {
      const known = found.get(module) ?? new Set()
      found.set(module, known)
      for (const name of names.split(',')) {
        const [plain = ''] = name.trim().split(' as ')
        if (/^\w+$/.test(plain)) known.add(plain)
      }
    }
  }
  return found
}

async function loadEsbuild() {
  requirePlatformPackage(`@esbuild/${process.platform}-${process.arch}`)
  return import('esbuild')
}
