/** Spellings of one resource. */

const ESCAPED = /%([0-9a-f]{2})/gi
/** RFC 3986 § 2.3: these mean the same with and without their escape. */
const UNRESERVED = /[\w.~-]/

/**
 * `/353/?x`, `//353?x` and `/%333?x` … are `/353?x`. The query stays as it is, unless it is empty.
 * @param keepsQuery else what follows the `?` goes.
 */
export function mergedPath(target: string, keepsQuery: boolean): string {
  const mark = target.indexOf('?')
  const path = mark < 0 ? target : target.slice(0, mark)
  const query = mark < 0 || mark === target.length - 1 || !keepsQuery ? '' : target.slice(mark)
  return `${spelled(path)}${query}`
}

/** Without its query. */
export function withoutQuery(target: string): string {
  const mark = target.indexOf('?')
  return mark < 0 ? target : target.slice(0, mark)
}

function spelled(path: string): string {
  const [before = ''] = path.split('#', 1)
  const plain = before
    .replace(ESCAPED, (escaped, digits: string) => {
      const character = String.fromCharCode(Number.parseInt(digits, 16))
      return UNRESERVED.test(character) ? character : escaped.toUpperCase()
    })
    .replace(/\/{2,}/g, '/')
  return plain.length > 1 && plain.endsWith('/') ? plain.slice(0, -1) : plain
}
