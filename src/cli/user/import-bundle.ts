/** `ghostport user import [FILE]`: the keys of one user for this node, from a bundle. */
import { join } from 'node:path'
import { systemClock } from '../../clock.ts'
import { stanzaSettings } from '../../config/access/access-settings.ts'
import { appendStanza, setting, withNodeMark } from '../../config/access/edit-stanza.ts'
import { type BundleSetting, LONGEST_BUNDLE, type NodeBundle, parseBundle } from '../../config/access/node-bundle.ts'
import { findUser, type User } from '../../config/access/users.ts'
import type { Node } from '../../config/nodes/nodes-conf.ts'
import { exposeKey } from '../../packet/key.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { readUserFile, refuseExposed, refuseMissing } from '../../system/user-file.ts'
import { type UnixSeconds, unixSeconds } from '../../units.ts'
import type { Outcome } from '../command.ts'
import { readNodes } from '../node/nodes-file.ts'
import { configFiles } from '../server/config-source.ts'
import { readTyped } from '../terminal/read-typed.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { type AccessFiles, changeAccess, type NewTexts } from './access-files.ts'
import { usualPorts } from './add-user.ts'
import type { Given } from './options.ts'
import { rotateStanza } from './rotate-user.ts'
import { reportServer, tellServer } from './tell-server.ts'
import { parseEnd } from './wishes.ts'

/** What became of it. */
type Imported =
  | { readonly kind: 'added'; readonly open: string }
  | { readonly kind: 'new keys'; readonly old: string; readonly until: UnixSeconds }
  | { readonly kind: 'there already' }

export async function importBundle(file: string | undefined, given: Given, terminal: Terminal): Promise<Outcome> {
  const source = configFiles(given)
  if (!source.ok) return source
  if (file === undefined && process.getBuiltinModule('node:tty').isatty(0))
    return refuse('CLI_USAGE', 'missing argument FILE: the bundle, or standard input', {
      suggestion: 'ghostport user import FILE',
    })
  const text = file === undefined ? await readTyped('the bundle', terminal, 'BUNDLE_INVALID', 'a FILE') : readFile(file)
  const bundle = text.ok ? parseBundle(file ?? 'standard input', text.value) : text
  if (!bundle.ok) return bundle
  const here = judgeNode(bundle.value, given)
  if (!here.ok) return here
  const now = systemClock.now()
  const options = settingsOf(given, now)
  if (!options.ok) return options
  const changed = await changeAccess<Imported>(source.value, 'all', (access) => {
    const edited = edit(access, bundle.value, here.value, options.value, now)
    if (!edited.ok) return edited
    return ok({ ...edited.value, recorded: { did: 'user import', to: bundle.value.user } })
  })
  if (!changed.ok) return changed
  const { result, server } = changed.value
  const answer = await tellServer(server.controlSocket)
  const { user } = bundle.value
  if (given.json > 0) {
    terminal.printJson({ user, node: here.value.name, ...result, server: answer })
    return reportServer(answer, { ...terminal, note: () => {} })
  }
  terminal.note(describe(user, here.value, result, now))
  if (file !== undefined) terminal.note(`delete ${file}: it has keys`)
  return reportServer(answer, terminal)
}

function describe(user: string, { name }: Node, result: Imported, now: UnixSeconds): string {
  switch (result.kind) {
    case 'added':
      return `added ${user}, with keys for ${name}: may open ${result.open}`
    case 'there already':
      return `${user} has these keys already: nothing changed`
    case 'new keys': {
      const end = `until ${new Date(result.until * 1000).toISOString().replace('.000Z', 'Z')}`
      return `${user} has new keys for ${name}. The old ones, called ${result.old}, open ${result.until <= now ? 'nothing any more' : end}`
    }
    default:
      return result satisfies never
  }
}

function readFile(file: string): Result<string, Failure> {
  const read = readUserFile(file)
  if (!read.ok) return read
  if (read.value === undefined) return refuseMissing(file)
  if (read.value.readableByOthers) return refuseExposed(file)
  // The parser says that it is too long.
  return ok(read.value.text.slice(0, LONGEST_BUNDLE + 1))
}

/** Keys for one node, on another one, would let a packet open both. */
function judgeNode({ node }: NodeBundle, given: Given): Result<Node, Failure> {
  const list = readNodes(given)
  if (!list.ok) return list
  const here = list.value.nodes.find(({ isThis }) => isThis)
  if (here === undefined)
    return refuse(
      'BUNDLE_REFUSED',
      `it is for the node ${node}, and ${list.value.file} does not say which node this host is`,
      {
        suggestion: `ghostport node add ${node} --this, if it is that node`,
      },
    )
  if (here.keyName === node) return ok(here)
  const own = here.keyName === (here.name as string) ? here.name : `${here.name} (key name ${here.keyName})`
  return refuse('BUNDLE_REFUSED', `it is for the node ${node}, and this host is ${own}`)
}

