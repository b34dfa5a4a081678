/** Passkeys: what the server asks for and gets, as text; what the browser asks for and gives, as bytes. */

export interface LoginOptions {
  readonly id: string
  readonly challenge: string
  readonly rpId?: string
  readonly timeout?: number
  readonly allowCredentials?: readonly { readonly id: string }[]
}

export interface NewOptions {
  readonly id: string
  readonly challenge: string
  readonly rp: { readonly id?: string; readonly name: string }
  readonly user: { readonly id: string; readonly name: string; readonly displayName?: string }
  readonly pubKeyCredParams: readonly { readonly type: 'public-key'; readonly alg: number }[]
  readonly excludeCredentials?: readonly { readonly id: string }[]
  readonly timeout?: number
}

/** Passkeys belong to a name: not to an address (docs/CONSOLE.md). */
export function passkeysPossible(): boolean {
  return (
    typeof PublicKeyCredential === 'function' && /[a-z]/i.test(location.hostname) && !location.hostname.includes(':')
  )
}

/** @returns undefined where the person or the browser did not want to. */
export async function givePasskey(options: LoginOptions): Promise<object | undefined> {
  const got = await navigator.credentials
    .get({
      publicKey: {
        challenge: fromBase64Url(options.challenge),
        ...(options.rpId !== undefined && { rpId: options.rpId }),
        ...(options.timeout !== undefined && { timeout: options.timeout }),
        userVerification: 'required',
        allowCredentials: described(options.allowCredentials),
      },
    })
    .catch(() => null)
  if (!(got instanceof PublicKeyCredential) || !(got.response instanceof AuthenticatorAssertionResponse))
    return undefined
  const { authenticatorData, clientDataJSON, signature, userHandle } = got.response
  return {
    id: toBase64Url(got.rawId),
    authenticatorData: toBase64Url(authenticatorData),
    clientDataJSON: toBase64Url(clientDataJSON),
    signature: toBase64Url(signature),
    ...(userHandle !== null && { userHandle: toBase64Url(userHandle) }),
  }
}

/** As {@link givePasskey}. */
export async function makePasskey(options: NewOptions): Promise<object | undefined> {
  const made = await navigator.credentials
    .create({
      publicKey: {
        challenge: fromBase64Url(options.challenge),
        rp: options.rp,
        user: {
          id: fromBase64Url(options.user.id),
          name: options.user.name,
          displayName: options.user.displayName ?? options.user.name,
        },
        pubKeyCredParams: [...options.pubKeyCredParams],
        excludeCredentials: described(options.excludeCredentials),
        ...(options.timeout !== undefined && { timeout: options.timeout }),
        authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
        attestation: 'none',
      },
    })
    .catch(() => null)
  if (!(made instanceof PublicKeyCredential) || !(made.response instanceof AuthenticatorAttestationResponse))
    return undefined
  const key = made.response.getPublicKey()
  if (key === null) return undefined
  return {
    id: toBase64Url(made.rawId),
    clientDataJSON: toBase64Url(made.response.clientDataJSON),
    attestationObject: toBase64Url(made.response.attestationObject),
    publicKey: toBase64Url(key),
    publicKeyAlgorithm: made.response.getPublicKeyAlgorithm(),
  }
}

function described(credentials: readonly { readonly id: string }[] = []): PublicKeyCredentialDescriptor[] {
  return credentials.map(({ id }) => ({ type: 'public-key', id: fromBase64Url(id) }))
}

export function toBase64Url(bytes: ArrayBuffer): string {
  let text = ''
  for (const byte of new Uint8Array(bytes)) text += String.fromCharCode(byte)
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

export function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (sign) => sign.charCodeAt(0))
}
