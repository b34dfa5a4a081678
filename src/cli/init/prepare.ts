/** Looks at this host, and makes the plan of `ghostport init`. Changes nothing. */
import { existsSync } from 'node:fs'
import type { StanzaName } from '../../access/stanza-name.ts'
import { type ConfigFiles, withTexts } from '../../config/reading/config-files.ts'
import { reviewConfig } from '../../config/review.ts'
import {
  type ConnectionMark,
  DEFAULT_MARK,
  DEFAULT_TABLE,
  type NftablesConfig,
  type TableName,
} from '../../config/server/firewall-settings.ts'
import { socketPorts } from '../../config/server/server-config.ts'
import { grantedPorts } from '../../daemon/warden/admission/granted-ports.ts'
import { GATE_UNIT, gateUnit } from '../../daemon/warden/boot-gate.ts'
import { diskFiles } from '../../daemon/warden/config-files-on-disk.ts'
import type { Finding } from '../../firewall/host/findings.ts'
import { hasIpv6 } from '../../firewall/host/read-host.ts'
import { USUAL_SETTINGS, USUAL_STANZAS } from '../../host/facts/own-state.ts'
import { sshPorts } from '../../host/facts/sshd.ts'
import { type HostFacts, lookAtFacts } from '../../host/facts.ts'
import { valueOr, whenKnown } from '../../host/known.ts'
import type { Looker } from '../../host/looker.ts'
import { findNft } from '../../host/policy/nft-program.ts'
import type { HostPolicy } from '../../host/policy/policy.ts'
import { renderPolicy } from '../../host/policy/render.ts'
import { lookWhatFits } from '../../host/policy/surroundings.ts'
import { POLICY_FILE, policyFiles } from '../../host/policy/units.ts'
import { withoutPolicy } from '../../host/set-up/after-uninstall.ts'
import { chooseWay, type Way } from '../../host/set-up/choose-way.ts'
import { withSettings } from '../../host/set-up/edit-settings.ts'
import { offerPolicy, type PolicyOffer } from '../../host/set-up/offer-policy.ts'
import { type PlannedSteps, planSteps, type SetUpParts, type Step } from '../../host/set-up/steps.ts'
import { UNIT_FOLDER } from '../../host/way-back/units.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { formatProtocolPorts } from '../../packet/protocol-port.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { judgeTrail, ourUsers } from '../../system/file-trust.ts'
import { usualKeys } from '../keygen.ts'
import { accessStanza, type KeyTexts } from '../knock/keygen-text.ts'
import { pathsHere, printedUnit, SERVER_UNIT, UNITS_BESIDE, unitObstacles } from '../unit.ts'
import { hostRules } from './host-rules.ts'
import type { Wishes } from './wishes.ts'

const needed = [
  ...(['distribution', 'systemd', 'units', 'interfaces', 'sshd', 'managers', 'session', 'clock'] as const),
  ...(['fwknop', 'ownState', 'listening'] as const),
] as const
export type SeenHost = Pick<HostFacts, (typeof needed)[number]>

/** All that `ghostport init` is going to do, and why. */
export interface Prepared {
  readonly host: SeenHost
  readonly hide: readonly ProtocolPort[]
  /** Whether a port of sshd is among them. */
  readonly hidesSsh: boolean
  readonly way: Way
  readonly because: string
  readonly findings: readonly Finding[]
  readonly table: TableName
  readonly mark: ConnectionMark
  readonly steps: PlannedSteps
  /** What becomes of the other ports. */
  readonly offer: PolicyOffer
  readonly client: ClientSide
  /** The texts of the files that the server will read, by path. */
  readonly texts: Readonly<Record<string, string>>
  /** An earlier configuration that stays. */
  readonly kept: readonly string[]
  /** What the importer says of it, and what else is to be known. */
  readonly notices: readonly string[]
}

/** How the first client reaches this host. */
export interface ClientSide {
  readonly server: string
  readonly alias: StanzaName
  /** Absent: the stanzas that are there stay, and their clients have the keys. */
  readonly keys?: KeyTexts
  readonly sshPort?: number
  /** The name to log in with. */
  readonly user: string
}

