// The content security policy of the page. The page carries it itself, so that it holds wherever the page is hosted. A
// web server also sends it as a header: some parts count only there.

/**
 * @param {'header' | 'meta'} place
 * @returns {string}
 */
export function pagePolicy(place) {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob:",
    "manifest-src 'self'",
    "worker-src 'self'",
    // Gateways and echo points of a profile may be anywhere. Plain HTTP only on this very computer.
    "connect-src 'self' https: http://localhost:* http://127.0.0.1:*",
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types ghostport',
    ...(place === 'header' ? ["frame-ancestors 'none'"] : []),
  ].join('; ')
}
