/** What a report of etcd’s answers may hold: each is looked at before it is told to another process. */
import { asAscii } from '../bytes/text.ts'

/** What a report may hold. */
export function shown(value: unknown): string {
  return asAscii(String(value)).slice(0, 290)
}

/** A field, if it is text. */
export function text<const Name extends string>(name: Name, value: unknown): { readonly [K in Name]?: string } {
  return (typeof value === 'string' ? { [name]: shown(value) } : {}) as { readonly [K in Name]?: string }
}

/** A field, if it is a whole number. etcd writes 64 bits as text. */
export function number<const Name extends string>(name: Name, value: unknown): { readonly [K in Name]?: number } {
  const read = typeof value === 'string' && /^[0-9]{1,15}$/.test(value) ? Number(value) : value
  return (typeof read === 'number' && Number.isSafeInteger(read) && read >= 0 ? { [name]: read } : {}) as {
    readonly [K in Name]?: number
  }
}
