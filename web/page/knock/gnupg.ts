/**
 * GnuPG in the browser, by OpenPGP.js, which is loaded only here. It is a file of its own, as its authors made it: its
 * licence (LGPL) lets everybody put another in its place.
 */
import type { OutgoingMessage } from '../../../src/packet/message-fields.ts'
import { composePlaintext, sealGnupgMessage } from '../../../src/packet/seal.ts'
import { type Failure, ok, type Result, refuse } from '../../../src/result.ts'
import { unixSeconds } from '../../../src/units.ts'
import { loadOpenpgp } from '../parts.ts'
import type { GnupgPair } from '../profile/kept.ts'
import type { Keys } from './seal.ts'

type GnupgFailure = Failure<'GNUPG_FAILED' | 'SPA_MESSAGE_INVALID' | 'KEY_INVALID'>

/** @returns the packet; `SPA_MESSAGE_INVALID` where it does not fit. */
export async function sealByGnupg(
  message: OutgoingMessage,
  pair: GnupgPair,
  {
    digestType,
    hmac,
  }: { readonly digestType: Parameters<typeof composePlaintext>[1]['digestType']; readonly hmac: Keys['hmac'] },
): Promise<Result<string, GnupgFailure>> {
  const plaintext = composePlaintext(message, { digestType })
  if (!plaintext.ok) return plaintext
  const openpgp = await loadOpenpgp()
  try {
    const encrypted = await openpgp.encrypt({
      message: await openpgp.createMessage({ binary: Uint8Array.from(plaintext.value), format: 'binary' }),
      encryptionKeys: await openpgp.readKey({ armoredKey: pair.recipient }),
      ...(pair.signer !== undefined && { signingKeys: await openpgp.readPrivateKey({ armoredKey: pair.signer }) }),
      format: 'binary',
      // As gpg of today can read it; and without notes that would only make it longer.
      config: { aeadProtect: false, nonDeterministicSignaturesViaNotation: false },
    })
    const framed = withOldHeader(encrypted)
    return framed === undefined ? refuse('GNUPG_FAILED', 'OpenPGP.js made no message') : sealGnupgMessage(framed, hmac)
  } catch (error) {
    return refuse('GNUPG_FAILED', error instanceof Error ? error.message : 'OpenPGP.js refused')
  }
}

/**
 * What fwknop strips from each packet, and puts back, is the beginning of a message with an old header and a length of
 * two bytes (RFC 9580 § 4.2.2). OpenPGP.js writes new headers: the first is written anew. The rest stays as it is.
 *
 * @returns undefined for what does not begin with an encrypted session key.
 */
export function withOldHeader(message: Uint8Array): Uint8Array | undefined {
  const [tag, first = 255, second = 0] = message
  if (tag !== 0xc1) return tag === 0x85 ? message : undefined
  const [start, length] = first < 192 ? [2, first] : first < 224 ? [3, ((first - 192) << 8) + second + 192] : [0, 0]
  if (start === 0) return undefined
  const framed = new Uint8Array(3 + message.length - start)
  framed.set([0x85, length >> 8, length & 0xff])
  framed.set(message.subarray(start), 3)
  return framed
}

/**
 * Reads both keys as they are pasted, and tries them: a packet of the longest usual message must fit.
 *
 * @param passphrase of the secret key; the key is kept without it, sealed with the profile.
 */
export async function readGnupgPair(
  text: { readonly recipient: string; readonly signer: string; readonly passphrase: string },
  hmac: Keys['hmac'],
): Promise<Result<GnupgPair, GnupgFailure>> {
  const openpgp = await loadOpenpgp()
  let pair: GnupgPair
  try {
    const key = await openpgp.readKey({ armoredKey: text.recipient })
    const recipient = key.toPublic().armor()
    if (text.signer.trim() === '') pair = { recipient }
    else {
      const secret = await openpgp.readPrivateKey({ armoredKey: text.signer })
      const open = secret.isDecrypted()
        ? secret
        : await openpgp.decryptKey({ privateKey: secret, passphrase: text.passphrase })
      pair = { recipient, signer: open.armor() }
    }
  } catch (error) {
    return refuse('KEY_INVALID', `GnuPG: ${error instanceof Error ? error.message : 'the key cannot be read'}`)
  }
  const tried = await sealByGnupg(LONG, pair, { digestType: 'sha256', hmac })
  return tried.ok ? ok(pair) : tried
}

/** A long message: several ports for an IPv6 address, with a time. */
const LONG: OutgoingMessage = {
  kind: 'access',
  random: '0000000000000000',
  username: 'a user of some length' as never,
  timestamp: unixSeconds(1_795_410_748),
  source: '2001:db8:1234:5678:9abc:def0:1234:5678' as never,
  ports: [
    { protocol: 'tcp', port: 65535 as never },
    { protocol: 'udp', port: 65534 as never },
  ],
  timeout: 65535 as never,
}
