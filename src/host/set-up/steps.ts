/** What `ghostport init` is going to change, in order, each with its inverse. Pure. */
import type { TableName } from '../../config/server/firewall-settings.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { REMOVE_TABLE } from '../policy/render.ts'
import { POLICY_UNIT, POLICY_WATCH } from '../policy/units.ts'
import { word } from '../way-back/inverse.ts'
import type { WantedFile } from '../way-back/way-back.ts'
import type { LetIn } from './choose-way.ts'

type Argv = readonly [string, ...string[]]

/** One change. */
export type Step =
  | {
      readonly kind: 'file'
      readonly file: WantedFile
      /** What it is for, for people. */
      readonly about: string
      /** Holds keys: shown only masked. */
      readonly secret: boolean
    }
  /** Only the way back: what is done when all that comes after it was taken back. */
  | { readonly kind: 'owe'; readonly inverse: Argv; readonly mayFail?: true; readonly about: string }
  | {
      readonly kind: 'run'
      readonly argv: Argv
      readonly inverse?: Argv
      /** The inverse may fail: what it concerns may be gone. */
      readonly mayFail?: true
      readonly about: string
    }
  /** The policy that is in force lets the sessions live on that are open at this moment. `nft`: path of the program. */
  | { readonly kind: 'sessions'; readonly nft: string; readonly about: string }

export interface PlannedSteps {
  /** Before the knock. A reboot, or the end of the time, takes them back. */
  readonly now: readonly Step[]
  /** Once a knock has confirmed them. */
  readonly confirmed: readonly Step[]
}

/** The parts of a set-up, and the state of the host that they meet. */
export interface SetUpParts {
  /** Those whose text or mode is not the wanted one yet. */
  readonly files: readonly Extract<Step, { readonly kind: 'file' }>[]
  /** Our table: removed when all is taken back. */
  readonly table: TableName
  readonly server: { readonly active: boolean; readonly enabled: boolean }
  /** The unit that closes the gate at boot. Absent: none is needed. */
  readonly gate?: { readonly enabled: boolean }
  /** The service of fwknop itself, which ghostport replaces. */
  readonly fwknop?: { readonly active: boolean; readonly enabled: boolean }
  readonly letIn?: LetIn
  /** The policy that comes into force too. `nft`: path of the program. */
  readonly policy?: { readonly files: SetUpParts['files']; readonly nft: string }
}

export function planSteps({ files, table, server, gate, fwknop, letIn, policy }: SetUpParts): PlannedSteps {
  const isUnit = (path: string): boolean => path.startsWith('/etc/systemd/')
  const reload: readonly Step[] = files.some(({ file }) => isUnit(file.path))
    ? [{ kind: 'run', argv: ['systemctl', 'daemon-reload'], about: 'systemd reads the units' }]
    : []
  const changesServer = files.some(({ file }) => !file.path.endsWith('-gate.service'))
  return {
    now: [
      ...(server.active && changesServer ? [restartWhenTakenBack] : []),
      ...files,
      ...reload,
      ...(fwknop?.active ? [stopFwknop] : []),
      ...start(server.active, changesServer, table),
      ...(letIn?.ports ?? []).flatMap((port) => lettingIn(letIn?.by ?? 'ufw', port)),
      ...(policy === undefined ? [] : loading(policy)),
    ],
    confirmed: [
      ...(fwknop?.enabled ? [enabling('fwknop-server', 'disable')] : []),
      ...(server.enabled ? [] : [enabling('ghostport', 'enable')]),
      ...(gate === undefined || gate.enabled ? [] : [enabling('ghostport-gate', 'enable')]),
      // “ghostport policy remove” may have removed the unit by the time of the way back.
      ...(policy === undefined
        ? []
        : [{ ...enabling('ghostport-policy', 'enable'), mayFail: true } as const, watching]),
    ],
  }
}

/** Whether anything is left to do. */
export function isNothing({ now, confirmed }: PlannedSteps): boolean {
  return now.length === 0 && confirmed.length === 0
}

/**
 * A start must not be waited for: at boot, the inverse runs before the other services may start.
 */
