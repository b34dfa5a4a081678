/** `ghostport policy install`, its `--confirm`, and `ghostport policy remove`. */
import { existsSync, readFileSync } from 'node:fs'
import { showTime } from '../../access/age.ts'
import { changedText } from '../../audit-log/changed-lines.ts'
import { systemClock } from '../../clock.ts'
import { DEFAULT_TABLE } from '../../config/server/firewall-settings.ts'
import { failureKinds } from '../../failure-codes.ts'
import { afterRemoval } from '../../firewall/host/after-removal.ts'
import { POLICY_TABLE } from '../../firewall/host/cures.ts'
import { hasIpv6, readHost } from '../../firewall/host/read-host.ts'
import type { HostTable } from '../../firewall/host/ruleset.ts'
import { openNftables } from '../../firewall/nftables/library.ts'
import { sshPorts } from '../../host/facts/sshd.ts'
import { lookAtFacts } from '../../host/facts.ts'
import { valueOr, whenKnown } from '../../host/known.ts'
import { keepPolicy, loadPolicy, pendingPolicy, removePolicy, revertPolicy } from '../../host/policy/install.ts'
import {
  judgeConfirmation,
  judgeOthers,
  judgeWayIn,
  type OtherPolicy,
  type WayIn,
} from '../../host/policy/judge-host.ts'
import { renderPolicy } from '../../host/policy/render.ts'
import { POLICY_FILE, POLICY_UNIT } from '../../host/policy/units.ts'
import { systemLooker } from '../../host/system-looker.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { port, type Seconds, seconds, unixSeconds } from '../../units.ts'
import type { Outcome } from '../command.ts'
import { auditLogHere, recorded, recordedIfPossible } from '../recorded.ts'
import { failureJson } from '../terminal/failure-json.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { Given } from './options.ts'
import { choosePolicy, ownTable } from './policy-options.ts'

const DEFAULT_TIME = seconds(300)
const SHORTEST = 30
const LONGEST = 3600

export async function installPolicy(given: Given, terminal: Terminal): Promise<Outcome> {
  if (given.confirm > 0 || given.revert > 0) return endWaiting(given, terminal)
  const within = parseTime(given['revert-after'])
  if (!within.ok) return within
  const chosen = choosePolicy(given)
  if (!chosen.ok) return chosen
  if (!isRoot()) return notRoot()
  const { policy, notes, table = DEFAULT_TABLE } = chosen.value
  const looker = systemLooker()
  const facts = await lookAtFacts(looker, ['managers', 'session', 'sshd', 'interfaces', 'units'])
  const tables = await readTables()
  if (!tables.ok) return tables
  const other = judgeOthers(facts.managers, tables.value, { ...policy, own: table })
  if (other !== undefined) return showOther(other, given, terminal)
  const wayIn = judgeWayIn(policy, {
    session: facts.session,
    sshPorts: whenKnown(facts.sshd, sshPorts),
    interfaces: facts.interfaces,
    console: given['i-have-a-console'] > 0,
  })
  if (!wayIn.ok) return wayIn
  const now = systemClock.now()
  const change = { did: 'policy install', ...changedText(keptPolicy(), renderPolicy(policy)) }
  const note = `until ${showTime(unixSeconds(now + within.value))}, if nobody confirms it`
  const loaded = await recorded(auditLogHere(given['config-file']), { ...change, note }, () =>
    loadPolicy(policy, { now, within: within.value }),
  )
  if (!loaded.ok) return loaded
  const end = new Date(loaded.value * 1000).toISOString().replace(/\.\d+Z$/, 'Z')
  const service = facts.units.known ? facts.units.value.get('ghostport.service') : undefined
  const all = [
    ...notes,
    ...(policy.forward === 'drop' && facts.managers.known && facts.managers.value.managers.some(isDocker)
      ? [
          'Docker runs here, and the policy drops what passes through: its published ports are cut off. To leave them alone: --forward leave',
        ]
      : []),
    ...(wayIn.value === 'knock' && service?.enabled !== 'enabled'
      ? [
          'ghostport does not start at boot: after a reboot no knock lets you in. Before you confirm: systemctl enable ghostport',
        ]
      : []),
  ]
  if (given.json > 0) {
    const how = 'ghostport policy install --confirm'
    terminal.printJson({ table: `inet ${POLICY_TABLE}`, takenBack: end, confirm: how, wayIn: wayIn.value, notes: all })
    return 0
  }
  for (const note of all) terminal.note(`note: ${note}`)
  terminal.print([
    'The policy is in force. Sessions that are open stay open.',
    `It is taken back at ${end}, and at a reboot, unless you confirm it.`,
    howToConfirm[wayIn.value],
    '    ghostport policy install --confirm',
  ])
  return 0
}

/** The policy of before, as far as it is known. */
function keptPolicy(): string {
  return existsSync(POLICY_FILE) ? readFileSync(POLICY_FILE, 'utf8') : ''
}

const howToConfirm: Readonly<Record<WayIn, string>> = {
  knock: 'Keep this session open. Knock, log in a second time, and run there:',
  rule: 'Keep this session open. Log in a second time, and run there:',
  console: 'Log in anew as you always do, and run there (at a console, add --i-have-a-console):',
}

