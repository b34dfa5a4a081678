/** What tests do on the page, and the two keys that they knock with. */
import assert from 'node:assert/strict'
import type { Browser, Page } from 'playwright-core'
import { type ReceiptVerdict, sealReceipt } from '../../src/packet/receipt.ts'
import { fwknopDigest } from '../../src/packet/replay-digest.ts'
import {
  EncryptionKey,
  HmacKey,
  openPacket,
  type PacketKeys,
  parseEnvelope,
  parseKeyBase64,
  unixSeconds,
} from '../../src/packet.ts'
import { watchMoves } from './moves.ts'

export const KEY = Buffer.alloc(32, 7).toString('base64')
export const HMAC = Buffer.alloc(64, 9).toString('base64')
export const PASSPHRASE = 'four quiet words here'
const url = (key: string) => key.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')

/** The line of a profile. @param open what it asks for, and further fields. */
export function profileLine(open = 'tcp/22', name = 'office'): string {
  return `ghostport://profile/1?name=${name}&server=192.0.2.9&allow=source&open=${open}&key=${url(KEY)}&hmac=${url(HMAC)}&made=1764150000`
}
export const PROFILE = profileLine()

export interface OpenPage extends AsyncDisposable {
  readonly tab: Page
  /** All that the browser complained of: violations of the policy, errors of scripts, files that are missing. */
  readonly complaints: readonly string[]
}

export interface PageOptions {
  readonly width?: number
  readonly height?: number
  readonly dark?: boolean
  /** Shown as the page of this address, in place of the server's. */
  readonly as?: readonly string[]
  /** The clock is the test's. */
  readonly clock?: true
  /** For `movesIn`. */
  readonly moves?: true
}

/** A tab with a store of its own. */
export async function openPage(
  browser: Browser,
  address: string,
  { width = 390, height = 844, dark = false, clock, moves, as = [] }: PageOptions = {},
): Promise<OpenPage> {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? 'dark' : 'light',
  })
  for (const origin of as)
    await context.route(`${origin}/**`, async (route) => {
      const { pathname } = new URL(route.request().url())
      await route.fulfill({ response: await route.fetch({ url: `${address}${pathname}` }) })
    })
  if (moves) await watchMoves(context)
  const tab = await context.newPage()
  if (clock) await tab.clock.install()
  tab.setDefaultTimeout(25_000)
  const complaints: string[] = []
  tab.on('console', (message) => {
    if (/^(warning|error)$/.test(message.type())) complaints.push(message.text())
  })
  tab.on('pageerror', (error) => complaints.push(error.message))
  await tab.goto(as[0] ?? address)
  return { tab, complaints, [Symbol.asyncDispose]: () => context.close() }
}

/** Past the first view. */
export async function start(tab: Page): Promise<void> {
  await tab.getByLabel('Passphrase').fill(PASSPHRASE)
  await tab.getByLabel('The same again').fill(PASSPHRASE)
  await tab.getByRole('button', { name: 'Begin' }).click()
  await tab.getByRole('heading', { name: 'No door yet' }).waitFor()
}

export async function add(tab: Page): Promise<void> {
  await tab.getByRole('link', { name: 'Add a profile' }).click()
}

/** Opens a part of a form by its title, also while the form is still moving into its place. */
export async function unfold(tab: Page, title: string): Promise<void> {
  const part = tab.locator('details').filter({ has: tab.getByText(title, { exact: true }) })
  for (let i = 0; i < 20 && (await part.getAttribute('open')) === null; i++)
    await part.getByText(title, { exact: true }).click()
}

/** Adds what is pasted, for the target “office”. Ends at its door. */
export async function addPasted(tab: Page, text: string, echo = ''): Promise<void> {
  await add(tab)
  await tab.getByRole('tab', { name: 'Paste' }).click()
  await tab.getByRole('textbox', { name: 'The profile' }).fill(text)
  await tab.getByRole('button', { name: 'Read it' }).click()
  await tab.getByLabel('Name of the server').fill('office')
  if (echo !== '') {
    await unfold(tab, 'On this device')
    await tab.getByLabel('Other services').fill(echo)
  }
  await tab.getByRole('button', { name: 'Add this profile' }).click()
  await tab.getByRole('heading', { name: 'Opens for this device' }).waitFor()
}

export function keys(type: 'sha256' | 'sha3_512' = 'sha256'): PacketKeys & Required<Pick<PacketKeys, 'hmac'>> {
  const encryption = parseKeyBase64(EncryptionKey, KEY)
  const hmac = parseKeyBase64(HmacKey, HMAC)
  assert.ok(encryption.ok && hmac.ok)
  return { encryption: { mode: 'CBC', key: encryption.value }, hmac: { type, key: hmac.value } }
}

/** The message that a packet of the test's keys holds. */
export function messageIn(packet: string, with_: PacketKeys = keys()): string {
  const envelope = parseEnvelope(Buffer.from(packet), { http: 'off' })
  assert.ok(envelope.ok)
  const opened = openPacket(envelope.value, with_)
  assert.ok(opened.ok, JSON.stringify(opened))
  return opened.value.fields.message
}

/** Its type (docs/WIRE.md § 3). */
export function typeIn(packet: string): number {
  const envelope = parseEnvelope(Buffer.from(packet), { http: 'off' })
  assert.ok(envelope.ok)
  const opened = openPacket(envelope.value, keys())
  assert.ok(opened.ok, JSON.stringify(opened))
  return opened.value.fields.messageType
}

/** What the server would say of a packet. */
export function receiptFor(
  packet: string,
  said:
    | { readonly verdict: 'open'; readonly seconds: number }
    | { readonly verdict: 'refused'; readonly code: string }
    | { readonly verdict: 'closed' },
): string {
  const envelope = parseEnvelope(Buffer.from(packet), { http: 'off' })
  assert.ok(envelope.ok)
  const now = Math.floor(Date.now() / 1000)
  const verdict: ReceiptVerdict =
    said.verdict === 'open' ? { verdict: 'open', until: unixSeconds(now + said.seconds) } : said
  const text = sealReceipt(
    fwknopDigest(envelope.value),
    keys(),
    { serverTime: unixSeconds(now), ...verdict },
    crypto.getRandomValues(new Uint8Array(16)),
  )
  assert.ok(text !== undefined)
  return text
}
