/** How `ghostport init` shows its plan: for people, and as JSON. Keys are masked. */

import type { Known } from '../../host/known.ts'
import { describeShutPorts, type PolicyOffer } from '../../host/set-up/offer-policy.ts'
import { type Step, shownCommand } from '../../host/set-up/steps.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { formatProtocolPorts } from '../../packet/protocol-port.ts'
import { type Line, line, type Style } from '../terminal/line.ts'
import type { Prepared, SeenHost } from './prepare.ts'

export function describePlan(plan: Prepared, style: Style): readonly Line[] {
  const { host, hide, because, findings, steps, kept, notices, offer } = plan
  return [
    style.bold('This host'),
    ...describeHost(host).map((text) => `  ${text}`),
    '',
    style.bold(`What is hidden: ${formatProtocolPorts(hide)}`),
    `  ${because}.`,
    ...findings.flatMap(({ level, text, cure }) => [`  ${level}: ${text}`, ...(cure ? [`      do: ${cure}`] : [])]),
    ...(kept.length > 0 ? [`  There is a configuration already, and it stays: ${kept.join(', ')}`] : []),
    ...notices.map((text) => `  ${text}`),
    '',
    ...describeOffer(offer, style),
    style.bold('What changes, in this order'),
    ...numbered(steps.now, 1, style),
    ...(steps.now.length === 0 ? ['  nothing'] : []),
    '',
    style.bold('Once a knock has confirmed it'),
    ...numbered(steps.confirmed, steps.now.filter(({ kind }) => kind !== 'owe').length + 1, style),
    ...(steps.confirmed.length === 0 ? ['  nothing more'] : []),
  ]
}

/** What becomes of all other ports. */
function describeOffer(offer: PolicyOffer, style: Style): readonly Line[] {
  const title = style.bold('All other ports')
  switch (offer.kind) {
    case 'planned': {
      const { policy, shuts, notes } = offer
      const open = policy.allow.length === 0 ? '' : ` It lets everybody in at ${formatProtocolPorts(policy.allow)}.`
      return [
        title,
        `  A policy of this host drops what nobody lets in, over IPv4 and IPv6.${open}`,
        ...shuts.map((one) => `  warning: ${describeShutPorts([one])} is open now, and is shut then`),
        ...(shuts.length > 0 ? [`      to keep them open: --allow ${askedFor(shuts)}`] : []),
        ...notes.map((text) => `  note: ${text}`),
        '',
      ]
    }
    case 'offered':
      return [
        title,
        '  They stay as they are: this host has no policy that drops by default.',
        ...(offer.shuts.length > 0 ? [`  Programs listen on ${describeShutPorts(offer.shuts)}.`] : []),
        `      to shut what nobody needs: --policy yes${offer.shuts.length > 0 ? ', with --allow for what stays open to everybody' : ''}`,
        '',
      ]
    case 'other':
      return [
        title,
        `  ${offer.because}.`,
        ...(offer.instead.length > 0
          ? ['  To drop by default there too:', ...offer.instead.map((each) => `      ${each}`)]
          : []),
        '',
      ]
    case 'there':
      return [title, '  The policy of this host, which “ghostport policy” changes, stays as it is.', '']
    case 'declined':
      return []
    default:
      return offer satisfies never
  }
}

/** As `--allow` takes them. */
function askedFor(ports: readonly ProtocolPort[]): string {
  return ports.map(({ protocol, port }) => `${protocol}/${port}`).join(',')
}

function numbered(steps: readonly Step[], first: number, style: Style): readonly Line[] {
  let number = first - 1
  let owed: readonly Line[] = []
  return steps.flatMap((step): readonly Line[] => {
    // Shown with the change that it is for.
    if (step.kind === 'owe') {
      owed = [takenBack(step.inverse), ...owed]
      return []
    }
    const shown = `${++number}.`.padStart(4)
    const before = owed
    owed = []
    if (step.kind === 'file')
      return [
        line`${shown} write ${style.bold(step.file.path)}: ${step.about}`,
        ...shownText(step).map((text) => line`       ${style.dim(`| ${text}`)}`),
        ...before,
      ]
    if (step.kind === 'sessions') return [line`${shown} ${step.about}`, ...before]
    const inverse = step.inverse === undefined ? [] : [takenBack(step.inverse)]
    return [line`${shown} ${style.bold(shownCommand(step.argv))}: ${step.about}`, ...inverse, ...before]
  })
}

