/**
 * The rc file as the page sees and changes it. Keys go in, and never out. A change names the revision that it was made
 * for, so that nothing that somebody wrote meanwhile is lost.
 */
import { createHash } from 'node:crypto'
import {
  dropSettings,
  editStanza,
  hasStanza,
  type RcChange,
  removeStanza,
  renameStanza,
  writtenSettings,
} from '../config/client/edit-fwknoprc.ts'
import {
  type ClientSettingName,
  isClientSetting,
  readClientSetting,
  secretSettings,
} from '../config/client/fwknoprc-settings.ts'
import { type ClientSettings, settle } from '../config/client/layer.ts'
import { parseFwknoprc, type RcFile } from '../config/client/parse-fwknoprc.ts'
import { isStanzaName } from '../config/client/profile-url.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { createUserFile, replaceUserFile } from '../system/replace-user-file.ts'
import { readUserFile, refuseExposed } from '../system/user-file.ts'

export interface ShownSetting {
  readonly name: string
  /** Absent for a secret. */
  readonly value?: string
  readonly secret?: true
}

export interface ShownStanza {
  readonly name: string
  readonly settings: readonly ShownSetting[]
  /** `tcp/22 at host.example`. */
  readonly summary: string
  /** Why no knock can use it. */
  readonly problem?: { readonly code: string; readonly detail: string; readonly suggestion?: string }
}

export interface ShownFile {
  readonly file: string
  readonly revision: string
  readonly stanzas: readonly ShownStanza[]
  /** The settings of `[default]`. */
  readonly defaults: readonly ShownSetting[]
}

/** A change of one stanza. */
export interface StanzaChange {
  readonly revision: string
  readonly name: string
  /** Its new name. */
  readonly rename?: string
  /** There must be no such stanza yet. */
  readonly isNew?: boolean
  /** Null removes the setting. */
  readonly settings: readonly { readonly name: string; readonly value: string | null }[]
}

/** These name programs and files. A page may not: what it is told comes from profiles, too. */
const OF_THIS_HOST = /_(?:FILE|EXE|CMD|HOMEDIR)$/

interface Read {
  readonly text: string
  readonly isThere: boolean
  readonly revision: string
  readonly rc: RcFile
}

export class RcBook {
  readonly file: string

  constructor(file: string) {
    this.file = file
  }

  shown(): Result<ShownFile, Failure> {
    const read = this.#read()
    if (!read.ok) return read
    const { text, revision, rc } = read.value
    return ok({
      file: this.file,
      revision,
      stanzas: [...new Set(rc.stanzas)].map((name) => shownStanza(name, text, rc)),
      defaults: shownSettings(text, 'default'),
    })
  }

  /** What counts for a knock with this stanza. */
  settings(name: string): Result<ClientSettings, Failure> {
    const read = this.#read()
    if (!read.ok) return read
    const layer = read.value.rc.settings(name)
    return layer.ok ? ok(settle([layer.value])) : layer
  }

  /** The settings of a stanza, keys among them, and those of `[default]` below them. */
  written(name: string): Result<readonly RcChange[], Failure> {
    const read = this.#read()
    if (!read.ok) return read
    const { text } = read.value
    if (!hasStanza(text, name)) return noStanza(this.file, name)
    // Derived keys are for one server, and the secret for all.
    if (isNode(text, name)) return ok(read.value.rc.texts(name))
    const own = new Map(
      [...writtenSettings(text, 'default'), ...writtenSettings(text, name)].map((it) => [it.name, it]),
    )
    return ok([...own.values()].flatMap(({ name, value }) => (isClientSetting(name) ? [{ name, value }] : [])))
  }

  change({ revision, name, rename, isNew, settings }: StanzaChange): Result<void, Failure> {
    const read = this.#readFor(revision)
    if (!read.ok) return read
    let { text } = read.value
    const isThere = hasStanza(text, name)
    if (isNew === true && isThere) return taken(this.file, name)
    if (isNew !== true && !isThere) return noStanza(this.file, name)
    // [default] is edited like any other, but neither made nor renamed into.
    const wanted = rename ?? name
    if ((isNew === true || rename !== undefined) && !isStanzaName(wanted))
      return refuse('VALUE_INVALID', `“${wanted}” cannot be the name of a stanza`)
    const set: RcChange[] = []
    const dropped: ClientSettingName[] = []
    for (const { name: setting, value } of settings) {
      if (!isClientSetting(setting)) return refuse('CONFIG_UNKNOWN_KEY', `there is no setting “${setting}”`)
      if (value === null) dropped.push(setting)
      else {
        const wrong = wrongValue(setting, value)
        if (wrong !== undefined) return { ok: false, failure: wrong }
        set.push({ name: setting, value })
      }
    }
    text = dropSettings(text, name, dropped)
    if (set.length > 0 || !isThere) text = editStanza(text, name, set)
    // Its nodes name it.
    const nodes = read.value.rc.nodesOf(name) ?? []
    if (rename !== undefined && rename !== name) {
      if (rename.toLowerCase() !== name.toLowerCase() && hasStanza(text, rename)) return taken(this.file, rename)
      text = renameStanza(text, name, rename)
      for (const node of nodes) text = editStanza(text, node, [{ name: 'FLEET', value: rename }])
    }
    return this.#save(read.value, text, wanted)
  }

