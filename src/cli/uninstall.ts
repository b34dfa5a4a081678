/** `ghostport uninstall`: takes back all that ghostport changed on this host, by the same journal as init. */
import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { loadServerConfig } from '../config/load.ts'
import { DEFAULT_TABLE } from '../config/server/firewall-settings.ts'
import { diskFiles } from '../daemon/warden/config-files-on-disk.ts'
import { hasIpv6 } from '../firewall/host/read-host.ts'
import { USUAL_SETTINGS } from '../host/facts/own-state.ts'
import { sshPorts } from '../host/facts/sshd.ts'
import { lookAtFacts } from '../host/facts.ts'
import { type AfterUninstall, judgeAfterUninstall } from '../host/set-up/after-uninstall.ts'
import { openJournal, tidyUp } from '../host/set-up/confirm.ts'
import { systemLooker } from '../host/system-looker.ts'
import type { WayBack } from '../host/way-back/way-back.ts'
import type { ProtocolPort } from '../packet/message.ts'
import { ok, type Result, refuse } from '../result.ts'
import { defineCommand, type Outcome } from './command.ts'
import { hostRules } from './init/host-rules.ts'
import { auditLogHere, recorded } from './recorded.ts'
import { ask } from './terminal/ask.ts'
import type { Line, Style } from './terminal/line.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = {
  plan: { help: 'only show what would be done; changes nothing' },
  yes: { short: 'y', help: 'ask nothing, also if nobody would get in by ssh afterwards' },
  json: { help: 'print one JSON object' },
} as const

export const command = defineCommand({
  options,
  operands: {},
  about: [
    'Takes back what “ghostport init” changed on this host, the last change first: the service stops, its table is removed,',
    'and files are put back. What “ghostport policy” changed goes too. Says first what becomes of the ports. The package',
    'itself stays: remove it with apt or npm.',
  ],
  run,
})

async function run({ options: given }: ParsedCommandLine<typeof options>, terminal: Terminal): Promise<Outcome> {
  if (process.getuid?.() !== 0)
    return refuse('PRIVILEGE_MISSING', 'ghostport uninstall changes the whole host', {
      suggestion: 'sudo ghostport uninstall',
    })
  const opened = await openJournal()
  if (!opened.ok) return opened
  try {
    return await takeOff(opened.value, given, terminal)
  } finally {
    opened.value.close()
  }
}

type Given = ParsedCommandLine<typeof options>['options']

async function takeOff(back: WayBack, given: Given, terminal: Terminal): Promise<Outcome> {
  if (back.isPending)
    return refuse('CHANGES_PENDING', 'confirm them or take them back before the rest', {
      suggestion: 'ghostport init --revert',
    })
  tidyUp(back)
  const { changes } = back
  if (changes.length === 0)
    return refuse(
      'SETUP_REFUSED',
      'the undo journal of this host is empty, so “ghostport init” did not set it up. docs/OPERATING.md, “Taking ghostport off a host”, has the steps by hand',
    )
  const after = await lookAhead(back)
  if (!after.ok) return after
  const plan = [...changes].reverse().map(({ what }) => what)
  if (given.plan > 0) {
    if (given.json > 0) terminal.printJson({ takesBack: plan, ...after.value })
    else terminal.print(describe(plan, after.value, terminal.style))
    return 0
  }
  if (given.json === 0) terminal.print([...describe(plan, after.value, terminal.style), ''])
  if (given.yes === 0) {
    const agreed = agree(after.value)
    if (!agreed.ok) return agreed
    if (!agreed.value) {
      terminal.print('Nothing was changed.')
      return 1
    }
  }
  const undone = await recorded(auditLogHere(), { did: 'uninstall', before: plan, after: [] }, () => back.undoAll())
  if (!undone.ok) return undone
  rmSync(join(dirname(back.paths.folder), 'installed-files'), { force: true })
  if (given.json > 0) terminal.printJson({ state: 'taken back', ...after.value })
  else terminal.print('All of it is taken back. Nothing asks for a knock on this host any more.')
  return 0
}

function agree({ locksOut, ports }: AfterUninstall): Result<boolean> {
  if (locksOut) {
    const cure = ports.find(({ state }) => state !== 'open')?.cure
    return refuse(
      'SETUP_REFUSED',
      'nobody, or not everybody, would get in by ssh afterwards. Let the port in first, or give --yes',
      cure === undefined ? {} : { suggestion: cure },
    )
  }
  const answer = ask('Take all of this back? [y/N]')
  if (answer === undefined) return refuse('CLI_USAGE', 'there is no terminal to ask at', { suggestion: '--yes' })
  return ok(/^y(es)?$/i.test(answer))
}

function describe(plan: readonly string[], { ports, locksOut }: AfterUninstall, style: Style): readonly Line[] {
  return [
    style.bold('What is taken back, in this order'),
    ...plan.map((what, i) => `${`${i + 1}.`.padStart(4)} ${what}`),
    '',
    style.bold('What becomes of the ports'),
    ...ports.flatMap(({ text, cure }) => [`  ${text}`, ...(cure === undefined ? [] : [`      to let it in: ${cure}`])]),
    ...(locksOut ? ['  warning: nobody, or not everybody, gets in by ssh then. Open sessions live on.'] : []),
  ]
}

async function lookAhead({ changes }: WayBack): Promise<Result<AfterUninstall>> {
  const loaded = loadServerConfig(diskFiles(0), { server: USUAL_SETTINGS })
  const firewall =
    loaded.ok && loaded.value.config.firewall.kind === 'nftables' ? loaded.value.config.firewall : undefined
  const { sshd } = await lookAtFacts(systemLooker(), ['sshd'])
  const ssh = (sshd.known ? sshPorts(sshd.value) : []).map((port): ProtocolPort => ({ protocol: 'tcp', port }))
  const hidden = firewall?.mode.kind === 'gate' ? firewall.mode.protectedPorts : []
  const ports = [
    ...hidden,
    ...ssh.filter((one) => !hidden.some(({ port, protocol }) => port === one.port && protocol === one.protocol)),
  ]
  const rules = await hostRules()
  if (!rules.ok) return rules
  const question = { table: firewall?.table ?? DEFAULT_TABLE, ipv6: hasIpv6(), ports, ssh }
  return ok(judgeAfterUninstall(changes, rules.value, question))
}
