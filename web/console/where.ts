/** Which view is shown: what is behind the “#” of the address, with what it looks for. Never holds a secret. */
import { computed, signal } from '@preact/signals'

export const VIEWS = [
  'grants',
  'stream',
  'refusals',
  'users',
  'invitations',
  'policy',
  'doctor',
  'mends',
  'history',
  'audit',
  'account',
] as const
export type ViewName = (typeof VIEWS)[number]

export interface View {
  readonly name: ViewName
  /** One thing of the view: a user’s name, or what stands for a new one. */
  readonly of?: string
  /** Filters, as in a query. */
  readonly query: Readonly<Record<string, string>>
}

const fragment = signal(location.hash)
addEventListener('hashchange', () => {
  fragment.value = location.hash
})

export const view = computed<View>(() => readAddress(fragment.value))

export function readAddress(hash: string): View {
  const [, name = '', of, query = ''] = /^#\/([a-z]+)(?:\/([^?]{1,600}))?(?:\?(.{0,2000}))?$/.exec(hash) ?? []
  const known = VIEWS.find((it) => it === name)
  if (known === undefined) return { name: 'grants', query: {} }
  const decoded = decode(of)
  return {
    name: known,
    ...(decoded !== undefined && { of: decoded }),
    query: Object.fromEntries(new URLSearchParams(query)),
  }
}

export function addressOf(name: ViewName, of?: string, query: Readonly<Record<string, string>> = {}): string {
  const filters = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== '')).toString()
  return `#/${name}${of === undefined ? '' : `/${encodeURIComponent(of)}`}${filters === '' ? '' : `?${filters}`}`
}

export function go(address: string): void {
  location.hash = address
}

function decode(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text)
  } catch {
    return undefined
  }
}
