/** What the server says of a knock that went through a gateway (docs/WIRE.md § 16). */
import { type FailureCode, failureKinds } from '../failure-codes.ts'
import { openReceipt, type Receipt, type ReceiptKeys } from '../packet/receipt.ts'
import { type Failure, type Refused, refuse } from '../result.ts'
import type { Keys } from './keys.ts'
import type { SentKnock } from './knock.ts'

/**
 * Asks for the receipts of packets, all at once.
 * @returns the first that is authentic, where a grant counts before a refusal; undefined if there is none.
 */
export async function receiptOf(sent: readonly SentKnock[], keys: Keys): Promise<Receipt | undefined> {
  const receiptKeys: ReceiptKeys = {
    ...(keys.encryption.kind === 'symmetric' ? { encryption: keys.encryption } : {}),
    ...(keys.hmac === undefined ? {} : { hmac: keys.hmac }),
  }
  const read = await Promise.all(
    sent.map(async ({ text, departure }) => {
      const brought = departure.ok ? await departure.value.receipt?.() : undefined
      const opened = brought === undefined ? undefined : openReceipt(text, receiptKeys, brought)
      return opened?.ok === true ? opened.value : undefined
    }),
  )
  const receipts = read.filter((it) => it !== undefined)
  return receipts.find(({ verdict }) => verdict !== 'refused') ?? receipts[0]
}

/** @returns what the server’s refusal means, for a knock that ends with it. */
export function refusalInReceipt({
  code,
}: Receipt & { readonly verdict: 'refused' }): Refused<Failure<'KNOCK_REFUSED'>> {
  return refuse('KNOCK_REFUSED', meaningOf(code))
}

/** `the packet is too old (SPA_STALE)`. */
export function meaningOf(code: string): string {
  return Object.hasOwn(failureKinds, code) ? `${failureKinds[code as FailureCode].sentence} (${code})` : code
}
