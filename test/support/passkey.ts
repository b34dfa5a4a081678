/** An authenticator in software: makes passkeys, and signs with them, as a browser hands that over. */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

const text = (value: string | Uint8Array): string => Buffer.from(value).toString('base64url')
const sha256 = (bytes: string | Uint8Array): Buffer => createHash('sha256').update(bytes).digest()

export interface Changed {
  readonly flags?: number
  readonly counter?: number
  readonly origin?: string
  readonly rpId?: string
  readonly type?: string
  readonly crossOrigin?: boolean
}

/** In COSE. */
const KINDS = { ES256: -7, EdDSA: -8, RS256: -257 } as const

export class SoftPasskey {
  readonly id = randomBytes(16)
  readonly #privateKey: KeyObject
  readonly publicKey: KeyObject
  readonly #algorithm: number
  readonly #origin: string
  readonly #rpId: string
  counter = 0

  constructor(origin: string, rpId: string, kind: keyof typeof KINDS = 'ES256', rsaBits = 2_048) {
    const pair =
      kind === 'ES256'
        ? generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
        : kind === 'RS256'
          ? generateKeyPairSync('rsa', { modulusLength: rsaBits })
          : generateKeyPairSync('ed25519')
    this.#privateKey = pair.privateKey
    this.publicKey = pair.publicKey
    this.#algorithm = KINDS[kind]
    this.#origin = origin
    this.#rpId = rpId
  }

  #clientData(type: string, challenge: string, changed: Changed): Buffer {
    return Buffer.from(
      JSON.stringify({
        type: changed.type ?? type,
        challenge,
        origin: changed.origin ?? this.#origin,
        crossOrigin: changed.crossOrigin ?? false,
      }),
    )
  }

  #data(flags: number, changed: Changed): Buffer {
    const counter = Buffer.alloc(4)
    counter.writeUInt32BE(changed.counter ?? this.counter)
    return Buffer.concat([sha256(changed.rpId ?? this.#rpId), Buffer.from([changed.flags ?? flags]), counter])
  }

  /** @param otherKey handed over in the place of its own. */
  register(challenge: string, changed: Changed = {}, otherKey: KeyObject = this.publicKey) {
    const { x, y, n } = this.publicKey.export({ format: 'jwk' })
    const length = Buffer.alloc(2)
    length.writeUInt16BE(this.id.length)
    // A COSE key, as far as anybody looks: the coordinates, or the modulus, as byte strings.
    const cose = [x, y, n].flatMap((one) => {
      const bytes = Buffer.from(one ?? '', 'base64url')
      const head = bytes.length < 256 ? [0x58, bytes.length] : [0x59, bytes.length >> 8, bytes.length & 0xff]
      return one === undefined ? [] : [Buffer.from(head), bytes]
    })
    const data = Buffer.concat([this.#data(0x45, changed), Buffer.alloc(16), length, this.id, ...cose])
    const size = Buffer.alloc(2)
    size.writeUInt16BE(data.length)
    const head = Buffer.from('a363666d74646e6f6e656761747453746d74a0686175746844617461', 'hex')
    return {
      id: text(this.id),
      clientDataJSON: text(this.#clientData('webauthn.create', challenge, changed)),
      attestationObject: text(Buffer.concat([head, Buffer.from([0x59]), size, data])),
      publicKey: text(otherKey.export({ format: 'der', type: 'spki' })),
      publicKeyAlgorithm: this.#algorithm,
    }
  }

  use(challenge: string, changed: Changed = {}) {
    this.counter++
    const data = this.#data(0x05, changed)
    const clientData = this.#clientData('webauthn.get', challenge, changed)
    const signed = Buffer.concat([data, sha256(clientData)])
    return {
      id: text(this.id),
      authenticatorData: text(data),
      clientDataJSON: text(clientData),
      signature: text(sign(this.#algorithm === KINDS.EdDSA ? null : 'sha256', signed, this.#privateKey)),
    }
  }
}
