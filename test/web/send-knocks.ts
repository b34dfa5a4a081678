/**
 * Sends knocks at a steady rate, each for an address of its own: `send-knocks.ts SERVER ADDRESSES RATE COUNT`. They are
 * sealed as they are sent, so that none is too old. Used by console-load.ts.
 */
import { randomBytes, randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { setTimeout as delay } from 'node:timers/promises'
import {
  EncryptionKey,
  HmacKey,
  parseAddress,
  parseKeyText,
  parseUsername,
  port,
  sealPacket,
  unixSeconds,
} from '../../src/packet.ts'
import { keys } from '../support/daemon.ts'
import { must } from '../support/results.ts'

const [server = '', addresses = '', rate = '', count = ''] = process.argv.slice(2)
const key = must(parseKeyText(EncryptionKey, keys.key))
const hmac = must(parseKeyText(HmacKey, keys.hmac))
const username = must(parseUsername('load'))
const socket = createSocket('udp4')
const began = performance.now()
for (let i = 0; i < Number(count); i++) {
  const host = i % Number(addresses)
  const text = must(
    sealPacket(
      {
        ...{ kind: 'access', username, random: `${randomInt(1e8, 1e9)}${randomInt(1e6, 1e7)}` },
        timestamp: unixSeconds(Math.floor(Date.now() / 1000)),
        source: must(parseAddress(`10.77.${host >> 8}.${host & 255}`)),
        ports: [{ protocol: 'tcp', port: port(22) }],
      },
      { encryption: { mode: 'CBC', key }, hmac: { type: 'sha256', key: hmac } },
      { digestType: 'sha256', salt: randomBytes(8) },
    ),
  )
  socket.send(text, 62_201, server)
  const due = (1000 * (i + 1)) / Number(rate)
  const early = due - (performance.now() - began)
  if (early > 1) await delay(early)
}
await delay(200)
socket.close()
