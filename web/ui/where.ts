/** Which view is shown: what is behind the “#” of the address. Never holds a secret. */
import { computed, signal } from '@preact/signals'

export type View =
  | { readonly name: 'home' | 'new' | 'import' | 'history' }
  | { readonly name: 'door' | 'edit' | 'share'; readonly stanza: string }

const fragment = signal(location.hash)
addEventListener('hashchange', () => {
  fragment.value = location.hash
})

export const view = computed<View>(() => {
  const [, name, written] = /^#\/([a-z]+)(?:\/(.{1,600}))?$/.exec(fragment.value) ?? []
  const stanza = decoded(written)
  if ((name === 'door' || name === 'edit' || name === 'share') && stanza !== undefined) return { name, stanza }
  if (name === 'new' || name === 'import' || name === 'history') return { name }
  return { name: 'home' }
})

export function go(to: View): void {
  location.hash = addressOf(to)
}

export function addressOf(to: View): string {
  return 'stanza' in to ? `#/${to.name}/${encodeURIComponent(to.stanza)}` : to.name === 'home' ? '#/' : `#/${to.name}`
}

function decoded(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text)
  } catch {
    return undefined
  }
}
