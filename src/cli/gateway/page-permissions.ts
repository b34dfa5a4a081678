/** What the page may do in a browser. The page says the same itself, for where no gateway serves it. */
import type { PagePermissions } from '../../http-server/security-headers.ts'

export const pagePermissions: PagePermissions = {
  content: {
    'script-src': "'self'",
    'style-src': "'self'",
    'img-src': "'self' blob:",
    'manifest-src': "'self'",
    'worker-src': "'self'",
    // Gateways and echo points of a profile may be anywhere. Plain HTTP only on this very computer.
    'connect-src': "'self' https: http://localhost:* http://127.0.0.1:*",
  },
  trustedTypes: ['ghostport'],
  powers: ['camera', 'publickey-credentials-create', 'publickey-credentials-get', 'screen-wake-lock'],
}
