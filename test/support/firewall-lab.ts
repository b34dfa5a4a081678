/**
 * Where firewalls are tried: two clients, a server between them and an inner host.
 *
 *     c1 10.1.0.2 ────── 10.1.0.1 ┐
 *        fd01::2          fd01::1 │                 10.3.0.1 ────── 10.3.0.2 inner: tcp/8443, udp/8443
 *                                 server             fd03::1          fd03::2
 *     c2 10.2.0.2 ────── 10.2.0.1 │ tcp/22 tcp/25 tcp/80 udp/53
 *        fd02::2          fd02::1 ┘
 *
 * Services greet with their name; the inner one adds the client's address as it sees it.
 */
import { type IpAddress, parseAddress } from '../../src/packet/address.ts'
import { enter, type Host, Network } from './netns.ts'

export interface Lab extends AsyncDisposable {
  readonly net: Network
  readonly c1: Host
  readonly c2: Host
  readonly server: Host
  readonly inner: Host
  /** This thread, moved into the server's network. */
  readonly entered: true
}

/** The addresses of the drawing, by family. */
export const addresses = {
  4: {
    c1: ip('10.1.0.2'),
    c2: ip('10.2.0.2'),
    forC1: '10.1.0.1',
    forC2: '10.2.0.1',
    inner: ip('10.3.0.2'),
    near: '10.3.0.1',
  },
  6: {
    c1: ip('fd01::2'),
    c2: ip('fd02::2'),
    forC1: 'fd01::1',
    forC2: 'fd02::1',
    inner: ip('fd03::2'),
    near: 'fd03::1',
  },
} as const

export const families = [4, 6] as const

/** Builds it and moves the calling thread into the server's network until it is disposed of. */
export async function createLab(): Promise<Lab> {
  const net = await Network.create()
  try {
    const [c1, c2, server, inner] = await Promise.all(['c1', 'c2', 'server', 'inner'].map((name) => net.host(name)))
    if (!c1 || !c2 || !server || !inner) throw new Error('four hosts were asked for')
    // Link-local addresses, which nobody adds, are checked for duplicates too; a router finds no neighbour until then.
    for (const host of [c1, c2, server, inner]) {
      host.sysctl({ 'net.ipv6.conf.all.accept_dad': 0, 'net.ipv6.conf.default.accept_dad': 0 })
    }
    await net.link(c1, ['10.1.0.2/24', 'fd01::2/64'], server, ['10.1.0.1/24', 'fd01::1/64'])
    await net.link(c2, ['10.2.0.2/24', 'fd02::2/64'], server, ['10.2.0.1/24', 'fd02::1/64'])
    await net.link(inner, ['10.3.0.2/24', 'fd03::2/64'], server, ['10.3.0.1/24', 'fd03::1/64'])
    for (const [host, subnet] of [
      [c1, 1],
      [c2, 2],
      [inner, 3],
    ] as const) {
      host.must(['ip', 'route', 'add', 'default', 'via', `10.${subnet}.0.1`])
      host.must(['ip', '-6', 'route', 'add', 'default', 'via', `fd0${subnet}::1`])
    }
    server.sysctl({ 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 })
    await server.listen([
      { protocol: 'tcp', port: 22, banner: 'ssh' },
      { protocol: 'tcp', port: 25, banner: 'mail' },
      { protocol: 'tcp', port: 80, banner: 'web' },
      { protocol: 'udp', port: 53, banner: 'dns' },
    ])
    await inner.listen([
      { protocol: 'tcp', port: 8443, banner: 'inner for %peer' },
      { protocol: 'udp', port: 8443, banner: 'inner for %peer' },
    ])
    const leave = await enter(server)
    return {
      net,
      c1,
      c2,
      server,
      inner,
      entered: true,
      [Symbol.asyncDispose]: async () => {
        leave()
        await net.close()
      },
    }
  } catch (error) {
    await net.close()
    throw error
  }
}

function ip(text: string): IpAddress {
  const address = parseAddress(text)
  if (!address.ok) throw new Error(address.failure.detail)
  return address.value
}
