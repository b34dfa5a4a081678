/**
 * The documentation of the library: each exported function describes its parameters and results, and each example
 * works.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { failureKinds } from '../../src/failure-codes.ts'
import { codesIn, type ExportedFunction, examples, exportedFunctions, source } from './documented.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'ghostport-examples-'))
after(() => rmSync(folder, { recursive: true }))
writeFileSync(join(folder, 'package.json'), '{"type":"module"}')

const entries = { ghostport: 'index.ts', 'ghostport/packet': 'packet.ts' } as const
const functions: readonly ExportedFunction[] = Object.values(entries).flatMap(exportedFunctions)

describe('an exported function', () => {
  test('is found by this test', async () => {
    const exported = await Promise.all(Object.values(entries).map((file) => import(new URL(file, source).href)))
    // A class is a function too; its static methods are documented beside them.
    const names = exported.flatMap((module: object) =>
      Object.entries(module).flatMap(([name, value]) =>
        typeof value === 'function' && !/^class\b/.test(String(value)) ? [name] : [],
      ),
    )
    assert.deepEqual([...new Set(functions.map(({ name }) => name))].sort(), [...new Set(names)].sort())
  })

  for (const { name, file, signature, parameters, docs } of new Map(functions.map((it) => [it.name, it])).values())
    test(`${name} (${file}) has parameters, result and example in its docstring`, () => {
      const described = [...docs.matchAll(/^@param (\w+) \S/gm)]
      assert.equal(described.length, parameters, `@param for each parameter of ${signature}`)
      const [returns] = /^@returns [\s\S]*?(?=^@|$(?![\s\S]))/m.exec(docs) ?? []
      assert.ok(returns !== undefined, '@returns')
      assert.match(docs, /^@example/m)

      const told = codesIn(returns).filter((code) => code.includes('_') || code === 'ABORTED')
      assert.deepEqual(
        told.filter((code) => !Object.hasOwn(failureKinds, code)),
        [],
        'codes that are none',
      )
      const declared = [...signature.matchAll(/'([A-Z]+(?:_[A-Z]+)+)'/g)].map(([, code = '']) => code)
      assert.deepEqual(
        declared.filter((code) => !told.includes(code)),
        [],
        '@returns with each code',
      )
      if (/Result</.test(signature)) assert.ok(told.length > 0, '@returns with the codes')
    })
})

describe('an example', () => {
  const all = examples()
  /** As a file of its own. @param place of each entry point. */
  const write = (name: string, code: string, place: (file: string) => string): string => {
    const path = join(folder, name)
    const placed = Object.entries(entries).reduce(
      (text, [entry, file]) => text.replaceAll(`'${entry}'`, place(file)),
      code,
    )
    writeFileSync(path, placed)
    return path
  }

  for (const [i, { file, code }] of all.entries())
    test(`in ${file} is true (${i + 1} of ${all.length})`, async () => {
      const said = [...code.matchAll(/^ *console\.log\(.*\) \/\/ (.*)$/gm)].map(([, text]) => text)
      assert.ok(said.length > 0, 'an example that shows nothing')
      const log: unknown[] = []
      const globals = globalThis as { exampleLog?: unknown[] }
      globals.exampleLog = log
      const redirected = `const console = { log: (value: unknown) => (globalThis as any).exampleLog.push(value) }\n${code}`
      const path = write(`run-${i}.ts`, redirected, (entry) => JSON.stringify(new URL(entry, source).href))
      await import(pathToFileURL(path).href)
      delete globals.exampleLog
      assert.deepEqual(log.map(String), said)
    })

  test('passes the type checker, as do those of the pages', () => {
    const pages = ['README.md', 'docs/CLIENT.md'].flatMap((page) =>
      [...readFileSync(join(root, page), 'utf8').matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code = '']) => code),
    )
    assert.ok(pages.length >= 2)
    const codes = [...all.map(({ code }) => code), ...pages]
    const files = codes.map((code, i) =>
      write(`check-${i}.ts`, `${code}\nexport {}\n`, (entry) => `'${join(root, 'src', entry)}'`),
    )
    const config = join(folder, 'tsconfig.json')
    const typeRoots = [join(root, 'node_modules', '@types')]
    const compilerOptions = { typeRoots, rewriteRelativeImportExtensions: false }
    writeFileSync(config, JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions, files, include: [] }))
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
    const ran = spawnSync(process.execPath, [tsc, '-p', config], { encoding: 'utf8' })
    assert.equal(ran.stdout, '')
    assert.equal(ran.status, 0, ran.stderr)
  })
})

test('the library exports no more by name than is documented here', async () => {
  assert.deepEqual(Object.keys(await import('../../src/packet.ts')).sort(), [
    'DIGEST_TYPES',
    'ENCRYPTION_MODES',
    'EncryptionKey',
    'HmacKey',
    'MAX_USERNAME_LENGTH',
    'MAX_WIRE_LENGTH',
    'MIN_GPG_LENGTH',
    'MIN_WIRE_LENGTH',
    'PROTOCOL_VERSION',
    'RECEIPT_LENGTH',
    'acceptUnauthenticated',
    'authenticate',
    'authenticatePacket',
    'decrypt',
    'encodeHttpRequest',
    'familyOf',
    'formatProtocolPorts',
    'isHostName',
    'openPacket',
    'openReceipt',
    'parseAddress',
    'parseDigestType',
    'parseEncryptionMode',
    'parseEnvelope',
    'parseFields',
    'parseHostName',
    'parseHttpRequest',
    'parseKeyBase64',
    'parseKeyText',
    'parseMessage',
    'parseNatHost',
    'parsePort',
    'parseProtocolPort',
    'parseProtocolPorts',
    'parseProtocolVersion',
    'parseUsername',
    'port',
    'readPlaintext',
    'sameKey',
    'sealPacket',
    'seconds',
    'strictnessRules',
    'unixSeconds',
  ])
})
