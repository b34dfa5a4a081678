import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

/** The examples in the documentation of the library, run as they stand: `console.log(x) // y` says that x is y. */
interface Example {
  readonly file: string
  readonly code: string
}

const source = new URL('../../src/', import.meta.url)
const examples: readonly Example[] = globSync(['packet.ts', 'packet/*.ts'], { cwd: source }).flatMap((file) => {
  const text = readFileSync(new URL(file, source), 'utf8')
  return [...text.matchAll(/^ \* @example.*\n \* ```ts\n((?: \*.*\n)*?) \* ```$/gm)].map(([, lines = '']) => ({
    file,
    code: lines.replaceAll(/^ \* ?/gm, ''),
  }))
})

test('there are examples', () => assert.ok(examples.length >= 5))

for (const [i, { file, code }] of examples.entries()) {
  test(`example ${i + 1}, in ${file}`, async () => {
    const said = [...code.matchAll(/^ *console\.log\(.*\) \/\/ (.*)$/gm)].map(([, text]) => text)
    assert.ok(said.length > 0, 'an example that shows nothing')
    const log: unknown[] = []
    await run(code, log)
    assert.deepEqual(log.map(String), said)
  })
}

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
    'acceptUnauthenticated',
    'authenticate',
    'authenticatePacket',
    'decrypt',
    'encodeHttpRequest',
    'familyOf',
    'formatProtocolPorts',
    'isHostName',
    'openPacket',
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

/** As a module of its own that imports the library by its published name. */
async function run(code: string, log: unknown[]): Promise<void> {
  const library = new URL('packet.ts', source).href
  const body = code.replaceAll("'ghostport/packet'", JSON.stringify(library))
  const globals = globalThis as { exampleLog?: unknown[] }
  globals.exampleLog = log
  const redirected = `const console = { log: (value) => globalThis.exampleLog.push(value) }\n${body}`
  await import(`data:text/javascript,${encodeURIComponent(redirected)}`)
  delete globals.exampleLog
}