  remove(revision: string, name: string): Result<void, Failure> {
    const read = this.#readFor(revision)
    if (!read.ok) return read
    if (!hasStanza(read.value.text, name)) return noStanza(this.file, name)
    const [node] = read.value.rc.nodesOf(name) ?? []
    if (node !== undefined)
      return refuse('CONFIG_CONFLICT', `[${name}] has the secret of [${node}]: remove its nodes first`)
    return this.#save(read.value, removeStanza(read.value.text, name), undefined)
  }

  #read(): Result<Read, Failure> {
    const read = readUserFile(this.file)
    if (!read.ok) return read
    const text = read.value?.text ?? ''
    const rc = parseFwknoprc(this.file, text)
    if (!rc.ok) return rc
    if (rc.value.holdsKeys && read.value?.readableByOthers === true) return refuseExposed(this.file)
    const revision = createHash('sha256').update(text).digest('base64url')
    return ok({ text, isThere: read.value !== undefined, revision, rc: rc.value })
  }

  #readFor(revision: string): Result<Read, Failure> {
    const read = this.#read()
    if (!read.ok || read.value.revision === revision) return read
    return refuse('CONFIG_CONFLICT', `${this.file} was changed meanwhile`, { suggestion: 'look at it again' })
  }

  /** @param name the stanza that has to be usable afterwards; what [default] says may contradict it. */
  #save({ text: earlier, isThere }: Read, text: string, name: string | undefined): Result<void, Failure> {
    if (text === earlier) return ok(undefined)
    const after = parseFwknoprc(this.file, text)
    const judged = after.ok && name !== undefined ? after.value.settings(name === 'default' ? undefined : name) : after
    if (!judged.ok) return judged
    // As late as can be: an editor may have saved it since.
    if (isThere && readText(this.file) !== earlier)
      return refuse('CONFIG_CONFLICT', `${this.file} was changed meanwhile`, { suggestion: 'look at it again' })
    return isThere ? replaceUserFile(this.file, text) : createUserFile(this.file, text)
  }
}

function isNode(text: string, name: string): boolean {
  return writtenSettings(text, name).some((it) => it.name === 'NODE')
}

function readText(file: string): string | undefined {
  const read = readUserFile(file)
  return read.ok ? read.value?.text : undefined
}

function shownStanza(name: string, text: string, rc: RcFile): ShownStanza {
  const judged = rc.settings(name)
  const about = { name, settings: shownSettings(text, name) }
  const nodes = rc.nodesOf(name)
  if (judged.ok && nodes !== undefined) return { ...about, summary: `a fleet: ${nodes.join(', ')}` }
  if (judged.ok) return { ...about, summary: summaryOf(settle([judged.value])) }
  const { code, detail, suggestion } = judged.failure
  return { ...about, summary: '', problem: { code, detail, ...(suggestion !== undefined && { suggestion }) } }
}

function shownSettings(text: string, name: string): readonly ShownSetting[] {
  return writtenSettings(text, name).map(({ name, value }) =>
    // What is no setting may be a key under a name that was mistyped.
    isClientSetting(name) && !secretSettings.has(name) ? { name, value } : { name, secret: true },
  )
}

function summaryOf({ access, server, natLocal, natAccess }: ClientSettings): string {
  const ports = access === undefined ? 'no port' : access.map(({ protocol, port }) => `${protocol}/${port}`).join(', ')
  const behind = natAccess !== undefined ? ' behind' : natLocal === true ? ' (ghost service) of' : ' at'
  return `${ports}${behind} ${server ?? 'no server'}`
}

function wrongValue(name: ClientSettingName, value: string): Failure | undefined {
  if (OF_THIS_HOST.test(name))
    return refuse('VALUE_INVALID', `${name} names a program, a file or a folder: set it in the rc file itself`).failure
  const blanks = name === 'HTTP_USER_AGENT' ? /[\r\n]/ : /[\s;#]/
  const isMarker = name === 'FLEET' && value === ''
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they would end the line, or hide what is in it
  if ((value === '' && !isMarker) || value !== value.trim() || blanks.test(value) || /[\0-\x1f\x7f]/.test(value))
    return refuse('VALUE_INVALID', `${name}: a value has no blank, “;” or “#”, and is not empty`).failure
  const read = readClientSetting(name, value)
  if (isMarker || read.ok) return undefined
  const detail = secretSettings.has(name) ? 'the key cannot be used' : read.failure.detail
  return { ...read.failure, detail: `${name}: ${detail}` }
}

function noStanza(file: string, name: string) {
  return refuse('CONFIG_MISSING_KEY', `${file} has no stanza [${name}]`)
}

function taken(file: string, name: string) {
  return refuse('CONFIG_CONFLICT', `${file} has a stanza [${name}] already`, { suggestion: 'choose another name' })
}
