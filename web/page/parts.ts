/**
 * Parts of the page that are loaded only when they are used. Each is a script of the bundle that leaves one value. The
 * policy of the page allows no other script to be named: this is the only place that makes a script's address.
 */
import type { InvitationPart } from './invitation/host.ts'

declare global {
  /** Written by the build before this script. */
  var PAGE_PARTS: {
    readonly [name in 'qrReader' | 'rcReader' | 'reasons' | 'invitation' | 'openpgp']: string
  }
  var ghostportQrReader: typeof import('./parts/qr-reader.ts') | undefined
  /** What OpenPGP.js leaves. */
  var openpgp: typeof import('openpgp') | undefined
  var ghostportReasons: typeof import('./parts/reasons.ts') | undefined
  var ghostportInvitation: InvitationPart | undefined
  var ghostportRcReader: typeof import('./parts/rc-reader.ts') | undefined
  interface Window {
    readonly trustedTypes?: {
      createPolicy(
        name: string,
        rules: { createScriptURL: (url: string) => string },
      ): { createScriptURL(url: string): string }
    }
  }
}

const OURS = /^[a-z-]+(-[0-9a-f]{12})?\.js$/

let policy: { createScriptURL(url: string): string } | undefined

/** The address of a script of the bundle, in the form that the browser takes. */
export function scriptAddress(name: string): string {
  // A page may make this policy once.
  policy ??= window.trustedTypes?.createPolicy('ghostport', { createScriptURL: ours })
  return policy === undefined ? ours(name) : policy.createScriptURL(name)
}

function ours(name: string): string {
  if (!OURS.test(name)) throw new TypeError(`not a script of this page: ${name}`)
  return name
}

export function loadReasons(): Promise<typeof import('./parts/reasons.ts')> {
  return load(globalThis.PAGE_PARTS.reasons, () => globalThis.ghostportReasons)
}

export function loadInvitation(): Promise<InvitationPart> {
  return load(globalThis.PAGE_PARTS.invitation, () => globalThis.ghostportInvitation)
}

export function loadQrReader(): Promise<typeof import('./parts/qr-reader.ts')> {
  return load(globalThis.PAGE_PARTS.qrReader, () => globalThis.ghostportQrReader)
}

export function loadRcReader(): Promise<typeof import('./parts/rc-reader.ts')> {
  return load(globalThis.PAGE_PARTS.rcReader, () => globalThis.ghostportRcReader)
}

export function loadOpenpgp(): Promise<typeof import('openpgp')> {
  return load(globalThis.PAGE_PARTS.openpgp, () => globalThis.openpgp)
}

async function load<Part>(name: string, value: () => Part | undefined): Promise<Part> {
  const before = value()
  if (before !== undefined) return before
  await new Promise<void>((resolve, reject) => {
    const script = document.createElement('script')
    script.src = scriptAddress(name)
    script.onload = () => resolve()
    script.onerror = () => reject(new Error('a part of this page could not be loaded'))
    document.head.append(script)
  })
  const part = value()
  if (part === undefined) throw new Error(`${name} left nothing`)
  return part
}