function takenBack(inverse: readonly string[]): Line {
  return `       taken back by: ${shownCommand(inverse)}`
}

/** A longer file is not shown line by line. It can be read afterwards. */
const MOST_LINES = 30

function shownText({ file, secret }: Extract<Step, { kind: 'file' }>): readonly string[] {
  const lines = file.text.replace(/\n$/, '').split('\n')
  const shown = secret ? lines.map(masked) : lines
  const bare = shown.length > MOST_LINES ? shown.filter((text) => text !== '' && !text.startsWith('#')) : shown
  return bare.length > MOST_LINES ? [`${lines.length} lines`] : bare
}

/** @returns the line without a key in it. */
export function masked(text: string): string {
  return text.replace(/^(\s*\w*(?:KEY|PASSPHRASE|_PW)\w*:?\s+)\S.*$/i, '$1(hidden)')
}

function describeHost({ distribution, managers, sshd, session, clock, fwknop }: SeenHost): readonly string[] {
  return [
    `system: ${told(distribution, ({ name }) => name)}`,
    `firewall: ${told(managers, ({ managers: found }) => found.map(({ name, evidence }) => `${name} (${evidence[0]})`).join(', ') || 'nobody manages it')}`,
    `ssh: ${told(sshd, (found) => [...new Set(found.map(({ port, by }) => `port ${port} (${by})`))].join(', ') || 'no server listens')}`,
    `this session: ${told(session, (found) => (found.kind === 'ssh' ? `ssh from ${found.connection.peer}` : 'no ssh session'))}`,
    `clock: ${told(clock, ({ synchronised }) => (synchronised ? 'kept right by a program' : 'NOT kept right: a knock is refused if the clocks of client and server are two minutes apart'))}`,
    ...(fwknop.known && fwknop.value.installed ? ['fwknop’s own server is installed; ghostport takes its place'] : []),
  ]
}

function told<T>(fact: Known<T>, tell: (value: T) => string): string {
  return fact.known ? tell(fact.value) : `not known, because ${fact.because}`
}

/** Keys are not in it. */
export function planJson({ hide, way, because, findings, steps, client, kept, notices, offer }: Prepared) {
  return {
    hide: formatProtocolPorts(hide),
    way: way.kind,
    letIn: way.kind === 'gate' && way.letIn !== undefined ? way.letIn.by : null,
    because,
    findings,
    notices,
    kept,
    policy: offerJson(offer),
    steps: steps.now.map(stepJson),
    confirmed: steps.confirmed.map(stepJson),
    client: { server: client.server, alias: client.alias, user: client.user, newKeys: client.keys !== undefined },
  }
}

function offerJson(offer: PolicyOffer) {
  switch (offer.kind) {
    case 'planned':
      return {
        state: 'planned',
        allow: askedFor(offer.policy.allow),
        shuts: offer.shuts,
        notes: offer.notes,
      }
    case 'offered':
      return { state: 'offered', shuts: offer.shuts }
    case 'other':
      return { state: 'other', because: offer.because, instead: offer.instead }
    case 'there':
    case 'declined':
      return { state: offer.kind }
    default:
      return offer satisfies never
  }
}

function stepJson(step: Step) {
  switch (step.kind) {
    case 'file':
      return { about: step.about, file: step.file.path, mode: step.file.mode.toString(8), text: shownAll(step) }
    case 'owe':
      return { about: step.about, takenBackBy: step.inverse }
    case 'sessions':
      return { about: step.about }
    case 'run':
      return { about: step.about, command: step.argv, takenBackBy: step.inverse ?? null }
    default:
      return step satisfies never
  }
}

function shownAll({ file, secret }: Extract<Step, { kind: 'file' }>): string {
  return secret ? file.text.split('\n').map(masked).join('\n') : file.text
}