function isDocker({ name }: { readonly name: string }): boolean {
  return name === 'docker'
}

/** `--confirm` and `--revert`. */
async function endWaiting(given: Given, terminal: Terminal): Promise<Outcome> {
  const how = given.confirm > 0 ? 'confirm' : 'revert'
  const taken = how === 'confirm' ? ['confirm', 'i-have-a-console', 'json'] : ['revert', 'json']
  const others = Object.entries(given).find(
    ([name, value]) =>
      !taken.includes(name) && (Array.isArray(value) ? value.length > 0 : value !== undefined && value !== 0),
  )
  if (others !== undefined)
    return refuse('CLI_USAGE', `--${others[0]} has no effect with --${how}: it is about the policy that is in force`)
  if (!isRoot()) return notRoot()
  if (how === 'confirm') return confirmPolicy(given, terminal)
  const change = {
    did: 'policy install --revert',
    after: keptPolicy()
      .split('\n')
      .filter((line) => line !== ''),
  }
  const reverted = await recordedIfPossible(auditLogHere(), change, terminal.note, revertPolicy)
  if (!reverted.ok) return reverted
  if (given.json > 0) terminal.printJson({ confirmed: false })
  else terminal.print('The policy is taken back.')
  return 0
}

async function confirmPolicy(given: Given, terminal: Terminal): Promise<Outcome> {
  const pending = pendingPolicy()
  if (pending !== undefined) {
    const { session } = await lookAtFacts(systemLooker(), ['session'])
    const judged = judgeConfirmation(session, { before: pending.before, console: given['i-have-a-console'] > 0 })
    if (!judged.ok) return judged
  }
  const change = { did: 'policy install --confirm', after: [POLICY_FILE, POLICY_UNIT] }
  const kept = await recorded(auditLogHere(), change, () => keepPolicy(systemClock.now()))
  if (!kept.ok) return kept
  if (given.json > 0) terminal.printJson({ confirmed: true, file: POLICY_FILE, unit: POLICY_UNIT })
  else terminal.print(`The policy is kept: ${POLICY_FILE}, loaded at each boot by ${POLICY_UNIT}.`)
  return 0
}

export async function removeIt(given: Given, terminal: Terminal): Promise<Outcome> {
  if (!isRoot()) return notRoot()
  const change = { did: 'policy remove', ...changedText(keptPolicy(), '') }
  const removed = await recorded(auditLogHere(), change, removePolicy)
  if (!removed.ok) return removed
  const tables = await readTables()
  const left = tables.ok && removed.value.length > 0 ? await whatIsLeft(tables.value) : []
  if (given.json > 0) terminal.printJson({ removed: removed.value, left })
  else {
    for (const each of left) terminal.note(`warning: now ${each}`)
    terminal.print(
      removed.value.length === 0
        ? 'There was no policy: nothing was removed.'
        : ['Removed:', ...removed.value.map((each) => `    ${each}`)],
    )
  }
  return 0
}

/** How the ports of ssh are now, as far as they are not shut. */
async function whatIsLeft(tables: readonly HostTable[]): Promise<readonly string[]> {
  const { sshd } = await lookAtFacts(systemLooker(), ['sshd'])
  const found = valueOr(whenKnown(sshd, sshPorts), [])
  const ports = (found.length > 0 ? found : [port(22)]).map((each) => ({ protocol: 'tcp', port: each }) as const)
  return afterRemoval({ tables, unread: [] }, { table: ownTable(), ipv6: hasIpv6(), ports })
    .filter(({ state }) => state !== 'shut')
    .map(({ text }) => text)
}

/** The commands of the other program go to standard output: they are what to do here. */
function showOther({ failure, instead }: OtherPolicy, given: Given, terminal: Terminal): Outcome {
  if (given.json > 0) {
    terminal.printJson({ ...failureJson(failure), instead })
    terminal.fail(failure)
    return failureKinds[failure.code].exit
  }
  if (instead.length > 0) terminal.print(instead)
  return { ok: false, failure }
}

async function readTables(): Promise<Result<readonly HostTable[], Failure>> {
  const nft = openNftables()
  if (!nft.ok) return nft
  try {
    const read = await readHost(nft.value)
    return read.ok ? ok(read.value.tables) : read
  } finally {
    nft.value.close()
  }
}

function parseTime(text: string | undefined): Result<Seconds, Failure<'VALUE_INVALID'>> {
  if (text === undefined) return ok(DEFAULT_TIME)
  const value = /^[0-9]{1,5}$/.test(text) ? Number(text) : Number.NaN
  return value >= SHORTEST && value <= LONGEST
    ? ok(seconds(value))
    : refuse('VALUE_INVALID', `--revert-after: “${text}” is not a number of seconds from ${SHORTEST} to ${LONGEST}`)
}

function isRoot(): boolean {
  return process.geteuid?.() === 0
}

function notRoot() {
  return refuse('PRIVILEGE_MISSING', 'the firewall of this host belongs to root: run this command as root')
}
