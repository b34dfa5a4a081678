import assert from 'node:assert/strict'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { it } from 'node:test'
import { must } from '../../test/support/results.ts'
import { parseAddress } from '../packet/address.ts'
import { milliseconds } from '../units.ts'
import { connectScan } from './connect-scan.ts'

const address = must(parseAddress('127.0.0.1'))

async function banner(greet: (socket: Socket) => void): Promise<string | undefined> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    greet(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, address, resolve))
  try {
    const { port } = server.address() as AddressInfo
    const asked = { addresses: [address], ports: [port], from: () => undefined, rate: 1000 }
    const seen = await connectScan({ ...asked, timeout: milliseconds(2000) })
    assert.ok(typeof seen !== 'string', String(seen))
    return seen.get(address)?.get(port)?.banner
  } finally {
    server.close()
  }
}

it('a greeting is its first line, whatever else arrives with it', async () => {
  const greeting = 'SSH-2.0-small_1\r\n'
  assert.equal(await banner((socket) => socket.write(greeting)), 'SSH-2.0-small_1')
  assert.equal(await banner((socket) => socket.write(`${greeting}\0\0\x01\xf4keys`)), 'SSH-2.0-small_1')
  assert.equal(await banner((socket) => socket.write('220-host\r\n220 welcome\r\n')), '220-host')
})

it('a greeting that is no text is told as it came', async () => {
  assert.equal(await banner((socket) => socket.write('J\0\0\0\n8.0.36\0')), 'J\\x00\\x00\\x00\\n8.0.36\\x00')
})
