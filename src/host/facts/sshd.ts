/** Where the ssh server of this host listens, also where systemd listens for it (ssh.socket). */
import { type IpAddress, parseAddress } from '../../packet/address.ts'
import { type Port, parsePort } from '../../units.ts'
import { type Known, known, notKnown } from '../known.ts'
import type { Looker } from '../looker.ts'
import { type Listening, lookAtListening } from './listening.ts'
import { lookAtUnits, type Units } from './systemd.ts'

export interface SshEndpoint {
  readonly address: IpAddress
  readonly port: Port
  /** `sshd` or `dropbear`, or systemd for a server that it starts for each connection. */
  readonly by: 'sshd' | 'dropbear' | 'ssh.socket'
}

export async function lookAtSshd(looker: Looker): Promise<Known<readonly SshEndpoint[]>> {
  return judgeSshd(lookAtListening(looker), await lookAtUnits(looker))
}

/** @returns the places where it listens; empty if none does. */
export function judgeSshd(listening: Known<readonly Listening[]>, units: Known<Units>): Known<readonly SshEndpoint[]> {
  if (!listening.known) return listening
  const sockets = socketUnitEndpoints(units)
  const held: SshEndpoint[] = []
  for (const { protocol, address, port, programs } of listening.value) {
    if (protocol !== 'tcp') continue
    if (!programs.known) {
      if (sockets.some((each) => each.port === port)) continue
      return notKnown(programs.because)
    }
    const [by] = programs.value.flatMap(({ name }) => (name === 'sshd' || name === 'dropbear' ? ([name] as const) : []))
    if (by !== undefined && !sockets.some((each) => each.port === port)) held.push({ address, port, by })
  }
  return known([...sockets, ...held])
}

function socketUnitEndpoints(units: Known<Units>): readonly SshEndpoint[] {
  if (!units.known) return []
  const states = (['ssh.socket', 'sshd.socket'] as const).map((name) => units.value.get(name))
  const found = states.flatMap((state) => (state?.active === 'active' ? state.listens : [])).flatMap(parseListen)
  return found.filter(
    ({ address, port }, i) => found.findIndex((other) => other.address === address && other.port === port) === i,
  )
}

/** `0.0.0.0:22 (Stream)`, `[::]:22 (Stream)`. A path is no place that others reach. */
export function parseListen(text: string): readonly SshEndpoint[] {
  const [, six, four, number = ''] = /^(?:\[([^\]]+)\]|([\d.]+)):(\d+) \(Stream\)$/.exec(text) ?? []
  const address = parseAddress(six ?? four ?? '')
  const port = parsePort(number)
  return address.ok && port.ok ? [{ address: address.value, port: port.value, by: 'ssh.socket' }] : []
}

/** The ports, each once. */
export function sshPorts(endpoints: readonly SshEndpoint[]): readonly Port[] {
  return [...new Set(endpoints.map(({ port }) => port))]
}
