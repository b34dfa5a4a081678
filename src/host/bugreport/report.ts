/** A bug report: what those who mend ghostport need to know of a host, and nothing that names the host. */
import { arch } from 'node:os'
import { gnupgOf } from '../../access/stanza.ts'
import { serverSettingNames } from '../../config/server/fwknopd-settings.ts'
import type { Status } from '../../daemon/warden/status.ts'
import { type FailureCode, failureKinds } from '../../failure-codes.ts'
import { isPrivate } from '../../packet/address-kinds.ts'
import { severities } from '../doctor/check.ts'
import type { Examined } from '../doctor/doctor.ts'
import type { DoctorFacts } from '../doctor/doctor-facts.ts'
import type { UnitState } from '../facts/systemd.ts'
import { askedFor, count, type Field, type Fields, fact, oneOf, version, yes } from './fields.ts'

/** The facts that a report tells of. */
export const REPORTED = [
  'distribution',
  'systemd',
  'units',
  'kernel',
  'nft',
  'ownedTables',
  'interfaces',
  'listening',
  'sshd',
  'managers',
  'clock',
  'hardwareClock',
  'fwknop',
  'configuration',
  'status',
] as const satisfies readonly (keyof DoctorFacts)[]
export type ReportedFacts = Pick<DoctorFacts, (typeof REPORTED)[number]>

export interface ReportOptions {
  readonly ghostport: string
  readonly node: string
  /** Also the addresses of interfaces and services. */
  readonly withAddresses: boolean
}

const DISTRIBUTIONS =
  'debian ubuntu raspbian fedora rhel centos rocky almalinux alpine openwrt arch opensuse-leap opensuse-tumbleweed sles gentoo nixos void'.split(
    ' ',
  )
const MANAGERS = ['ufw', 'firewalld', 'docker', 'fail2ban', 'nft', 'iptables-nft', 'iptables-legacy']
const ACTIVE = ['active', 'reloading', 'inactive', 'failed', 'activating', 'deactivating']
const ENABLED = ['enabled', 'enabled-runtime', 'disabled', 'static', 'masked', 'indirect', 'linked', 'alias']
const LOADED = ['loaded', 'not-found', 'bad-setting', 'error', 'masked']
const SHOWN_UNITS = [
  'ghostport.service',
  'ghostport-gate.service',
  'fwknop-server.service',
  'nftables.service',
  'ufw.service',
  'firewalld.service',
  'docker.service',
] as const

export function bugReport(facts: ReportedFacts, examined: readonly Examined[], options: ReportOptions): Fields {
  return {
    report: count(1),
    program: {
      ghostport: version(options.ghostport),
      node: version(options.node),
      processor: oneOf(arch(), ['x64', 'arm64', 'riscv64', 'loong64', 'arm', 'ia32']),
    },
    host: hostFields(facts),
    firewall: firewallFields(facts),
    services: servicesFields(facts),
    units: unitFields(facts),
    configuration: configurationFields(facts),
    server: serverFields(facts),
    doctor: doctorFields(examined),
    ...(options.withAddresses && { addresses: addressFields(facts) }),
  }
}

function hostFields({ distribution, systemd, kernel, clock, hardwareClock, interfaces }: ReportedFacts): Fields {
  return {
    distribution: fact(distribution, ({ id }) => oneOf(id, DISTRIBUTIONS)),
    distributionVersion: fact(distribution, (value) => version(value.version)),
    kernel: fact(kernel, ({ release }) => version(release)),
    systemd: fact(systemd, (value) => (value.running ? version(String(value.version ?? '')) : yes(false))),
    clockSynchronised: fact(clock, ({ synchronised }) => yes(synchronised)),
    hardwareClocks: fact(hardwareClock, ({ clocks }) => count(clocks.length)),
    interfaces: fact(interfaces, (all) => count(all.length)),
    ipv4Addresses: fact(interfaces, (all) => count(addressesOf(all, 4))),
    ipv6Addresses: fact(interfaces, (all) => count(addressesOf(all, 6))),
    publicAddresses: fact(interfaces, (all) =>
      count(all.flatMap(({ addresses }) => addresses).filter(({ address }) => !isPrivate(address)).length),
    ),
    defaultRoutes: fact(interfaces, (all) =>
      count(all.reduce((sum, { defaultRoute }) => sum + defaultRoute.length, 0)),
    ),
  }
}

type Interfaces = Extract<ReportedFacts['interfaces'], { readonly known: true }>['value']

function addressesOf(interfaces: Interfaces, family: 4 | 6): number {
  return interfaces
    .filter(({ name }) => name !== 'lo')
    .flatMap(({ addresses }) => addresses)
    .filter(({ address }) => address.includes(':') === (family === 6)).length
}

function firewallFields({ managers, nft, ownedTables }: ReportedFacts): Fields {
  return {
    nft: fact(nft, (numbers) => version(numbers.join('.'))),
    ownedTablesPossible: fact(ownedTables, ({ possible }) => yes(possible)),
    managers: managers.known
      ? managers.value.managers.map(({ name }) => oneOf(name, MANAGERS))
      : [fact(managers, () => yes(true))],
    iptables: fact(managers, (value) =>
      fact(value.iptables, (kind) => oneOf(kind, ['nft', 'legacy', 'not installed'])),
    ),
    legacyTables: fact(managers, ({ legacyTables }) => count(legacyTables.length)),
    nftablesFlushes: fact(managers, (value) => fact(value.nftablesFlushes, yes)),
  }
}

