/**
 * `ghostport/packet` in a real browser. It is bundled as for a web page, with the browser's primitives, and headless
 * Chromium runs it over every vector. The results must be those of Node.
 */
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { sealReceipt } from '../../src/packet/receipt.ts'
import {
  EncryptionKey,
  type FwknopDigest,
  HmacKey,
  openPacket,
  parseEnvelope,
  parseKeyText,
  unixSeconds,
} from '../../src/packet.ts'
import { fwknopVectors } from '../vectors/fwknop-vectors.ts'
import { tryVectors } from './try-vectors.ts'

const CHROMIUM_TIMEOUT_MILLISECONDS = 90_000
const KEYS = { encryption: 'the encryption key', hmac: 'the HMAC key' }

/** A packet that nobody sent, and what came back for it. */
const RECEIPT = receiptFor('8'.repeat(200))

/**
 * The script of the page. Chromium can print the text of a page, so the script writes its results there.
 * `encodeURIComponent` prevents that they are read as markup.
 */
const PAGE_SCRIPT = `
  import * as packet from './src/packet.ts'
  import { tryVectors } from './test/browser/try-vectors.ts'

  const value = (result) => {
    if (!result.ok) throw new Error(result.failure.detail)
    return result.value
  }
  const seal = () =>
    value(packet.sealPacket(
      {
        kind: 'access',
        random: Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte % 10).join(''),
        username: value(packet.parseUsername('browser')),
        timestamp: packet.unixSeconds(Math.floor(Date.now() / 1000)),
        source: value(packet.parseAddress('2001:db8::1')),
        ports: value(packet.parseProtocolPorts('tcp/22,udp/53')),
      },
      {
        encryption: { mode: 'CBC', key: value(packet.parseKeyText(packet.EncryptionKey, KEYS.encryption)) },
        hmac: { type: 'sha3_256', key: value(packet.parseKeyText(packet.HmacKey, KEYS.hmac)) },
      },
      { digestType: 'sha512', salt: crypto.getRandomValues(new Uint8Array(8)) },
    ))

  let report
  try {
    report = {
      inNode: typeof process !== 'undefined',
      exports: Object.keys(packet).sort(),
      outcomes: tryVectors(VECTORS),
      sealed: seal(),
      receipt: packet.openReceipt(
        RECEIPT.packet,
        {
          encryption: { mode: 'CBC', key: value(packet.parseKeyText(packet.EncryptionKey, KEYS.encryption)) },
          hmac: { type: 'sha256', key: value(packet.parseKeyText(packet.HmacKey, KEYS.hmac)) },
        },
        RECEIPT.datagram,
      ),
      key: String(value(packet.parseKeyText(packet.HmacKey, KEYS.hmac))),
    }
  } catch (error) {
    report = { error: String(error.stack) }
  }
  document.body.textContent = encodeURIComponent(JSON.stringify(report))
`

interface Report {
  readonly error?: string
  readonly inNode: boolean
  readonly exports: readonly string[]
  readonly outcomes: readonly unknown[]
  readonly sealed: string
  readonly receipt: unknown
  readonly key: string
}

const chromium = findChromium()
const skip = chromium === undefined ? 'chromium is not installed' : false
let folder = ''
let bundleBytes = 0
let report: Report

before(async () => {
  if (chromium === undefined) return
  folder = mkdtempSync(join(tmpdir(), 'ghostport-browser-'))
  const script = await bundle()
  bundleBytes = script.length
  writeFileSync(join(folder, 'page.html'), `<!doctype html><meta charset="utf-8"><body><script>${script}</script>`)
  report = await load(chromium, join(folder, 'page.html'))
})
after(() => {
  if (folder !== '') rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

test('the library loads and runs, without anything of Node', { skip }, async () => {
  assert.equal(report.error, undefined)
  assert.equal(report.inNode, false)
  assert.deepEqual(report.exports, Object.keys(await import('../../src/packet.ts')).sort())
  assert.ok(bundleBytes > 10_000)
})

test('every vector is opened, refused and sealed as in Node', { skip }, () => {
  const expected: unknown[] = JSON.parse(JSON.stringify(tryVectors(fwknopVectors)))
  assert.ok(expected.length > 245)
  assert.deepEqual(report.outcomes, expected)
})

test('what a page seals with the browser’s own random numbers is opened in Node', { skip }, () => {
  const envelope = parseEnvelope(Buffer.from(report.sealed), { http: 'off' })
  const encryption = parseKeyText(EncryptionKey, KEYS.encryption)
  const hmac = parseKeyText(HmacKey, KEYS.hmac)
  assert.ok(envelope.ok && encryption.ok && hmac.ok)
  const opened = openPacket(envelope.value, {
    encryption: { mode: 'CBC', key: encryption.value },
    hmac: { type: 'sha3_256', key: hmac.value },
  })
  assert.ok(opened.ok, JSON.stringify(opened))
  assert.equal(opened.value.fields.message, '2001:db8::1,tcp/22,udp/53')
})

test('a receipt that a server sealed is opened in the page', { skip }, () => {
  assert.deepEqual(report.receipt, { ok: true, value: RECEIPT.says })
})

test('a key has no text in a browser either', { skip }, () => assert.equal(report.key, '[secret]'))

function receiptFor(packet: string) {
  const encryption = parseKeyText(EncryptionKey, KEYS.encryption)
  const hmac = parseKeyText(HmacKey, KEYS.hmac)
  assert.ok(encryption.ok && hmac.ok)
  const keys = {
    encryption: { mode: 'CBC', key: encryption.value },
    hmac: { type: 'sha256', key: hmac.value },
  } as const
  const says = { verdict: 'open', serverTime: unixSeconds(1_795_410_748), until: unixSeconds(1_795_410_778) } as const
  const digest = createHash('sha256').update(packet).digest('base64').replace('=', '') as FwknopDigest
  return { packet, says, datagram: sealReceipt(digest, keys, says, randomBytes(16)) }
}

/** One script for the page: not a module, because Chromium does not load modules from a file. */
async function bundle(): Promise<string> {
  const built = await build({
    stdin: { contents: PAGE_SCRIPT, resolveDir: join(import.meta.dirname, '..', '..'), loader: 'js' },
    bundle: true,
    write: false,
    platform: 'browser',
    format: 'iife',
    conditions: ['ghostport-source', 'browser'],
    define: { VECTORS: JSON.stringify(fwknopVectors), KEYS: JSON.stringify(KEYS), RECEIPT: JSON.stringify(RECEIPT) },
    // The vectors may hold any bytes; nothing in them may end the script element.
    charset: 'ascii',
  })
  const [script] = built.outputFiles
  assert.ok(script)
  return script.text.replaceAll('</script', '<\\/script')
}

async function load(program: string, page: string): Promise<Report> {
  const { stdout } = await promisify(execFile)(
    program,
    [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      `--user-data-dir=${join(folder, 'profile')}`,
      '--dump-dom',
      `file://${page}`,
    ],
    { timeout: CHROMIUM_TIMEOUT_MILLISECONDS, maxBuffer: 64 * 1024 * 1024 },
  )
  const text = /<body>([^<]*)/.exec(stdout)?.[1]
  assert.ok(text, stdout.slice(0, 500))
  return JSON.parse(decodeURIComponent(text))
}

function findChromium(): string | undefined {
  for (const program of ['chromium', 'chromium-browser', 'google-chrome']) {
    try {
      return execFileSync('which', [program], { encoding: 'utf8' }).trim()
    } catch {
      // Not this one.
    }
  }
  return undefined
}
