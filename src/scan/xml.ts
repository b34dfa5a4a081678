/**
 * The part of XML 1.0 that nmap writes, read strictly: elements, attributes, comments, and a DOCTYPE that only names
 * things. The file comes from another host. So the whole text is refused for a DOCTYPE with declarations, an entity
 * that XML itself does not define, a CDATA section, and more depth or attributes than nmap writes. Nothing is fetched.
 * Pure.
 *
 * A library is not used: each would bring what is refused here (DTDs, namespaces, entities), and 20 times the code.
 */

/** An element begins or ends. Both at once: `empty`. */
export interface Tag {
  readonly name: string
  readonly kind: 'open' | 'close' | 'empty'
  /** Values without references. */
  readonly attributes: Readonly<Record<string, string>>
}

/** Why a text is refused, as a sentence. */
export interface NotXml {
  readonly problem: string
}

/** Tables in the output of a script are nested by what it likes; eight levels are many. */
const DEEPEST = 64
const MOST_ATTRIBUTES = 64

const NAME = '[A-Za-z_][A-Za-z0-9_.:-]*'
/** So many attributes are read at all. With millions, the engine’s stack would overflow. */
const READ_ATTRIBUTES = 1000
const TAG = new RegExp(
  `<(/?)(${NAME})((?:\\s+${NAME}\\s*=\\s*(?:"[^"<]*"|'[^'<]*')){0,${READ_ATTRIBUTES}})\\s*(/?)>`,
  'y',
)
const ATTRIBUTE = new RegExp(`(${NAME})\\s*=\\s*(?:"([^"<]*)"|'([^'<]*)')`, 'g')
/** What is passed over: instructions, comments, and text. */
const SKIPPED = /<\?[^>]*\?>|<!--[\s\S]*?-->|[^<]+/y
/** As of nmap 6 and 7: with an external identifier at most. That is not fetched. */
const DOCTYPE = /<!DOCTYPE\s+[A-Za-z]+(?:\s+(?:SYSTEM|PUBLIC\s+"[^"<>]{0,200}")\s+"[^"<>]{0,200}")?\s*>/y
const REFERENCE = /&(#x[0-9a-fA-F]{1,6}|#[0-9]{1,7}|[A-Za-z][A-Za-z0-9]{0,10})?(;?)/g
const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

/** The tags of a document, in order. The last value is why the rest cannot be read, if it cannot. */
export function* tagsOf(text: string): Generator<Tag | NotXml> {
  const open: string[] = []
  let hasDoctype = false
  let begun = false
  for (let at = 0; at < text.length; ) {
    const skipped = matchAt(SKIPPED, text, at)
    if (skipped !== undefined) {
      if (!skipped[0].startsWith('<')) {
        if (open.length === 0 && skipped[0].trim() !== '') return yield no('it has text outside of its element')
        if (withoutReferences(skipped[0]) === undefined) return yield no(FOREIGN_ENTITY)
      }
      at += skipped[0].length
      continue
    }
    if (text.startsWith('<!DOCTYPE', at)) {
      const doctype = matchAt(DOCTYPE, text, at)
      if (doctype === undefined || hasDoctype || begun)
        return yield no('its DOCTYPE declares something: nmap’s does not')
      hasDoctype = true
      at += doctype[0].length
      continue
    }
    const match = matchAt(TAG, text, at)
    if (match === undefined) return yield no(NOT_WELL_FORMED)
    at += match[0].length
    const [, slash, name = '', attributes = '', empty] = match
    if (slash === '/') {
      if (open.pop() !== name || attributes !== '' || empty === '/') return yield no(NOT_WELL_FORMED)
      yield { name, kind: 'close', attributes: {} }
      continue
    }
    if (open.length === 0 && begun) return yield no('it has a second document')
    begun = true
    if (open.length >= DEEPEST) return yield no('its elements are nested too deep')
    if (empty === '') open.push(name)
    const read = attributesOf(attributes)
    if (typeof read === 'string') return yield no(read)
    yield { name, kind: empty === '/' ? 'empty' : 'open', attributes: read }
  }
  if (open.length > 0) yield no(NOT_WELL_FORMED)
}

/** For the value of an attribute: a program reads the same text. The text must be printable. */
export function escapeXml(text: string): string {
  return text.replace(/[<>&"]/g, (character) => {
    const [name] = Object.entries(ENTITIES).find(([, value]) => value === character) ?? []
    return `&${name};`
  })
}

const NOT_WELL_FORMED = 'its XML is not well-formed: the file may be cut off'
const FOREIGN_ENTITY = 'it has an entity that XML does not define'

function no(problem: string): NotXml {
  return { problem }
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at
  return pattern.exec(text) ?? undefined
}

/** @returns what is wrong, as text. */
function attributesOf(text: string): Readonly<Record<string, string>> | string {
  const read: Record<string, string> = Object.create(null)
  let count = 0
  for (const [, key = '', double, single] of text.matchAll(ATTRIBUTE)) {
    if (key in read) return `an element has the attribute “${key}” twice`
    if (++count > MOST_ATTRIBUTES) return 'an element has too many attributes'
    const value = withoutReferences(double ?? single ?? '')
    if (value === undefined) return FOREIGN_ENTITY
    read[key] = value
  }
  return read
}

/** @returns undefined for a reference to anything but a character. */
function withoutReferences(text: string): string | undefined {
  if (!text.includes('&')) return text
  let isGood = true
  const plain = text.replace(REFERENCE, (_, name: string | undefined, end: string) => {
    const value = name === undefined || end === '' ? undefined : referenced(name)
    if (value === undefined) isGood = false
    return value ?? ''
  })
  return isGood ? plain : undefined
}

function referenced(name: string): string | undefined {
  if (!name.startsWith('#')) return Object.hasOwn(ENTITIES, name) ? ENTITIES[name] : undefined
  const code = name.startsWith('#x') ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1))
  const isCharacter = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
  return isCharacter ? String.fromCodePoint(code) : undefined
}
