/**
 * The program that stands for a stranger. It runs in a network namespace that ends with it, and it ends with its
 * standard input: so nothing is left of it, also when the audit is killed. Each line that it reads is one question, and
 * each line that it writes is one answer (prober-lines.ts).
 */
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { errorCode } from '../../system/errno.ts'
import { milliseconds } from '../../units.ts'
import { type ProbeAnswer, type ProbeQuestion, parseQuestion, writeLine } from './prober-lines.ts'

const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => {
  const question = parseQuestion(line)
  if (question === undefined) process.exit(1)
  ask(question).then((answer) => process.stdout.write(writeLine({ id: question.id, answer })))
})
lines.on('close', () => process.exit(0))
process.stdout.on('error', () => process.exit(0))
process.stdout.write('ready\n')

function ask(question: ProbeQuestion): Promise<ProbeAnswer> {
  return question.protocol === 'tcp' ? askTcp(question) : askUdp(question)
}

/** How long a service has to close its side. */
const CLOSING_TIME = milliseconds(300)

/** A connection that is closed in order as soon as it is there: no service gets a byte. */
function askTcp({ address, port, sourcePort, time }: ProbeQuestion): Promise<ProbeAnswer> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, localPort: sourcePort })
    const late = setTimeout(() => end('silence'), time)
    const end = (answer: ProbeAnswer): void => {
      clearTimeout(late)
      socket.removeAllListeners()
      socket.on('error', () => {})
      if (answer === 'open') {
        // What it says is read, since unread bytes would make it a reset.
        socket.resume()
        socket.end()
        setTimeout(() => socket.destroy(), CLOSING_TIME)
      } else socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => end('open'))
    socket.once('error', (error) => end(answerOf(error)))
  })
}

/** One datagram of one zero byte. */
function askUdp({ address, port, sourcePort, time }: ProbeQuestion): Promise<ProbeAnswer> {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
    const late = setTimeout(() => end('silence'), time)
    const end = (answer: ProbeAnswer): void => {
      clearTimeout(late)
      socket.removeAllListeners()
      socket.on('error', () => {})
      try {
        socket.close()
      } catch {
        // It never opened.
      }
      resolve(answer)
    }
    socket.once('message', () => end('open'))
    socket.once('error', (error) => end(answerOf(error)))
    // Connected, so that the kernel reports a refusal.
    socket.bind(sourcePort, () => socket.connect(port, address, () => socket.send(new Uint8Array(1))))
  })
}

function answerOf(error: unknown): ProbeAnswer {
  const code = errorCode(error)
  if (code === 'ECONNREFUSED') return 'refused'
  return code === 'EHOSTUNREACH' || code === 'ENETUNREACH' || code === 'EACCES' ? 'rejected' : 'silence'
}