/** @returns SETUP_REFUSED, or what is wrong with the files that are there. */
export async function prepare(looker: Looker, wishes: Wishes): Promise<Result<Prepared>> {
  const host = await lookAtFacts(looker, needed)
  const suited = judgeHost(host)
  if (!suited.ok) return suited
  const ssh = host.sshd.known ? sshPorts(host.sshd.value) : []
  const hide = wishes.hide ?? ssh.map((port): ProtocolPort => ({ protocol: 'tcp', port }))
  if (hide.length === 0)
    return refuse('SETUP_REFUSED', 'no ssh server listens here, and --hide does not say what to hide', {
      suggestion: '--hide tcp/8080',
    })
  if (!host.managers.known) return refuse('SETUP_REFUSED', host.managers.because)
  const files = diskFiles(looker.uid)
  const kept = valueOr(host.ownState, undefined)?.files ?? []
  const before = earlierFirewall(files, kept)
  if (!before.ok) return before
  const { table, mark } = before.value ?? { table: DEFAULT_TABLE, mark: DEFAULT_MARK }
  const rules = await hostRules()
  if (!rules.ok) return rules
  const ipv6 = hasIpv6()
  // The policy drops all that nobody lets in, so it would always choose mark. The gate shuts the ports also without it.
  const judged = before.value?.mode.kind === 'mark' ? rules.value : withoutPolicy(rules.value)
  const chosen = chooseWay({ rules: judged, managers: host.managers.value, ipv6, table, mark, ports: hide })
  if (!chosen.ok) return chosen
  const { way, because, findings } = chosen.value

  const client = clientSide(looker, host, wishes, !kept.includes(USUAL_STANZAS), hide)
  const texts = composeTexts(files, kept, hide, way, client, wishes.name)
  if (!texts.ok) return texts
  const planned = withTexts(files, new Map(Object.entries(texts.value)))
  const { faults, loaded } = reviewConfig(planned, { server: USUAL_SETTINGS })
  const [fault] = faults
  if (fault !== undefined) return { ok: false, failure: fault }
  const granted = grantedPorts(loaded?.policy.stanzas ?? [])
  const closed = hide.filter((one) => !granted.some((it) => it.protocol === one.protocol && it.port === one.port))
  if (closed.length > 0)
    return refuse(
      'SETUP_REFUSED',
      `no stanza of ${loaded?.server.accessFile ?? USUAL_STANZAS} opens ${formatProtocolPorts(closed)}, so no knock could`,
      { suggestion: `OPEN_PORTS ${formatProtocolPorts(hide).replaceAll(' and ', ', ')}` },
    )
  const listened = loaded === undefined ? [] : socketPorts(loaded.server.captures)
  const sshPortsHere = whenKnown(host.sshd, sshPorts)
  const hasPolicy = existsSync(POLICY_FILE) || rules.value.tables.length !== withoutPolicy(rules.value).tables.length
  const offer = offerPolicy({
    ...{ wished: wishes.policy, allow: wishes.allow ?? [], hide, mark, table, listened, tables: rules.value.tables },
    ...{ managers: host.managers, listening: host.listening, session: host.session, sshPorts: sshPortsHere },
    ...{ fits: lookWhatFits(looker), there: hasPolicy },
  })
  if (!offer.ok) return offer
  const nft = findNft()
  if (!nft.ok) return nft
  const files2 = await wantedFiles(host, texts.value, way, table, hide, nft.value)
  if (!files2.ok) return files2
  const policy = offer.value.kind === 'planned' ? { policy: loading(nft.value, offer.value.policy) } : {}
  const steps = planSteps({ ...files2.value, table, ...states(host, way), ...policy })
  const notices = (loaded?.notices ?? []).map(({ level, text, cure }) => `${level}: ${text}${cure ? ` (${cure})` : ''}`)
  const hidesSsh = hide.some(({ protocol, port }) => protocol === 'tcp' && ssh.includes(port))
  return ok({
    ...{ host, hide, hidesSsh, way, because, findings, table, mark, steps, client, kept, notices, offer: offer.value },
    texts: texts.value,
  })
}

