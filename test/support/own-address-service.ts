/**
 * Web services for tests that tell a client its own address, on one host, by their names. Started as a program:
 * `own-address-service.ts FOLDER NAME=ANSWER…`, with key.pem and cert.pem in FOLDER. It listens on ports 443 (TLS) and
 * 80. The answer `peer` is the address of the client. A name without an answer gets status 404.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Host, Network, Program } from './netns.ts'
import { makeCertificate } from './tls-certificate.ts'

export interface OwnAddressServices {
  readonly program: Program
  /** The file of the authority that the services are certified by. */
  readonly authority: string
}

/** @param answers name → answer. @returns the program, when it listens. */
export async function startServices(
  net: Network,
  host: Host,
  answers: Readonly<Record<string, string>>,
): Promise<OwnAddressServices> {
  const folder = net.directory()
  const { key, cert } = makeCertificate(Object.keys(answers).map((name) => `DNS:${name}`))
  const authority = join(folder, 'cert.pem')
  writeFileSync(join(folder, 'key.pem'), key)
  writeFileSync(authority, cert, { mode: 0o644 })
  const table = Object.entries(answers).map(([name, answer]) => `${name}=${answer}`)
  const program = host.start([process.execPath, fileURLToPath(import.meta.url), folder, ...table])
  await program.says(/^ready$/m)
  return { program, authority }
}

/** Words before a command that give it a file of hosts of its own. @param address for all of these names. */
export function withHosts(addresses: readonly string[], names: readonly string[]): readonly string[] {
  const hosts = addresses.map((address) => `${address} ${names.join(' ')}`).join('\n')
  return [
    ...['unshare', '--mount', 'sh', '-ec'],
    'mount -t tmpfs none /mnt; printf "%s\\n" "$1" > /mnt/hosts; mount --bind /mnt/hosts /etc/hosts; shift; exec "$@"',
    'sh',
    hosts,
  ]
}

function serve([folder = '', ...table]: readonly string[]): void {
  const answers = new Map(table.map((entry) => entry.split('=') as [string, string]))
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const name = (request.headers.host ?? '').replace(/:[0-9]+$/, '')
    process.stdout.write(`asked ${name}${request.url} by ${request.headers['user-agent'] ?? 'nobody'}\n`)
    const says = answers.get(name)
    if (says === undefined) response.writeHead(404).end()
    else response.end(`${says === 'peer' ? request.socket.remoteAddress?.replace(/^::ffff:/, '') : says}\r\n`)
  }
  const files = { key: readFileSync(join(folder, 'key.pem')), cert: readFileSync(join(folder, 'cert.pem')) }
  createSecureServer(files, answer).listen(443, '::', () =>
    createServer(answer).listen(80, '::', () => process.stdout.write('ready\n')),
  )
}

if (process.argv[1] === fileURLToPath(import.meta.url)) serve(process.argv.slice(2))
