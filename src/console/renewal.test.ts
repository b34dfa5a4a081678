import { describeRenewal } from '../../test/support/certificate-renewal.ts'

describeRenewal({
  command: 'console',
  settings: ['CONSOLE_SOCKET /nonexistent/console.sock'],
  path: '/v1/session',
  answers: 'HTTP/1.1 401 Unauthorized',
})