function judgeHost({ systemd }: SeenHost): Result<void> {
  if (process.getuid?.() !== 0)
    return refuse('PRIVILEGE_MISSING', 'ghostport init looks at and changes the whole host', {
      suggestion: 'sudo ghostport init',
    })
  if (!systemd.known || !systemd.value.running)
    return refuse(
      'SETUP_REFUSED',
      'systemd does not run this host, so nobody would take the changes back after a mistake. docs/OPERATING.md has the steps by hand',
    )
  return ok(undefined)
}

/** What an earlier configuration says of the firewall. */
function earlierFirewall(files: ConfigFiles, kept: readonly string[]): Result<NftablesConfig | undefined> {
  if (!kept.includes(USUAL_SETTINGS)) return ok(undefined)
  const { faults, loaded } = reviewConfig(files, { server: USUAL_SETTINGS })
  const [fault] = faults.filter(({ at, code }) => at?.file === USUAL_SETTINGS && code !== 'CONFIG_CONFLICT')
  if (fault !== undefined) return { ok: false, failure: fault }
  const { firewall } = loaded?.server ?? {}
  if (firewall === undefined || firewall.kind === 'nftables') return ok(firewall)
  return refuse(
    'SETUP_REFUSED',
    `${USUAL_SETTINGS} has FIREWALL ${firewall.kind}, and ghostport init works with FIREWALL nftables only`,
  )
}

/** The address that clients probably use: that of this session, or of the link with the default route. */
export function usualServer(looker: Looker, { session, interfaces }: Pick<SeenHost, 'session' | 'interfaces'>): string {
  if (session.known && session.value.kind === 'ssh') return session.value.connection.local
  const usable = [...valueOr(interfaces, [])]
    .filter(({ name }) => name !== 'lo')
    .sort((a, b) => b.defaultRoute.length - a.defaultRoute.length)
    .flatMap(({ addresses }) => addresses.map(({ address }) => address))
    .filter((address) => !/^(fe80:|169\.254\.)/.test(address))
  return usable[0] ?? hostName(looker)
}

function hostName(looker: Looker): string {
  const text = looker.read('/proc/sys/kernel/hostname')
  return ((text.known && text.value) || '').trim()
}

function clientSide(
  looker: Looker,
  host: SeenHost,
  { server, alias }: Wishes,
  isNew: boolean,
  hide: readonly ProtocolPort[],
): ClientSide {
  const [name = ''] = hostName(looker).split('.')
  const usual = /^[a-z][a-z0-9-]{0,30}$/i.test(name) && name !== 'localhost' ? name : 'myserver'
  const ssh = host.sshd.known ? host.sshd.value.find(({ port }) => hide.some((one) => one.port === port)) : undefined
  return {
    server: server ?? usualServer(looker, host),
    alias: alias ?? (usual as StanzaName),
    user: looker.environment['SUDO_USER'] ?? looker.environment['USER'] ?? 'root',
    ...(isNew && { keys: usualKeys() }),
    ...(ssh !== undefined && { sshPort: ssh.port }),
  }
}

const HEADING = '# ghostport: the server’s settings. docs/CONFIG.md has them all. Written by “ghostport init”.\n'
const STANZA_HEADING =
  '# ghostport: who may open what. It holds keys: it must belong to root, with mode 0600. Written by “ghostport init”.\n\n'

function composeTexts(
  files: ConfigFiles,
  kept: readonly string[],
  hide: readonly ProtocolPort[],
  way: Way,
  { keys }: ClientSide,
  name: StanzaName,
): Result<Readonly<Record<string, string>>> {
  const old = kept.includes(USUAL_SETTINGS) ? files.read(USUAL_SETTINGS) : ok(HEADING)
  if (!old.ok) return old
  const ports = hide.map((one) => formatProtocolPorts([one])).join(', ')
  const settings =
    way.kind === 'gate' ? { FIREWALL_MODE: 'gate', PROTECTED_PORTS: ports } : ({ FIREWALL_MODE: 'mark' } as const)
  const text = withSettings(old.value, settings)
  if (keys === undefined) return ok({ [USUAL_SETTINGS]: text })
  const stanza = accessStanza(keys, { name, ports: ports.replaceAll(', ', ',') })
  return ok({ [USUAL_SETTINGS]: text, [USUAL_STANZAS]: `${STANZA_HEADING}${stanza}\n` })
}

const MODE_OF_SETTINGS = 0o644
const SECRET_MODE = 0o600

