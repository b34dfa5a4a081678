/** Knocks that are sealed before the measurement: the server is measured, not the client. */
import { randomBytes, randomInt } from 'node:crypto'
import type { IpAddress } from '../src/packet/address.ts'
import {
  EncryptionKey,
  HmacKey,
  type PacketKeys,
  parseAddress,
  parseUsername,
  port,
  type Result,
  sealPacket,
  unixSeconds,
} from '../src/packet.ts'

/** The door of every benchmark. */
export const DOOR_PORT = 22
export const SPA_PORT = 62201

/** A pair of keys, in the forms that both ends accept. */
export interface BenchKeys {
  readonly keys: PacketKeys
  readonly encryptionBase64: string
  readonly hmacBase64: string
}

export function makeKeys(): BenchKeys {
  const [encryption, hmac] = [randomBytes(32), randomBytes(64)]
  return {
    keys: {
      encryption: { key: must(EncryptionKey.fromBytes(encryption)), mode: 'CBC' },
      hmac: { key: must(HmacKey.fromBytes(hmac)), type: 'sha256' },
    },
    encryptionBase64: encryption.toString('base64'),
    hmacBase64: hmac.toString('base64'),
  }
}

export interface Knock {
  /** Sends the knock; the knock asks to open for this address. */
  readonly source: IpAddress
  readonly payload: Uint8Array
}

/** The n-th client: 10.77.0.1, 10.77.0.2 and so on. All of them are on one host (`lab.ts`). */
export function clientAddress(n: number): IpAddress {
  const host = n + 1
  if (host >= 0xffff) throw new RangeError(`there is no client ${n}`)
  return must(parseAddress(`10.77.${host >> 8}.${host & 0xff}`))
}

/** Knocks of clients `first`, `first + 1` …, each for its own address. */
export function sealKnocks({ keys }: Pick<BenchKeys, 'keys'>, first: number, count: number): readonly Knock[] {
  const username = must(parseUsername('bench'))
  const timestamp = unixSeconds(Math.floor(Date.now() / 1000))
  return Array.from({ length: count }, (_, i) => {
    const source = clientAddress(first + i)
    const text = must(
      sealPacket(
        {
          kind: 'access',
          random: String(randomInt(1e8, 1e9)) + String(randomInt(1e6, 1e7)),
          username,
          timestamp,
          source,
          ports: [{ protocol: 'tcp', port: port(DOOR_PORT) }],
        },
        keys,
        { digestType: 'sha256', salt: randomBytes(8) },
      ),
    )
    return { source, payload: Buffer.from(text, 'latin1') }
  })
}

/**
 * Packets that only the HMAC distinguishes from knocks: sealed with other keys. Random text would not do: most of it is
 * not even valid base64, and cheap to refuse.
 */
export function makeJunk(count: number): readonly Uint8Array[] {
  return sealKnocks(makeKeys(), 0, count).map(({ payload }) => payload)
}

function must<T>(result: Result<T>): T {
  if (result.ok) return result.value
  throw new Error(`${result.failure.code}: ${result.failure.detail}`)
}
