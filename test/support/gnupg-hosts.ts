/**
 * Two hosts and a keyring, for tests in which a real client knocks by GnuPG on a real server. Each case has a port of
 * its own on the server, with a service that says `service-PORT`.
 *
 *   client 10.9.0.1 ── 10.9.0.2 server
 */
import { SERVER } from './daemon.ts'
import { type Keyring, makeKeyring } from './gnupg.ts'
import { type Host, Network } from './netns.ts'

const FIRST_PORT = 21_000

export interface GnupgHosts {
  readonly net: Network
  readonly client: Host
  readonly server: Host
  readonly keyring: Keyring
  close(): Promise<void>
}

/** @param cases how many there are. */
export async function createGnupgHosts(cases: number): Promise<GnupgHosts> {
  const keyring = makeKeyring()
  const net = await Network.create()
  const close = async (): Promise<void> => {
    await net.close()
    keyring.remove()
  }
  try {
    const [client, server] = [await net.host('client'), await net.host('server')]
    await net.link(client, ['10.9.0.1/24'], server, [`${SERVER}/24`])
    const ports = Array.from({ length: cases }, (_, i) => portOf(i))
    await server.listen(ports.map((port) => ({ protocol: 'tcp', port, banner: bannerOf(port) })))
    return { net, client, server, keyring, close }
  } catch (error) {
    await close()
    throw error
  }
}

export function portOf(i: number): number {
  return FIRST_PORT + i
}

export function bannerOf(port: number): string {
  return `service-${port}`
}

export function hmacOf(i: number): string {
  return `an hmac key for case ${i}`
}

/** The client's option: whom it encrypts for. @param server the name of a key in the keyring. */
export function recipient(server: string): readonly string[] {
  return ['--gpg-recipient-key', `${server}@spa.test`]
}
