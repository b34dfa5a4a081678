/** Runs inside a host of `netns.ts` and follows orders over IPC: listens, probes, holds connections. */
import { createSocket, type Socket as Datagrams } from 'node:dgram'
import { createServer, connect as dial, type Server, type Socket } from 'node:net'

type Protocol = 'tcp' | 'udp'
export type ConnectionId = number

export interface Listen {
  readonly protocol: Protocol
  readonly port: number
  /** What it greets with. `%peer` stands for the address that it sees the client at. */
  readonly banner: string
  /** Default: every address, both families. */
  readonly address?: string
}
export interface Probe {
  readonly protocol: Protocol
  readonly address: string
  readonly port: number
  /** The address to come from. */
  readonly source?: string
  /** The TCP port to come from. */
  readonly sourcePort?: number
  /** How long to wait before silence is called `timeout`: 400 ms. */
  readonly timeoutMs?: number
}
/** `open`, `refused`, `timeout`, `unreachable`, or the banner. */
export type Reach = string

export type Question =
  | ({ readonly do: 'listen' } & Listen)
  | { readonly do: 'unlisten'; readonly protocol: Protocol; readonly port: number }
  | ({ readonly do: 'probe' } & Probe)
  | ({ readonly do: 'connect' } & Probe)
  | { readonly do: 'echo'; readonly connection: ConnectionId; readonly timeoutMs: number }
  | { readonly do: 'await end'; readonly connection: ConnectionId; readonly timeoutMs: number }
  | { readonly do: 'disconnect'; readonly connection: ConnectionId; readonly reset?: boolean }

export interface Answer {
  readonly id: number
  readonly reach?: Reach
  readonly connection?: ConnectionId
  readonly problem?: string
}

const servers = new Map<string, { close(): void }>()
const held = new Map<ConnectionId, Socket>()
let connections = 0

process.on('message', (question: Question & { id: number }) => {
  answer(question).then(
    (said) => process.send?.({ id: question.id, ...said }),
    (error: unknown) => process.send?.({ id: question.id, problem: String(error) }),
  )
})
process.on('disconnect', () => process.exit())
process.send?.('ready')

async function answer(question: Question): Promise<Omit<Answer, 'id'>> {
  switch (question.do) {
    case 'listen':
      servers.set(`${question.protocol}/${question.port}`, await listen(question))
      return {}
    case 'unlisten':
      servers.get(`${question.protocol}/${question.port}`)?.close()
      servers.delete(`${question.protocol}/${question.port}`)
      return {}
    case 'probe':
      return { reach: question.protocol === 'tcp' ? await probeTcp(question) : await probeUdp(question) }
    case 'connect':
      return await hold(question)
    case 'echo':
      return { reach: await echo(held.get(question.connection), question.timeoutMs) }
    case 'await end':
      return { reach: await ended(held.get(question.connection), question.timeoutMs) }
    case 'disconnect':
      if (question.reset) held.get(question.connection)?.resetAndDestroy()
      else held.get(question.connection)?.destroy()
      held.delete(question.connection)
      return {}
    default:
      return question satisfies never
  }
}

function seen(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:/, '')
}

async function listen({ protocol, port, banner, address }: Listen): Promise<{ close(): void }> {
  const greeting = (peer: string | undefined): string => `${banner.replace('%peer', seen(peer))}\n`
  if (protocol === 'tcp') {
    const server: Server = createServer((socket) => {
      socket.on('error', () => {})
      socket.write(greeting(socket.remoteAddress))
      socket.pipe(socket)
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ port, host: address ?? '::' }, resolve)
    })
    return server
  }
  const socket: Datagrams = createSocket({ type: address === undefined || address.includes(':') ? 'udp6' : 'udp4' })
  socket.on('message', (_, from) => socket.send(greeting(from.address), from.port, from.address))
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.bind({ port, address: address ?? '::' }, resolve)
  })
  socket.on('error', () => {})
  return socket
}

