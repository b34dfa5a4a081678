/**
 * The files that a program loads, because loading is part of the time from its start to its packet. It loads one file
 * beside that of the command line, nothing native, nothing of other programs, and only the needed modules of Node.
 * Counted and not timed: a time says more about the machine than about the program.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { after, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { compilePackage } from '../support/compiled.ts'

const PRINT_LOADED = `import { registerHooks } from 'node:module'
import { writeSync } from 'node:fs'
registerHooks({ load(url, context, next) { writeSync(2, url + '\\n'); return next(url, context) } })`

const compiled = compilePackage()
after(() => compiled[Symbol.dispose]())

/** @returns the URLs of the modules that a command loads. */
function loadedBy(argv: readonly string[], expected = 0): readonly string[] {
  const [node, program] = compiled.command
  const hook = `data:text/javascript,${encodeURIComponent(PRINT_LOADED)}`
  const { status, stderr } = spawnSync(node, ['--import', hook, program, ...argv], { encoding: 'utf8' })
  assert.equal(status, expected, stderr)
  return stderr.split('\n').filter((line) => /^(file|node):/.test(line))
}

const ofNode = (urls: readonly string[]) => urls.filter((url) => url.startsWith('node:'))
const ofOurs = (urls: readonly string[]) =>
  urls.filter((url) => url.startsWith('file:')).map((url) => relative(compiled.folder, fileURLToPath(url)))
/** The source files of a program: the bundler lists each. */
const sourcesOf = (program: string): readonly string[] => {
  const text = readFileSync(`${compiled.folder}/${program}`, 'utf8')
  return [...text.matchAll(/^ *\/\/ (src\/\S+\.ts)$/gm)].map(([, file = '']) => file)
}

/** An import of a package at the head of a file fails, or costs time, before anything runs. */
const NEEDS_PACKAGES = /^import .* from "(?!node:)|\bimport\("(?!node:)/m

const KNOCK = [
  'knock',
  '-D',
  '127.0.0.1',
  '-A',
  'tcp/22',
  '-s',
  '--no-rc-file',
  '--key-rijndael',
  'a',
  '--key-hmac',
  'b',
]

it('a knock is two files, with nothing native and nothing of the server in them', () => {
  const loaded = loadedBy(KNOCK)
  assert.deepEqual(ofOurs(loaded), ['dist/cli/ghostport.js', 'dist/cli/knock.js'])
  assert.deepEqual(
    ofNode(loaded).filter((url) => /^node:(net|dns|child_process|http|sqlite|worker_threads)/.test(url)),
    [],
  )
  const sources = [...sourcesOf('dist/cli/ghostport.js'), ...sourcesOf('dist/cli/knock.js')]
  assert.ok(sources.includes('src/packet/seal.ts'), String(sources))
  assert.deepEqual(
    sources.filter((file) => /^src\/(daemon|firewall|capture|replay|access)\//.test(file)),
    [],
  )
})

it('fwknop is two files for a knock, with nothing native and nothing of the server in them', () => {
  const [node, ghostport] = compiled.command
  const hook = `data:text/javascript,${encodeURIComponent(PRINT_LOADED)}`
  const program = ghostport.replace(/ghostport\.js$/, 'fwknop.js')
  const words = [...KNOCK.slice(1), '--no-save-args', '--no-home-dir']
  const { status, stderr } = spawnSync(node, ['--import', hook, program, ...words], { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  const loaded = stderr.split('\n').filter((line) => /^(file|node):/.test(line))
  assert.deepEqual(ofOurs(loaded), ['dist/cli/fwknop.js', 'dist/cli/fwknop-main.js'])
  assert.deepEqual(
    ofNode(loaded).filter((url) => /^node:(net|dns|child_process|http|sqlite|worker_threads)/.test(url)),
    [],
  )
  const sources = [...sourcesOf('dist/cli/fwknop.js'), ...sourcesOf('dist/cli/fwknop-main.js')]
  assert.deepEqual(
    sources.filter((file) => /^src\/(daemon|firewall|capture|replay)\//.test(file)),
    [],
  )
})

it('what a command has in common with the starter, of which each has a copy, needs no identity and keeps no state', () => {
  const starter = new Set(sourcesOf('dist/cli/ghostport.js'))
  for (const program of ['knock', 'ssh', 'proxy', 'exec', 'keygen', 'serve', 'unit', 'status', 'help', 'version'])
    for (const file of sourcesOf(`dist/cli/${program}.js`).filter((source) => starter.has(source)))
      assert.doesNotMatch(
        readFileSync(join(import.meta.dirname, '../..', file), 'utf8'),
        /^export (default )?(abstract )?class |^(export )?let |\bSymbol\(|new Weak(Map|Set)/m,
        `${file}, in ${program}`,
      )
})

it('the server is two files, and koffi where that is needed', () => {
  const nowhere = ['serve', '--exit-parse-config', '-c', `${compiled.folder}/none.conf`]
  const loaded = ofOurs(loadedBy(nowhere, 66))
  assert.deepEqual(
    loaded.filter((file) => !file.includes('koffi')),
    ['dist/cli/ghostport.js', 'dist/cli/serve.js'],
  )
  const text = readFileSync(`${compiled.folder}/dist/cli/serve.js`, 'utf8')
  assert.doesNotMatch(text, NEEDS_PACKAGES)
})

it('the package that makes QR codes is loaded for a QR code only', () => {
  const nowhere = ['-c', `${compiled.folder}/none.conf`]
  const loaded = ofOurs(loadedBy(['user', 'list', ...nowhere], 66))
  assert.deepEqual(
    loaded.filter((file) => /node_modules\/(?!koffi|@koromix)/.test(file)),
    [],
  )
  const text = readFileSync(`${compiled.folder}/dist/cli/user.js`, 'utf8')
  assert.match(text, /await import\("qr"\)/)
  assert.doesNotMatch(text, /^import .* from "qr"/m)
})

it('the receiver is one file, without firewall and replay store', () => {
  const text = readFileSync(`${compiled.folder}/dist/daemon/receiver.js`, 'utf8')
  assert.doesNotMatch(text, NEEDS_PACKAGES)
  assert.deepEqual(
    sourcesOf('dist/daemon/receiver.js').filter((file) => /^src\/(firewall|replay|client|cli)\//.test(file)),
    [],
  )
})

it('every program is ASCII: V8 would keep two bytes for each character of another', () => {
  for (const folder of ['dist/cli', 'dist/daemon'])
    for (const name of readdirSync(`${compiled.folder}/${folder}`).filter((file) => file.endsWith('.js')))
      assert.doesNotMatch(
        readFileSync(`${compiled.folder}/${folder}/${name}`, 'utf8'),
        /[^\0-\x7f]/,
        `${folder}/${name}`,
      )
})