const restartWhenTakenBack: Step = {
  kind: 'owe',
  inverse: ['systemctl', '--no-block', 'restart', 'ghostport.service'],
  about: 'ghostport, which ran before, takes its earlier files again',
}

const stopFwknop: Step = {
  kind: 'run',
  argv: ['systemctl', 'stop', 'fwknop-server.service'],
  inverse: ['systemctl', '--no-block', 'start', 'fwknop-server.service'],
  about: 'fwknop’s own server stops: ghostport takes its place',
}

function start(wasActive: boolean, changes: boolean, table: TableName): readonly Step[] {
  if (wasActive)
    return changes
      ? [{ kind: 'run', argv: ['systemctl', 'restart', 'ghostport.service'], about: 'ghostport takes the new files' }]
      : []
  // A table’s name has letters, digits and `_` only.
  const remove = `! nft list table inet ${table} >/dev/null 2>&1 || nft delete table inet ${table}`
  return [
    { kind: 'owe', inverse: ['sh', '-c', remove], about: 'ghostport’s table is removed' },
    // Where the unit is gone already, there is nothing to stop.
    { kind: 'owe', inverse: ['systemctl', 'stop', 'ghostport.service'], mayFail: true, about: 'ghostport stops' },
    { kind: 'run', argv: ['systemctl', 'start', 'ghostport.service'], about: 'ghostport starts, and shuts the ports' },
  ]
}

/** Last of all: a knock opens already. On the way back the files go first, so that nothing loads the table again. */
function loading({ files, nft }: NonNullable<SetUpParts['policy']>): readonly Step[] {
  return [
    { kind: 'owe', inverse: [nft, REMOVE_TABLE], about: 'the policy is removed' },
    ...files,
    { kind: 'run', argv: ['systemctl', 'daemon-reload'], about: 'systemd reads its units' },
    { kind: 'owe', inverse: ['systemctl', 'stop', POLICY_UNIT], mayFail: true, about: 'the unit of the policy stops' },
    { kind: 'run', argv: ['systemctl', 'start', POLICY_UNIT], about: 'the policy comes into force' },
    { kind: 'sessions', nft, about: 'the policy lets the sessions live on that are open now' },
  ]
}

/** It is enabled with the unit of the policy, and stops with it. */
const watching: Step = {
  kind: 'run',
  argv: ['systemctl', 'start', POLICY_WATCH],
  about: 'the policy is put back when another program removes its table',
}

function enabling(unit: string, verb: 'enable' | 'disable'): Extract<Step, { readonly kind: 'run' }> {
  const name = `${unit}.service`
  const about = verb === 'enable' ? `${unit} starts at each boot` : `${unit} starts at boot no more`
  const back = verb === 'enable' ? 'disable' : 'enable'
  return {
    kind: 'run',
    argv: ['systemctl', '--quiet', verb, name],
    inverse: ['systemctl', '--quiet', back, name],
    about,
  }
}

/** By the manager's own command, so that its reload and its restart keep the rule. */
function lettingIn(by: LetIn['by'], { protocol, port }: ProtocolPort): readonly Step[] {
  const name = `${port}/${protocol}`
  if (by === 'ufw')
    return [
      {
        kind: 'run',
        argv: ['ufw', 'allow', name],
        inverse: ['ufw', 'delete', 'allow', name],
        about: `ufw lets ${name} in; ghostport’s table is before it`,
      },
    ]
  // At boot firewalld does not run yet.
  const back = `if firewall-cmd --state >/dev/null 2>&1
then firewall-cmd --permanent --remove-port=${name} && firewall-cmd --remove-port=${name}
else firewall-offline-cmd --remove-port=${name}; fi`
  return [
    {
      kind: 'run',
      argv: ['firewall-cmd', '--permanent', `--add-port=${name}`],
      inverse: ['sh', '-c', back],
      about: `firewalld lets ${name} in, also after a reload; ghostport’s table is before it`,
    },
    { kind: 'run', argv: ['firewall-cmd', `--add-port=${name}`], about: `firewalld lets ${name} in now` },
  ]
}

/** The command of a step as one types it. */
export function shownCommand(argv: readonly string[]): string {
  return argv.map((each) => (/^[\w@%+=:,./-]+$/.test(each) ? each : word(each))).join(' ')
}