function reasonOf(error: NodeJS.ErrnoException): Reach {
  if (error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET') return 'refused'
  if (error.code === 'ETIMEDOUT') return 'timeout'
  return 'unreachable'
}

/**
 * Calls `late` after this many milliseconds, once everything that has arrived by then was read. Otherwise a process
 * that had to wait for a processor would take its own delay for silence. @returns what prevents that.
 */
function ifLate(late: () => void, milliseconds: number): () => void {
  let last: NodeJS.Immediate | undefined
  const timer = setTimeout(() => {
    last = setImmediate(late)
  }, milliseconds)
  return () => {
    clearTimeout(timer)
    clearImmediate(last)
  }
}

/** A connection that greets within three seconds has a banner; another one is `open`. */
async function probeTcp({ address, port, source, sourcePort, timeoutMs = 400 }: Probe): Promise<Reach> {
  const from = { ...(source && { localAddress: source }), ...(sourcePort && { localPort: sourcePort }) }
  const socket = dial({ host: address, port, ...from })
  let cancel: () => void = () => {}
  try {
    return await new Promise<Reach>((resolve) => {
      cancel = ifLate(() => resolve('timeout'), timeoutMs)
      socket.on('error', (error) => resolve(reasonOf(error)))
      socket.once('connect', () => {
        cancel()
        cancel = ifLate(() => resolve('open'), 3_000)
      })
      socket.once('end', () => resolve('open'))
      socket.once('data', (greeting) => resolve(greeting.toString('utf8').trim()))
    })
  } finally {
    cancel()
    socket.destroy()
  }
}

async function probeUdp({ address, port, source, timeoutMs = 400 }: Probe): Promise<Reach> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  const timers: NodeJS.Timeout[] = []
  let cancel: () => void = () => {}
  try {
    return await new Promise<Reach>((resolve) => {
      socket.on('error', (error) => resolve(reasonOf(error)))
      socket.once('message', (greeting) => resolve(greeting.toString('utf8').trim()))
      const start = (): void =>
        // Connected, so that the kernel tells of an ICMP refusal.
        socket.connect(port, address, (error?: Error) => {
          if (error) return resolve(reasonOf(error))
          for (const at of [0, timeoutMs / 3, (2 * timeoutMs) / 3]) {
            timers.push(setTimeout(() => socket.send('?', (problem) => problem && resolve(reasonOf(problem))), at))
          }
        })
      if (source === undefined) start()
      else socket.bind({ address: source }, start)
      cancel = ifLate(() => resolve('timeout'), timeoutMs)
    })
  } finally {
    cancel()
    for (const timer of timers) clearTimeout(timer)
    socket.close()
  }
}

async function hold({ address, port, sourcePort, timeoutMs = 5_000 }: Probe): Promise<Omit<Answer, 'id'>> {
  const socket = dial({ host: address, port, noDelay: true, ...(sourcePort && { localPort: sourcePort }) })
  const connected = await new Promise<boolean>((resolve) => {
    const patience = setTimeout(() => resolve(false), timeoutMs)
    socket.on('error', () => resolve(false))
    // The greeting must be read first, to distinguish it from an echo.
    socket.once('data', () => {
      clearTimeout(patience)
      resolve(true)
    })
  })
  if (!connected) {
    socket.destroy()
    return { problem: `${address} ${port} does not answer` }
  }
  const id = ++connections
  held.set(id, socket)
  return { connection: id }
}

let words = 0
async function echo(socket: Socket | undefined, timeoutMs: number): Promise<Reach> {
  if (socket === undefined || socket.destroyed) return 'refused'
  const word = `word ${++words}\n`
  let heard = ''
  let listener: ((chunk: Buffer) => void) | undefined
  let cancel: () => void = () => {}
  try {
    return await new Promise<Reach>((resolve) => {
      cancel = ifLate(() => resolve('timeout'), timeoutMs)
      listener = (chunk): void => {
        heard += chunk.toString('latin1')
        if (heard.includes(word)) resolve('open')
      }
      socket.on('data', listener)
      socket.write(word)
    })
  } finally {
    cancel()
    if (listener) socket.off('data', listener)
  }
}

/** Sends nothing: only what this side is told ends it. */
async function ended(socket: Socket | undefined, timeoutMs: number): Promise<Reach> {
  if (socket === undefined || socket.destroyed || socket.readableEnded) return 'ended'
  return await new Promise<Reach>((resolve) => {
    const cancel = ifLate(() => resolve('open'), timeoutMs)
    socket.once('close', () => {
      cancel()
      resolve('ended')
    })
  })
}
