/**
 * One secret for many servers in `.fwknoprc` (docs/WIRE.md § 17). The stanza of a fleet has the secret, and what counts
 * for all its nodes. The stanza of a node names the fleet, and the key name of the node:
 *
 *   [ada]                                 [web-1]
 *   FLEET                                 FLEET       ada
 *   NODE_SECRET_BASE64  AAECAw…           NODE        web-1
 *   ACCESS              tcp/22            SPA_SERVER  web-1.example.org
 *
 * FLEET stands alone, and before the secret, for fwknop's sake. fwknop prints the value of a setting that it does not
 * know, and goes on. At a line without a value it stops, and has not read the secret.
 */
import { type Failure, ok, type Result, refuse, type SourceLocation } from '../../result.ts'

/** One line of a stanza: the name of its setting, and the value. */
export interface NamedLine {
  readonly name: string
  readonly value: string
  readonly at: SourceLocation
}

/** The keys of a node are derived, so that nothing else may name some. */
const KEYS: ReadonlySet<string> = new Set([
  'KEY',
  'KEY_BASE64',
  'KEY_FILE',
  'HMAC_KEY',
  'HMAC_KEY_BASE64',
  'HMAC_KEY_FILE',
  'USE_GPG',
  'GPG_RECIPIENT',
  'GPG_SIGNER',
])

type Kind = 'fleet' | 'node' | 'server'
type Wrong = Failure<'CONFIG_SYNTAX' | 'CONFIG_CONFLICT'>

/** Whether the line says that its stanza is a fleet. */
export function isFleetLine({ name, value }: Pick<NamedLine, 'name' | 'value'>): boolean {
  return name === 'FLEET' && value === ''
}

/**
 * @param isDefault for `[default]`, which counts for all servers.
 * @returns what the stanza is; CONFIG_CONFLICT or CONFIG_SYNTAX for the line that does not fit.
 */
export function kindOfStanza(lines: readonly NamedLine[], isDefault: boolean): Result<Kind, Wrong> {
  const line = (wanted: string): NamedLine | undefined => lines.find(({ name }) => name === wanted)
  const fleet = line('FLEET')
  const node = line('NODE')
  const secret = line('NODE_SECRET_BASE64')
  const first = fleet ?? node ?? secret
  if (first === undefined) return ok('server')
  if (isDefault) return conflict(`${first.name} belongs in a stanza with a name, and not in [default]`, first)
  const keys = lines.find(({ name }) => KEYS.has(name))
  if (fleet !== undefined && isFleetLine(fleet)) {
    if (node !== undefined) return conflict('NODE belongs in the stanza of a node, and this one is a fleet', node)
    if (keys !== undefined) return conflict(`${keys.name} has no effect in a fleet: its nodes have derived keys`, keys)
    if (secret === undefined)
      return conflict('a fleet needs its secret', fleet, 'a line NODE_SECRET_BASE64 after it, or FLEET NAME')
    if (secret.at.line < fleet.at.line) return fleetFirst(secret)
    return ok('fleet')
  }
  if (secret !== undefined)
    return fleet === undefined
      ? fleetFirst(secret)
      : conflict('the secret belongs in the stanza of the fleet, and this one is a node', secret)
  if (fleet === undefined)
    return conflict('NODE has no effect without FLEET, which names the stanza with the secret', node ?? first)
  if (node === undefined)
    return conflict(
      'FLEET needs NODE: the key name of this server',
      fleet,
      'NODE NAME, as “ghostport node list” shows it',
    )
  if (keys !== undefined)
    return conflict(`${keys.name} contradicts NODE in line ${node.at.line}: the keys of a node are derived`, keys)
  return ok('node')
}

function fleetFirst({ at }: NamedLine) {
  return refuse('CONFIG_SYNTAX', 'NODE_SECRET_BASE64 needs a line before it that is FLEET alone', {
    at,
    suggestion: 'FLEET',
  })
}

function conflict(detail: string, { at }: NamedLine, suggestion?: string) {
  return refuse('CONFIG_CONFLICT', detail, suggestion === undefined ? { at } : { at, suggestion })
}