function servicesFields({ listening, sshd, fwknop }: ReportedFacts): Fields {
  const of = (protocol: 'tcp' | 'udp', family: 4 | 6): Field =>
    fact(listening, (all) => count(all.filter((each) => each.protocol === protocol && each.family === family).length))
  return {
    tcp4: of('tcp', 4),
    tcp6: of('tcp', 6),
    udp4: of('udp', 4),
    udp6: of('udp', 6),
    sshServers: fact(sshd, (all) => count(all.length)),
    sshBySocketUnit: fact(sshd, (all) => yes(all.some(({ by }) => by === 'ssh.socket'))),
    fwknopInstalled: fact(fwknop, ({ installed }) => yes(installed)),
    fwknopRuns: fact(fwknop, ({ pid }) => yes(pid !== undefined)),
  }
}

function unitFields({ units }: ReportedFacts): Fields {
  if (!units.known) return { known: yes(false) }
  const one = (state: UnitState | undefined): Field | Fields =>
    state === undefined || state.load === 'not-found'
      ? oneOf('not-found', LOADED)
      : {
          load: oneOf(state.load, LOADED),
          active: oneOf(state.active, ACTIVE),
          enabled: oneOf(state.enabled, ENABLED),
          restarts: count(state.restarts),
        }
  return Object.fromEntries(SHOWN_UNITS.map((name) => [name, one(units.value.get(name))]))
}

const FIREWALLS = ['nftables', 'iptables', 'relay']
const CAPTURES = ['packet', 'udp', 'tcp-server', 'pcap-file']
const CODES: readonly string[] = Object.keys(failureKinds)

function configurationFields({ configuration }: ReportedFacts): Fields {
  if (!configuration.known) return { known: yes(false) }
  const { faults, refusals, loaded } = configuration.value
  const codes = [...faults, ...refusals].map(({ code }) => oneOf(code, CODES))
  if (loaded === undefined) return { good: yes(false), faults: codes }
  const { server, policy, texts } = loaded
  const { firewall } = server
  return {
    good: yes(codes.length === 0),
    faults: codes,
    // Names of settings are words of ours; their values stay here.
    settings: Object.keys(texts).map((name) => oneOf(name, serverSettingNames)),
    firewall: oneOf(firewall.kind, FIREWALLS),
    mode: oneOf(firewall.kind === 'nftables' ? firewall.mode.kind : undefined, ['mark', 'gate']),
    captures: server.captures.map(({ kind }) => oneOf(kind, CAPTURES)),
    stanzas: count(policy.stanzas.length),
    stanzasByGnupg: count(policy.stanzas.filter((stanza) => gnupgOf(stanza) !== undefined).length),
    stanzasWithCommands: count(
      policy.stanzas.filter(({ commands, cycle }) => (commands ?? cycle) !== undefined).length,
    ),
  }
}

function serverFields({ status }: ReportedFacts): Fields {
  if (!status.known) return { known: yes(false) }
  const running: Status | undefined = status.value.status
  if (running === undefined) return { runs: yes(false) }
  // A server from before an update sends no interfaces.
  const { counters, capturing, grants, receiver, warnings, remembered, interfaces = [] }: Told = running
  return {
    runs: yes(true),
    receives: yes(capturing && receiver !== null),
    firewallAnswers: yes(grants !== null),
    liveGrants: count(grants?.length ?? 0),
    remembered: count(remembered ?? 0),
    looked: count(counters.looked),
    granted: count(counters.granted),
    undecided: count(counters.undecided),
    dropped: count(counters.dropped),
    refused: Object.fromEntries(
      Object.entries(counters.refused).flatMap(([code, number]) =>
        CODES.includes(code) ? [[code as FailureCode, count(Number(number))]] : [],
      ),
    ),
    warnings: warnings.map(({ code }) => oneOf(code, HOST_CODES)),
    interfaces: interfaces.map(({ code }) => oneOf(code, INTERFACE_CODES)),
  }
}

type Told = Omit<Status, 'interfaces'> & Partial<Pick<Status, 'interfaces'>>

const INTERFACE_CODES = [
  'INTF_MISSING',
  'INTF_NOT_RUNNING',
  'INTF_RESET',
  'INTF_NO_ADDRESS',
  'INTF_ELSEWHERE',
  'INTF_UNHEARD',
]

const HOST_CODES = [
  'HOST_DROPS_MARK',
  'HOST_DROPS_PORT',
  'HOST_OPEN_PORT',
  'HOST_DROPS_KNOCKS',
  'HOST_NOTRACK',
  'HOST_DROPS_NEIGHBOURS',
  'HOST_NOT_JUDGED',
]

/** The codes and the answers: the sentences may name addresses and paths. */
function doctorFields(examined: readonly Examined[]): Fields {
  return Object.fromEntries(
    examined.map(({ check: { code }, answer }) => [
      code,
      answer.kind === 'bad'
        ? answer.findings.map(({ severity }) => oneOf(severity, severities))
        : oneOf(answer.kind, ['good', 'not checked']),
    ]),
  )
}

function addressFields({ interfaces, listening }: ReportedFacts): Fields {
  return {
    interfaces: interfaces.known
      ? interfaces.value.flatMap(({ addresses }) =>
          addresses.map(({ address, prefixLength }) => askedFor(`${address}/${prefixLength}`)),
        )
      : [],
    listening: listening.known
      ? listening.value.map(({ protocol, address, port }) => askedFor(`${protocol} ${address} ${port}`))
      : [],
  }
}
