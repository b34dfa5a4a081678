/** What the page of the console may do in a browser: nothing from elsewhere. */
import type { PagePermissions } from '../../http-server/security-headers.ts'

export const consolePagePermissions: PagePermissions = {
  content: {
    'script-src': "'self'",
    'style-src': "'self'",
    'img-src': "'self'",
    'connect-src': "'self'",
  },
  powers: ['publickey-credentials-create', 'publickey-credentials-get'],
}
