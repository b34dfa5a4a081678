/** A trace as people read it, and as `--json` says it. */

import { showTime } from '../../access/age.ts'
import { formatHostPort } from '../../packet/address.ts'
import type { Message } from '../../packet/message.ts'
import { isHostName } from '../../packet/nat-target.ts'
import { formatProtocolPorts } from '../../packet/protocol-port.ts'
import { type Line, line, type Style } from '../terminal/line.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { Step, Trace } from './trace.ts'

/** What a request that is refused ends with. */
const REFUSED = 1

/** @returns the exit status: 0 if the request would be granted. */
export function showTrace(trace: Trace, asJson: boolean, terminal: Terminal): number {
  if (asJson) terminal.printJson(traceJson(trace))
  else terminal.print(traceLines(trace, terminal.style))
  return trace.verdict?.granted === true ? 0 : REFUSED
}

function traceLines({ steps, message, stanzas, verdict }: Trace, style: Style): readonly Line[] {
  return [
    ...steps.map((step) => stepLine(step, style)),
    ...(message === undefined ? [] : ['', style.bold('the message'), ...messageRows(message).map(rowLine)]),
    ...stanzas.flatMap(({ stanza, at, rules }) => [
      '',
      line`${style.bold(stanza)} (${at})`,
      ...rules.map((rule) => line`  ${stepLine(rule, style)}`),
    ]),
    '',
    verdictLine(verdict, style),
  ]
}

function stepLine({ what, found = '', failure }: Step, style: Style): Line {
  if (failure === undefined) return line`${style.good('yes')}  ${what}: ${found}`
  return line`${style.bad('no')}   ${what}: ${failure.detail} [${failure.code}]`
}

function verdictLine(verdict: Trace['verdict'], style: Style): Line {
  if (verdict === undefined) return line`${style.bad('refused')}: no key opens it`
  const who = verdict.stanza === undefined ? '' : `${verdict.stanza}: `
  const code = verdict.code === undefined ? '' : ` [${verdict.code}]`
  const word = verdict.granted ? style.good('granted') : style.bad('refused')
  return line`${word}: ${who}${verdict.what}${code}`
}

function rowLine([about, value]: readonly [string, string]): Line {
  return `  ${about.padEnd(8)}  ${value}`
}

/** What a message says. The names are those of docs/WIRE.md § 2. */
function messageRows(message: Message): readonly (readonly [string, string])[] {
  const { version, username, timestamp, source, kind } = message
  return [
    ['version', version],
    ['user', username],
    ['time', showTime(timestamp)],
    ['for', source === 'packet-source' ? 'the address that it comes from' : source],
    ['asks', asked(message)],
    ...(kind === 'command' || kind === 'close' || message.timeout === undefined
      ? []
      : [['seconds', String(message.timeout)] as const]),
  ]
}

function asked(message: Message): string {
  switch (message.kind) {
    case 'command':
      return `to run: ${message.command}`
    case 'close':
      return message.ports.length === 0 ? 'to close every port' : `to close ${formatProtocolPorts(message.ports)}`
    case 'access':
      return formatProtocolPorts(message.ports)
    case 'natAccess': {
      const { host, port } = message.target
      return `${formatProtocolPorts(message.ports)}, forwarded to ${formatHostPort(isHostName(host) ? host.name : host, port)}`
    }
    case 'localNatAccess':
      return `${formatProtocolPorts(message.ports)}, a ghost of port ${message.localPort}`
    default:
      return message satisfies never
  }
}

function traceJson({ steps, message, gnupg, stanzas, verdict }: Trace) {
  return {
    steps: steps.map(stepJson),
    message: message ?? null,
    gnupg: gnupg ?? null,
    stanzas: stanzas.map(({ stanza, at, rules }) => ({ stanza, at, rules: rules.map(stepJson) })),
    verdict: verdict ?? null,
  }
}

function stepJson({ what, found, failure }: Step) {
  return { what, ok: failure === undefined, detail: failure?.detail ?? found ?? '', code: failure?.code ?? null }
}
