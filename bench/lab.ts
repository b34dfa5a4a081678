/**
 * Two hosts for a benchmark. 10.77.0.0/16 lives whole on the client (AnyIP: a local route), so that every knock can
 * come from a client of its own. The door, tcp/22, has a listener behind the usual default drop of iptables.
 *
 *     client  10.78.0.1 ──── 10.78.0.2  server: tcp/22
 *     10.77.0.0/16 (all of it)
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type Host, Network } from '../test/support/netns.ts'
import { clientAddress, DOOR_PORT, type Knock, SPA_PORT } from './knocks.ts'
import { addressNumber } from './traffic/ipv4.ts'
import type { AnswerTo, KnockPacket, Question } from './traffic/questions.ts'

const CLIENT = '10.78.0.1'
export const SERVER = '10.78.0.2'

/** For questions to {@link Traffic}. */
export const serverAddress = { address: addressNumber(SERVER), spaPort: SPA_PORT, doorPort: DOOR_PORT }

export class Lab implements AsyncDisposable {
  readonly server: Host
  readonly client: Host
  readonly #network: Network
  readonly #traffic: Traffic[] = []

  static async create(): Promise<Lab> {
    const network = await Network.create()
    try {
      const [client, server] = [await network.host('client'), await network.host('server')]
      await network.link(client, [`${CLIENT}/24`], server, [`${SERVER}/24`])
      client.must(['ip', 'route', 'add', 'local', '10.77.0.0/16', 'dev', 'lo'])
      server.must(['ip', 'route', 'add', '10.77.0.0/16', 'via', CLIENT])
      // Every attempt leaves a connection that is reset at once. These must not fill the table of connections.
      server.sysctl({ 'net.netfilter.nf_conntrack_tcp_timeout_close': 1 })
      // The same policy for every measured server: each opens the door in its own way.
      server.must(['iptables-restore'], { input: POLICY })
      await server.listen([{ protocol: 'tcp', port: DOOR_PORT, banner: 'the door' }])
      return new Lab(network, client, server)
    } catch (error) {
      await network.close()
      throw error
    }
  }

  private constructor(network: Network, client: Host, server: Host) {
    this.#network = network
    this.client = client
    this.server = server
  }

  /** A directory of its own for the server's files. */
  directory(): string {
    return this.#network.directory()
  }

  /** A process that sends. Several can run at the same time. */
  async traffic(): Promise<Traffic> {
    const traffic = await Traffic.start(this.client)
    this.#traffic.push(traffic)
    return traffic
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const traffic of this.#traffic) traffic.close()
    await this.#network.close()
  }
}

/** Default drop. Lets in the datagrams for a server with a UDP socket, and ghostport's mark. */
const POLICY = `*filter
:INPUT DROP
:FORWARD DROP
:OUTPUT ACCEPT
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
-A INPUT -m connmark --mark 0x200000/0x200000 -j ACCEPT
-A INPUT -p udp --dport ${SPA_PORT} -j ACCEPT
COMMIT
`

/** The process of `traffic/clients.ts`. It answers one question at a time. */
export class Traffic {
  readonly #child: ChildProcess

  static async start(host: Host): Promise<Traffic> {
    const script = fileURLToPath(new URL('./traffic/clients.ts', import.meta.url))
    const [program, ...args] = host.command([process.execPath, script]) as [string, ...string[]]
    const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], serialization: 'advanced' })
    const traffic = new Traffic(child)
    await traffic.#next()
    return traffic
  }

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  async ask<Q extends Question>(question: Q): Promise<AnswerTo<Q>> {
    const answered = this.#next()
    this.#child.send(question)
    return (await answered) as AnswerTo<Q>
  }

  close(): void {
    this.#child.kill('SIGKILL')
  }

  async #next(): Promise<unknown> {
    const gone = new AbortController()
    const ended = once(this.#child, 'exit', { signal: gone.signal }).then(() => {
      throw new Error('the process of the clients ended')
    })
    try {
      const [message] = await Promise.race([once(this.#child, 'message', { signal: gone.signal }), ended])
      return message
    } finally {
      ended.catch(() => {})
      gone.abort()
    }
  }
}

/** Knocks in the form that the process of the clients expects. */
export function knockPackets(knocks: readonly Knock[]): readonly KnockPacket[] {
  return knocks.map(({ source, payload }) => ({ source: addressNumber(source), payload }))
}

/** Client `n` in the form that the process of the clients expects. */
export function clientNumber(n: number): number {
  return addressNumber(clientAddress(n))
}
