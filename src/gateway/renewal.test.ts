import { describeRenewal } from '../../test/support/certificate-renewal.ts'

describeRenewal({
  command: 'gateway',
  settings: ['TARGET office 127.0.0.1:9'],
  path: '/v1/address',
  answers: 'HTTP/1.1 200 OK',
})
