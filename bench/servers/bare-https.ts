/**
 * A program: the least that node:https can do. It answers each request as the gateway answers a knock, and does nothing
 * else. Prints `ready PORT`.
 *
 *     bare-https.ts CERTIFICATE
 */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'

const pem = readFileSync(process.argv[2] ?? '', 'utf8')
const body = `{"ticket":"${'a'.repeat(22)}"}`

const server = createServer({ key: pem, cert: pem, noDelay: true }, (request, response) => {
  request.resume().on('end', () => {
    response.writeHead(202, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
  })
})
server.maxRequestsPerSocket = 0
server.listen(0, '127.0.0.1', () => process.stdout.write(`ready ${(server.address() as AddressInfo).port}\n`))
