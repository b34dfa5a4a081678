/**
 * The headers of every reply. They forbid what a page of ours never does, so that a fault in a page harms less: to load
 * or run anything from elsewhere, to be framed, to tell others where the visitor is.
 */

/** Powers of a browser that no page of ours uses, but those that a page is given by name. */
const POWERS = [
  'accelerometer',
  'autoplay',
  'browsing-topics',
  'camera',
  'display-capture',
  'geolocation',
  'gyroscope',
  'hid',
  'idle-detection',
  'magnetometer',
  'microphone',
  'midi',
  'payment',
  'publickey-credentials-create',
  'publickey-credentials-get',
  'screen-wake-lock',
  'serial',
  'usb',
  'xr-spatial-tracking',
] as const
export type Power = (typeof POWERS)[number]

/** What a page may do. Each entry is empty unless it is said. */
export interface PagePermissions {
  /** `script-src`, `style-src` and so on: directive → sources. `default-src 'none'` is always there. */
  readonly content?: Readonly<Record<string, string>>
  /** Policies for Trusted Types that its scripts may make. A page with scripts always needs Trusted Types. */
  readonly trustedTypes?: readonly string[]
  readonly powers?: readonly Power[]
}

/** The policy of a reply that is no page, and of a page that has neither style nor form. */
export const NOTHING: PagePermissions = {}

/** Content-Security-Policy of a page. */
export function contentPolicy({ content = {}, trustedTypes = [] }: PagePermissions): string {
  const directives: Record<string, string> = {
    'default-src': "'none'",
    'base-uri': "'none'",
    'form-action': "'none'",
    'frame-ancestors': "'none'",
    ...content,
    'require-trusted-types-for': "'script'",
    'trusted-types': trustedTypes.length === 0 ? "'none'" : trustedTypes.join(' '),
  }
  return Object.entries(directives)
    .map(([name, value]) => `${name} ${value}`)
    .join('; ')
}

function powersPolicy(allowed: readonly Power[] = []): string {
  return POWERS.map((power) => `${power}=${allowed.includes(power) ? '(self)' : '()'}`).join(', ')
}

/** Two years, as browsers ask for. Without subdomains: they are not ours. */
const STRICT_TRANSPORT = 'max-age=63072000'

/**
 * @param secure whether the visitor came over HTTPS: only then may the name be kept for HTTPS.
 * @param crossOrigin whether pages of other origins may read the reply.
 */
export function securityHeaders(
  page: PagePermissions,
  secure: boolean,
  crossOrigin: boolean,
): Readonly<Record<string, string>> {
  const known = made.get(page)?.get(`${secure} ${crossOrigin}`)
  if (known !== undefined) return known
  const headers = {
    'content-security-policy': contentPolicy(page),
    'permissions-policy': powersPolicy(page.powers),
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': crossOrigin ? 'cross-origin' : 'same-origin',
    'x-frame-options': 'DENY',
    'cache-control': 'no-store',
    ...(secure ? { 'strict-transport-security': STRICT_TRANSPORT } : {}),
  }
  made.set(page, (made.get(page) ?? new Map()).set(`${secure} ${crossOrigin}`, headers))
  return headers
}

/** They are the same for each reply of a page. */
const made = new WeakMap<PagePermissions, Map<string, Readonly<Record<string, string>>>>()