function loading(nft: string, policy: HostPolicy): NonNullable<SetUpParts['policy']> {
  const files = policyFiles(nft, renderPolicy(policy)).map(
    ({ about, ...file }) => ({ kind: 'file', file, about, secret: false }) as const,
  )
  return { files, nft }
}

/** All files, with the units; those that are there already, with the same text, are left out. */
async function wantedFiles(
  { units }: SeenHost,
  texts: Readonly<Record<string, string>>,
  way: Way,
  table: TableName,
  hide: readonly ProtocolPort[],
  nft: string,
): Promise<Result<{ files: readonly Extract<Step, { kind: 'file' }>[] }>> {
  const files: Extract<Step, { kind: 'file' }>[] = []
  const add = (path: string, text: string, mode: number, about: string): void => {
    if (textOf(path) !== text)
      files.push({ kind: 'file', file: { path, text, mode }, about, secret: path === USUAL_STANZAS })
  }
  for (const path of Object.keys(texts)) {
    // The server would refuse such a file, after the ports were shut.
    const exposed = judgeTrail(path, { owners: ourUsers() })
    if (exposed !== undefined) return { ok: false, failure: exposed }
  }
  const [settings, stanzas] = [texts[USUAL_SETTINGS], texts[USUAL_STANZAS]]
  if (settings !== undefined) add(USUAL_SETTINGS, settings, MODE_OF_SETTINGS, 'the settings of the server')
  if (stanzas !== undefined) add(USUAL_STANZAS, stanzas, SECRET_MODE, 'who may knock, with new keys')
  const unit = valueOr(units, undefined)?.get('ghostport.service')
  if (unit === undefined || unit.load === 'not-found') {
    const paths = pathsHere(USUAL_SETTINGS, USUAL_STANZAS)
    const [obstacle] = unitObstacles(paths)
    if (obstacle !== undefined) return refuse('SETUP_REFUSED', obstacle)
    // An earlier set-up may run commands, which the usual unit does not let.
    const made = await printedUnit(USUAL_SETTINGS, USUAL_STANZAS)
    if (!made.ok) return made
    add(`${UNIT_FOLDER}/${SERVER_UNIT}`, made.value, MODE_OF_SETTINGS, 'the service')
    for (const name of UNITS_BESIDE) {
      const beside = await printedUnit(USUAL_SETTINGS, USUAL_STANZAS, name)
      if (!beside.ok) return beside
      add(`${UNIT_FOLDER}/${name}`, beside.value, MODE_OF_SETTINGS, ABOUT_UNITS[name])
    }
  }
  if (way.kind === 'gate') {
    const [first, ...rest] = hide
    const text = first && gateUnit({ table, mode: { kind: 'gate', protectedPorts: [first, ...rest] } }, nft)
    if (text !== undefined) add(GATE_UNIT, text, MODE_OF_SETTINGS, 'shuts the ports at boot, before the network is up')
  }
  return ok({ files })
}

const ABOUT_UNITS: Readonly<Record<(typeof UNITS_BESIDE)[number], string>> = {
  'ghostport-receiver@.service': 'systemd starts the receiver by it',
  'ghostport-receiver.socket': 'systemd starts the receiver by it',
  'ghostport-helper@.service': 'systemd starts the server’s helpers by it',
  'ghostport-helper.socket': 'systemd starts the server’s helpers by it',
}

function textOf(path: string): string | undefined {
  const read = diskFiles(0).read(path)
  return read.ok ? read.value : undefined
}

function states({ units, fwknop }: SeenHost, way: Way) {
  const unit = (name: 'ghostport.service' | 'ghostport-gate.service') => {
    const state = valueOr(units, undefined)?.get(name)
    return { active: state?.active === 'active', enabled: state?.enabled === 'enabled' }
  }
  const old = valueOr(fwknop, undefined)
  return {
    server: unit('ghostport.service'),
    ...(way.kind === 'gate' && { gate: unit('ghostport-gate.service') }),
    ...(old?.unit !== undefined && {
      fwknop: { active: old.unit.active === 'active', enabled: old.unit.enabled === 'enabled' },
    }),
    ...(way.kind === 'gate' && way.letIn !== undefined && { letIn: way.letIn }),
  }
}
