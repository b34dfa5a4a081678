/** A receiver in a stranger's hands: says what it is told to, on the warden's channel, once it has been configured. */
import { Socket } from 'node:net'

const [, , ...lines] = process.argv
const channel = new Socket({ fd: 4 })
channel.write('{"say":"started"}\n')
channel.once('data', () => {
  for (const line of lines) channel.write(`${line}\n`)
})
channel.on('end', () => process.exit())