type Options = ReadonlyMap<BundleSetting, string>

/** Options that say otherwise than the bundle. */
function settingsOf(given: Given, now: UnixSeconds): Result<Options, Failure> {
  const options = new Map<BundleSetting, string>()
  for (const [option, name] of [
    ['open', 'OPEN_PORTS'],
    ['source', 'SOURCE'],
  ] as const) {
    const value = given[option]?.trim()
    if (value === undefined) continue
    const judged = /[;\r\n]/.test(value)
      ? refuse('VALUE_INVALID', '“;” is not possible here')
      : stanzaSettings[name].read(value)
    if (!judged.ok) return refuse('VALUE_INVALID', `--${option}: ${judged.failure.detail}`)
    options.set(name, name === 'OPEN_PORTS' ? value.replace(/\s+/g, '') : value)
  }
  if (given.expire === undefined) return ok(options)
  const end = parseEnd(given.expire, now)
  if (!end.ok) return end
  options.set('ACCESS_EXPIRE_EPOCH', `${end.value}`)
  return ok(options)
}

function edit(
  access: AccessFiles,
  bundle: NodeBundle,
  here: Node,
  options: Options,
  now: UnixSeconds,
): Result<{ readonly texts: NewTexts; readonly result: Imported }, Failure> {
  const { user: name, made, oldKeysUntil } = bundle
  const mark = { keyName: here.keyName, made, all: [] }
  const there = findUser(access.users, name)
  if (there === undefined) return add(access, bundle, options, mark)
  if (hasKeys(there, bundle)) return ok({ texts: new Map(), result: { kind: 'there already' } })
  const before = there.nodeKeys?.made
  if (before !== undefined && before >= made)
    return refuse('BUNDLE_REFUSED', `it is older than the keys that ${name} has here`, {
      suggestion: `ghostport user rotate ${name} --nodes NODES, where the list of nodes is`,
    })
  if (oldKeysUntil === undefined)
    return refuse('USER_EXISTS', `${name} is in ${there.place.file}:${there.place.first}, with other keys`, {
      suggestion: `ghostport user remove ${name}, or “ghostport user rotate ${name} --nodes NODES” where the list of nodes is`,
    })
  if (options.size > 0)
    return refuse('CLI_USAGE', `${name} is there already, and gets new keys: what it may open stays as it is`)
  const end = unixSeconds(Math.max(now, oldKeysUntil))
  const rotated = rotateStanza(access, there, bundle, { end, now, mark })
  if (!rotated.ok) return rotated
  const { texts, old, until } = rotated.value
  return ok({ texts, result: { kind: 'new keys', old, until } })
}

function add(
  access: AccessFiles,
  { user, settings, key, hmacKey }: NodeBundle,
  options: Options,
  mark: Parameters<typeof withNodeMark>[1],
): Result<{ readonly texts: NewTexts; readonly result: Imported }, Failure> {
  const all = new Map<BundleSetting, string>([...settings.map(({ name, value }) => [name, value] as const), ...options])
  const named = all.get('OPEN_PORTS')
  const open = named === undefined ? usualPorts(access) : ok(named)
  if (!open.ok) return open
  const others = [...all].filter(([name]) => name !== 'SOURCE' && name !== 'OPEN_PORTS')
  const lines = [
    setting('SOURCE', all.get('SOURCE') ?? 'ANY'),
    setting('NAME', user),
    setting('OPEN_PORTS', open.value),
    ...others.map(([name, value]) => setting(name, value)),
    ...[setting('KEY_BASE64', key), setting('HMAC_KEY_BASE64', hmacKey)],
  ]
  const { accessFile, accessFolder } = access.server
  const file = accessFolder === undefined ? accessFile : join(accessFolder, `${user}.conf`)
  const text = access.files.read(file)
  if (!text.ok && (accessFolder === undefined || text.failure.code !== 'CONFIG_UNREADABLE')) return text
  const added = appendStanza(text.ok ? text.value : '', withNodeMark(lines, mark))
  return ok({ texts: new Map([[file, added]]), result: { kind: 'added', open: open.value } })
}

function hasKeys({ stanza }: User, { key, hmacKey }: NodeBundle): boolean {
  if (stanza?.encryption.kind !== 'symmetric' || stanza.hmac === undefined) return false
  const text = (secret: Parameters<typeof exposeKey>[0]) => Buffer.from(exposeKey(secret)).toString('base64')
  return text(stanza.encryption.key) === key && text(stanza.hmac.key) === hmacKey
}
