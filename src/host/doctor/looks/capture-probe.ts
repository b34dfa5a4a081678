/**
 * Whether the receiver sees packets: it gets one of our own on each interface, and its count must grow. A datagram over
 * loopback would not take the way that a stranger's takes, so a frame arrives at the interface itself.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { CaptureConfig } from '../../../config/server/server-config.ts'
import type { Status } from '../../../daemon/warden/status.ts'
import { familyOf, type IpAddress, parseAddress } from '../../../packet/address.ts'
import { milliseconds, type Port } from '../../../units.ts'
import { lookAtInterfaces } from '../../facts/interfaces.ts'
import { type Known, known, notKnown } from '../../known.ts'
import type { InterfaceAddress, Looker } from '../../looker.ts'
import { PROBE_REFUSAL, probeFrame, probePayload } from '../probe-frame.ts'
import type { Subject } from '../subject.ts'
import { lookAtLoaded } from './configuration.ts'
import { lookAtStatus } from './status.ts'

/** What became of one packet. */
export interface Probed {
  /** `eth0, 192.0.2.10` or `the UDP socket on port 62201`. */
  readonly where: string
  /** Whether the receiver counted it. Not known: it could not be sent. */
  readonly seen: Known<boolean>
}

/** How often the count is asked for, and the time between. */
const TRIES = 20
const PAUSE = milliseconds(100)
/** As many packets at most: a host may have many addresses. */
const MOST_PROBES = 8

export async function lookAtCapture(subject: Subject): Promise<Known<readonly Probed[]>> {
  const { looker } = subject
  const loaded = await lookAtLoaded(subject)
  if (!loaded.known) return loaded
  const running = await lookAtStatus(subject)
  if (!running.known) return running
  const { socket, status } = running.value
  if (status === undefined) return notKnown('no server runs')
  if (looker.uid !== 0) return notKnown('only root may let a packet arrive')
  const probes: Probe[] = []
  for (const capture of loaded.value.server.captures) {
    const found = probesFor(capture, looker)
    if (!found.known) return found
    probes.push(...found.value)
  }
  if (probes.length === 0) return notKnown('no interface of the capture has an address')
  const probed: Probed[] = []
  // One after the other: each must grow the count by itself.
  for (const { where, send } of probes.slice(0, MOST_PROBES)) {
    const before = await countOf(looker, socket)
    const sent = before.known ? await send() : before
    probed.push({
      where,
      seen:
        sent.known && before.known
          ? await grows(looker, socket, before.value)
          : notKnown(sent.known ? '' : sent.because),
    })
  }
  return known(probed)
}

interface Probe {
  readonly where: string
  readonly send: () => Known<void> | Promise<Known<void>>
}

function probesFor(capture: CaptureConfig, looker: Looker): Known<readonly Probe[]> {
  const { kind, filter, ports } = capture
  if (kind === 'pcap-file') return notKnown('packets are read from a file (PCAP_FILE)')
  if (kind === 'tcp-server') return notKnown('knocks come over TCP connections (TCPSERV_PORT)')
  if (filter !== undefined) return notKnown('PCAP_FILTER asks for other packets than those to UDP ports')
  const port = firstPort(capture)
  if (port === undefined) return notKnown('there is no port')
  if (kind === 'udp') {
    const loopback = parseAddress('127.0.0.1')
    if (!loopback.ok) return notKnown('there is no loopback')
    // A socket has no interface, and so the way over loopback is its own.
    return known(
      ports.length === 0
        ? []
        : [
            {
              where: `the UDP socket on port ${port}`,
              send: () => looker.sendToSelf(loopback.value, port, probePayload()),
            },
          ],
    )
  }
  return framesFor(capture, port, looker)
}

function firstPort({ ports }: CaptureConfig): Port | undefined {
  const [port] = ports
  return typeof port === 'object' ? port.first : port
}

/** For each interface and family, its first address. */
function framesFor({ interfaces }: CaptureConfig, port: Port, looker: Looker): Known<readonly Probe[]> {
  const addresses = looker.addresses()
  if (!addresses.known) return addresses
  const routes = lookAtInterfaces(looker)
  const outer = routes.known ? routes.value.filter(({ defaultRoute }) => defaultRoute.length > 0) : []
  const all = addresses.value.filter(({ interface: name, hardware }) => name !== 'lo' && hardware.length === 6)
  const wanted = interfaces === 'any' ? outer.map(({ name }) => name) : interfaces
  const chosen = all.filter(({ interface: name }) => wanted.length === 0 || wanted.includes(name))
  const first = new Map<string, InterfaceAddress>()
  for (const each of chosen) {
    if (isLinkLocal(each.address)) continue
    const key = `${each.interface} ${familyOf(each.address)}`
    if (!first.has(key)) first.set(key, each)
  }
  return known(
    [...first.values()].map(({ interface: name, address, hardware }) => ({
      where: `${name}, ${address}`,
      send: () => looker.frameArrives(name, probeFrame(hardware, address, port)),
    })),
  )
}

function isLinkLocal(address: IpAddress): boolean {
  return /^fe[89ab]/.test(address)
}

async function grows(looker: Looker, socket: string, before: number): Promise<Known<boolean>> {
  for (let tries = 0; tries < TRIES; tries++) {
    const now = await countOf(looker, socket)
    if (!now.known) return now
    if (now.value > before) return known(true)
    await delay(PAUSE)
  }
  return known(false)
}

async function countOf(looker: Looker, socket: string): Promise<Known<number>> {
  const answer = await looker.control(socket)
  if (!answer.known) return answer
  if (answer.value === undefined) return notKnown('the server has ended')
  return known((answer.value as Status).counters.refused[PROBE_REFUSAL] ?? 0)
}
