/** `ghostport gateway user …`: who may log in to the forms. */
import { randomBytes } from 'node:crypto'
import { readSync } from 'node:fs'
import { encodeBase64Padded } from '../../bytes/base64.ts'
import { decodeText, encodeText } from '../../bytes/text.ts'
import { systemClock } from '../../clock.ts'
import { parseProfile } from '../../config/client/profile.ts'
import type { GatewayConfig } from '../../config/gateway/gateway-config.ts'
import { nearest } from '../../config/reading/nearest.ts'
import { planFor } from '../../gateway/forms/form-knock.ts'
import { type FormUser, hashCode, makeUser } from '../../gateway/forms/form-user.ts'
import { FormUserFile } from '../../gateway/forms/user-file.ts'
import { base32, TOTP_SECRET_LENGTH, totpUri } from '../../http-server/totp.ts'
import type { IpAddress } from '../../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { StateFolder } from '../../system/state-folder.ts'
import { readSecretFile } from '../../system/user-file.ts'
import type { Outcome } from '../command.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { gatewayIdentity } from './identity.ts'

interface Given {
  readonly profile: string | undefined
  readonly target: string | undefined
  readonly stdin: number
  readonly json: number
}

const ACTIONS = ['add', 'list', 'remove'] as const
const CODES = 10
/** Bytes of a single-use code: 80 bits. */
const CODE_LENGTH = 10
const SHORTEST_PASSWORD = 10
const LONGEST_PASSWORD = 256

/** @param operands `user`, the action, and the name. */
export async function changeFormUsers(
  [word = '', action = '', name]: readonly string[],
  given: Given,
  config: GatewayConfig,
  terminal: Terminal,
): Promise<Outcome> {
  if (word !== 'user')
    return refuse('CLI_USAGE', `unexpected argument “${word}”: expected renew or user`, {
      suggestion: `ghostport gateway ${nearest(word, ['renew']) ?? 'user list'}`,
    })
  const known = ACTIONS.find((it) => it === action)
  if (known === undefined) {
    const meant = nearest(action, [...ACTIONS]) ?? 'list'
    return refuse('CLI_USAGE', `“${action}” is not one of ${ACTIONS.join(', ')}`, {
      suggestion: `ghostport gateway user ${meant}`,
    })
  }
  const become = gatewayIdentity(config.user)
  if (!become.ok) return become
  const state = StateFolder.open(config.stateFolder, become.value)
  if (!state.ok) return state
  const file = new FormUserFile(state.value)
  const users = file.read()
  if (!users.ok) return users
  if (known === 'list') return list(users.value, name, given, terminal)
  if (name === undefined) return refuse('CLI_USAGE', `missing argument NAME: ghostport gateway user ${known} NAME`)
  const changed =
    known === 'add' ? await add(name, users.value, file, given, config, terminal) : await remove(name, file)
  if (!changed.ok) return changed
  if (!config.forms) terminal.note('ghostport: FORMS is N in gateway.conf, so nobody can log in')
  return 0
}

function list(users: readonly FormUser[], name: string | undefined, given: Given, terminal: Terminal): Outcome {
  if (name !== undefined) return refuse('CLI_USAGE', `unexpected argument “${name}”`)
  if (given.json > 0)
    terminal.printJson({ users: users.map(({ name, target, open, added }) => ({ name, target, open, added })) })
  else if (users.length === 0) terminal.print('There are no users of the form.')
  else
    terminal.print(
      users.map(({ name, target, open, added }) => {
        const since = new Date(added * 1000).toISOString().slice(0, 10)
        return `${name}  ${open} at ${target}, since ${since}`
      }),
    )
  return 0
}

function remove(name: string, file: FormUserFile): Promise<Result<void, Failure>> {
  return file.change((users) => {
    const names = users.map((user) => user.name)
    if (names.includes(name)) return ok(users.filter((user) => user.name !== name))
    const meant = nearest(name, names)
    const suggestion = meant === undefined ? {} : { suggestion: meant }
    return refuse('USER_UNKNOWN', `“${name}” is not a user of the form`, suggestion)
  })
}

