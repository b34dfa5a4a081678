/** What the administrator wants of `ghostport init`: from its options, from a file of answers, or by default. */
import { parseStanzaName, type StanzaName } from '../../access/stanza-name.ts'
import { protocolPortsValue } from '../../config/reading/setting-values.ts'
import { parsePorts } from '../../host/policy/policy.ts'
import { parseJson } from '../../host/set-up/parse-json.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { parseNatHost } from '../../packet/nat-target.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { fileReason } from '../../system/errno.ts'
import { type Seconds, seconds } from '../../units.ts'

/** The questions of init. Each is an option, and a name in the file of answers. */
export const questionOptions = {
  hide: { value: 'PROTO/PORT', help: 'what to hide: tcp/22, or several: tcp/22,tcp/8080 (default: the ports of sshd)' },
  server: {
    value: 'HOST',
    help: 'the address or name by which clients reach this host (default: an address of this host)',
  },
  alias: { value: 'NAME', help: 'what clients call this host: “ssh NAME” (default: the name of this host)' },
  name: { value: 'NAME', help: 'the NAME of the stanza for the first client (default admin)' },
  policy: {
    value: 'yes|no',
    help: 'on a host without one: a policy that drops all other ports too, of both families (default no; docs/POLICY.md)',
  },
  allow: {
    value: 'PORTS',
    help: 'with --policy yes: let everybody in here, without a knock: tcp/80, or tcp/80,tcp/443, or none',
  },
  time: { value: 'TIME', help: 'how long a confirmation is waited for: 300, 90s, 10m, 1h (default 5m)' },
} as const

export type QuestionName = keyof typeof questionOptions
export type Answers = { readonly [Name in QuestionName]?: string | undefined }

/** Answers, understood. Absent: the default, which depends on the host. */
export interface Wishes {
  readonly hide?: readonly ProtocolPort[]
  readonly server?: string
  readonly alias?: StanzaName
  readonly name: StanzaName
  readonly time: Seconds
  /** Whether the host gets a policy too. Absent: nobody has said. */
  readonly policy?: boolean
  /** What the policy lets in without a knock. Absent: nobody has said. */
  readonly allow?: readonly ProtocolPort[]
}

const SHORTEST = 60
const LONGEST = 86_400
const DEFAULT_TIME = '5m'
const DEFAULT_NAME = 'admin'

/** @returns VALUE_INVALID, with the name of the option. */
export function parseWishes(answers: Answers): Result<Wishes> {
  const hide = answers.hide === undefined ? ok(undefined) : protocolPortsValue()(answers.hide)
  if (!hide.ok) return refuse('VALUE_INVALID', `--hide: ${hide.failure.detail}`)
  const server = answers.server === undefined ? ok(undefined) : parseNatHost(answers.server)
  if (!server.ok) return refuse('VALUE_INVALID', `--server: ${server.failure.detail}`)
  const alias = answers.alias === undefined ? ok(undefined) : parseStanzaName(answers.alias)
  if (!alias.ok) return refuse('VALUE_INVALID', `--alias: ${alias.failure.detail}`)
  const name = parseStanzaName(answers.name ?? DEFAULT_NAME)
  if (!name.ok) return refuse('VALUE_INVALID', `--name: ${name.failure.detail}`)
  const policy = parsePolicy(answers)
  if (!policy.ok) return policy
  const time = parseSpan(answers.time ?? DEFAULT_TIME)
  if (!time.ok) return refuse('VALUE_INVALID', `--time: ${time.failure.detail}`)
  return ok({
    name: name.value,
    time: time.value,
    ...policy.value,
    ...(hide.value !== undefined && { hide: hide.value }),
    ...(answers.server !== undefined && { server: answers.server }),
    ...(alias.value !== undefined && { alias: alias.value }),
  })
}

function parsePolicy({ policy, allow }: Answers): Result<Pick<Wishes, 'policy' | 'allow'>> {
  if (policy !== undefined && policy !== 'yes' && policy !== 'no')
    return refuse('VALUE_INVALID', `--policy: “${policy}” is neither yes nor no`, { suggestion: '--policy yes' })
  if (allow !== undefined && policy !== 'yes')
    return refuse('VALUE_INVALID', '--allow: without a policy of this host, nothing has to be let in', {
      suggestion: '--policy yes',
    })
  const ports = allow === undefined || allow === 'none' ? ok([]) : parsePorts('--allow', allow)
  if (!ports.ok) return ports
  return ok({
    ...(policy !== undefined && { policy: policy === 'yes' }),
    ...(allow !== undefined && { allow: ports.value }),
  })
}

/** `300`, `90s`, `10m`, `1h`: a minute to a day. */
export function parseSpan(text: string): Result<Seconds> {
  const [, number = '', unit = 's'] = /^([0-9]{1,6})([smh]?)$/.exec(text) ?? []
  const found = number === '' ? Number.NaN : Number(number) * ({ s: 1, m: 60, h: 3600 }[unit || 's'] ?? 1)
  return found >= SHORTEST && found <= LONGEST
    ? ok(seconds(found))
    : refuse('VALUE_INVALID', `“${text}” is not a time from 1m to 24h, such as 300, 90s or 10m`)
}

/**
 * A file of answers: a JSON object, as `--plan --json` prints it under `answers`.
 * @param read may throw the file system's errors; undefined for a file that is too long.
 */
export function readAnswers(file: string, read: (file: string) => string | undefined): Result<Answers> {
  let text: string | undefined
  try {
    text = read(file)
  } catch (error) {
    return refuse('CONFIG_UNREADABLE', `${file}: ${fileReason(error)}`)
  }
  if (text === undefined) return refuse('CONFIG_UNREADABLE', `${file} is too long to be a file of answers`)
  const value = parseJson(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return refuse('CONFIG_SYNTAX', `${file} is not a JSON object, such as {"hide":"tcp/22"}`)
  const answers: Record<string, string> = {}
  for (const [name, answer] of Object.entries(value)) {
    if (!Object.hasOwn(questionOptions, name)) {
      const names = Object.keys(questionOptions).join(', ')
      return refuse('CONFIG_UNKNOWN_KEY', `${file} answers “${name}”, which is not asked. The names are ${names}`)
    }
    if (typeof answer !== 'string') return refuse('CONFIG_INVALID_VALUE', `${file}: “${name}” is not a text`)
    answers[name] = answer
  }
  return ok(answers)
}
