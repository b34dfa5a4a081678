/** Debian's Chromium, driven by playwright-core: one process for a test file, on a test host where one is named. */
import { execFileSync } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import type { Host } from '../support/netns.ts'

/** For `{ skip }`: why there is no browser here, or `false` where there is one. */
export function chromiumUnavailable(): string | false {
  return findChromium() === undefined ? 'chromium is not installed' : false
}

export interface TestBrowser extends AsyncDisposable {
  readonly browser: Browser
}

/** @param host where it runs: its network, its loopback. */
export async function startChromium(host?: Host, args: readonly string[] = []): Promise<TestBrowser> {
  const program = findChromium()
  if (program === undefined) throw new Error('chromium is not installed')
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-chromium-'))
  const starter = join(folder, 'chromium')
  const words = host === undefined ? [program] : host.command([program])
  writeFileSync(starter, `#!/bin/sh\nexec ${words.map((word) => `'${word}'`).join(' ')} "$@"\n`)
  chmodSync(starter, 0o700)
  const browser = await chromium.launch({
    executablePath: starter,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-proxy-server', ...args],
  })
  return {
    browser,
    async [Symbol.asyncDispose]() {
      await browser.close()
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/**
 * The argument that makes the browser trust a certificate that signs itself. To ignore errors of certificates, page by
 * page, is not enough: a service worker is fetched by no page. Its script then loads over a connection that a page has
 * opened before, and not over a new one.
 * @param file PEM, with or without the key.
 */
export function trust(file: string): string {
  const key = new X509Certificate(readFileSync(file)).publicKey.export({ type: 'spki', format: 'der' })
  return `--ignore-certificate-errors-spki-list=${createHash('sha256').update(key).digest('base64')}`
}

function findChromium(): string | undefined {
  try {
    return execFileSync('which', ['chromium'], { encoding: 'utf8' }).trim()
  } catch {
    return undefined
  }
}