async function add(
  name: string,
  users: readonly FormUser[],
  file: FormUserFile,
  given: Given,
  config: GatewayConfig,
  terminal: Terminal,
): Promise<Result<void, Failure>> {
  if (!/^[a-z0-9][a-z0-9._-]{0,30}$/.test(name))
    return refuse(
      'VALUE_INVALID',
      `NAME: “${name}” has other characters than a to z, digits, “.”, “_” and “-”, or over 31`,
    )
  const taken = (all: readonly FormUser[]) =>
    all.some((user) => user.name === name)
      ? refuse('USER_EXISTS', `“${name}” is a user of the form already`, {
          suggestion: `ghostport gateway user remove ${name}`,
        })
      : undefined
  const exists = taken(users)
  if (exists !== undefined) return exists
  const { target } = given
  if (given.profile === undefined || target === undefined)
    return refuse('CLI_USAGE', 'user add needs --profile FILE and --target ID (docs/GATEWAY.md § On behalf of users)')
  const ids = config.targets.map(({ id }) => `${id}`)
  if (!ids.includes(target)) {
    const meant = nearest(target, ids)
    return refuse('VALUE_INVALID', `--target: gateway.conf has no target “${target}”`, {
      ...(meant === undefined ? {} : { suggestion: meant }),
    })
  }
  const read = readSecretFile(given.profile)
  if (!read.ok) return read
  const lines = read.value.split('\n').map((it) => it.trim())
  const profileText = lines.find((it) => it.startsWith('ghostport://')) ?? read.value
  const profile = parseProfile(profileText)
  if (!profile.ok) return { ok: false, failure: { ...profile.failure, at: { file: given.profile, line: 1 } } }
  const planned = await planFor(profileText, name, '192.0.2.1' as IpAddress)
  if (!planned.ok) return planned
  const password = await passwordOf(given, terminal)
  if (!password.ok) return password
  const totp = randomBytes(TOTP_SECRET_LENGTH)
  const codes = Array.from({ length: CODES }, singleUseCode)
  const user = await makeUser(
    {
      name,
      target,
      open: profile.value.settings.find((it) => it.name === 'ACCESS')?.value ?? '',
      added: systemClock.now(),
      password: password.value,
      secret: { profile: profileText, totp: encodeBase64Padded(totp), totpUsed: 0, codes: codes.map(hashCode) },
    },
    randomBytes,
  )
  // Another command may have added one while the password was typed.
  const written = await file.change((now) => taken(now) ?? ok([...now, user]))
  if (!written.ok) return written
  await tell(name, totpUri(totp, name, config.hosts[0]?.name ?? 'gateway'), codes, terminal)
  return ok(undefined)
}

/** `abcd-efgh-ijkl-mnop`. */
function singleUseCode(): string {
  const text = base32(randomBytes(CODE_LENGTH)).toLowerCase()
  return (text.match(/.{4}/g) ?? []).join('-')
}

async function tell(name: string, uri: string, codes: readonly string[], terminal: Terminal): Promise<void> {
  const { qrCode, qrLines } = await import('../terminal/qr-code.ts')
  const code = await qrCode(uri)
  terminal.print([
    `${name} can log in now. The codes are shown once.`,
    '',
    'For an app that makes one-time codes:',
    ...(code === undefined ? [] : qrLines(code)),
    uri,
    '',
    'Single-use codes, in place of the app:',
    ...codes.map((it) => `  ${it}`),
  ])
}

async function passwordOf(given: Given, terminal: Terminal): Promise<Result<string, Failure>> {
  let bytes: Uint8Array
  if (given.stdin > 0) {
    const room = Buffer.alloc(LONGEST_PASSWORD * 4)
    bytes = room.subarray(0, readSync(0, room))
  } else {
    const typed = await terminal.askSecret('Password for the form')
    if (!typed.ok) return typed
    const again = await terminal.askSecret('The same password again')
    if (!again.ok) return again
    if (decodeText(typed.value) !== decodeText(again.value))
      return refuse('VALUE_INVALID', 'the two passwords are not the same')
    bytes = typed.value
  }
  const password = decodeText(bytes)?.replace(/\r?\n[\s\S]*$/, '')
  if (password === undefined) return refuse('VALUE_INVALID', 'the password is not UTF-8')
  if (password.length < SHORTEST_PASSWORD || encodeText(password).length > LONGEST_PASSWORD)
    return refuse('VALUE_INVALID', `a password has ${SHORTEST_PASSWORD} to ${LONGEST_PASSWORD} characters`)
  return ok(password)
}
