/** The stanzas of the client's rc file: what is wrong with each, and whether its keys are there. */
import { readKeyTimes } from '../../../client/age-of-keys.ts'
import { loadKeys } from '../../../client/keys.ts'
import { rcSettings, rcStanzas } from '../../../client/rc-stanza.ts'
import { routeFor } from '../../../client/route.ts'
import type { KeyTimes } from '../../../config/client/edit-fwknoprc.ts'
import { type ClientSettings, settle } from '../../../config/client/layer.ts'
import { type Failure, refuse } from '../../../result.ts'
import { type Known, known, notKnown } from '../../known.ts'
import { once } from '../../once.ts'
import type { Subject } from '../subject.ts'

export interface ClientStanzas {
  readonly file: string
  /** Why the file cannot be used at all. */
  readonly fault?: Failure
  /** Those that were asked for: all, or the one of `-n`. */
  readonly stanzas: readonly ClientStanza[]
}

export interface ClientStanza {
  readonly name: string
  /** Why a knock with it would be refused. */
  readonly faults: readonly Failure[]
  /** Absent if a line cannot be understood. */
  readonly settings?: ClientSettings
  /** Absent without settings or without a server. */
  readonly keys?: ClientKeys
  /** Absent if the file does not say so. */
  readonly keyTimes?: KeyTimes
}

export type ClientKeys =
  | { readonly kind: 'there'; readonly hmac: boolean }
  /** A knock asks for what no setting holds: `Encryption key for HOST`. */
  | { readonly kind: 'asked'; readonly what: string }
  | { readonly kind: 'bad'; readonly failure: Failure }

export const lookAtClientStanzas = once(async ({ client }: Subject): Promise<Known<ClientStanzas>> => {
  const file = rcStanzas(client)
  if (!file.ok) return known({ file: client['rc-file'] ?? '~/.fwknoprc', fault: file.failure, stanzas: [] })
  if (file.value === undefined) return notKnown('there is no rc file (~/.fwknoprc)')
  const { file: path, stanzas } = file.value
  const named = client['named-config']
  const names = named === undefined ? stanzas : [named]
  const all = names.map(async (name) => {
    const keyTimes = readKeyTimes({ file: path, name })
    return { ...(await lookAtStanza(name, client)), ...(keyTimes !== undefined && { keyTimes }) }
  })
  return known({ file: path, stanzas: await Promise.all(all) })
})

async function lookAtStanza(name: string, client: Subject['client']): Promise<ClientStanza> {
  const read = rcSettings({ ...client, 'named-config': name })
  if (!read.ok) return { name, faults: [read.failure] }
  const settings = settle([read.value.settings])
  const { server } = settings
  // A stanza without a server is for use with -D.
  if (server === undefined) return { name, faults: [], settings }
  const route = routeFor(settings, server)
  return {
    name,
    faults: route.ok ? [] : [route.failure],
    settings,
    keys: await lookAtKeys(settings, server),
  }
}

async function lookAtKeys(settings: ClientSettings, server: string): Promise<ClientKeys> {
  let asked: string | undefined
  const keys = await loadKeys(settings, server, async (what) => {
    asked ??= what
    return refuse('KEY_MISSING', what)
  })
  if (keys.ok) return { kind: 'there', hmac: keys.value.hmac !== undefined }
  return asked === undefined ? { kind: 'bad', failure: keys.failure } : { kind: 'asked', what: asked }
}
