/** Which view is shown: what is behind the “#” of the address, so that the back button works. Never holds a secret. */
import { computed, signal } from '@preact/signals'
// First: it takes the secret out of the address bar.
import './invited.ts'

export type View =
  | { readonly name: 'home' }
  | { readonly name: 'add' }
  | { readonly name: 'settings' }
  | { readonly name: 'trust' }
  | { readonly name: 'invite' }
  | { readonly name: 'door' | 'edit'; readonly id: string }

const fragment = signal(location.hash)
addEventListener('hashchange', () => {
  fragment.value = location.hash
})

export const view = computed<View>(() => {
  const [, name, id] = /^#\/([a-z]+)(?:\/([A-Za-z0-9-]{1,64}))?$/.exec(fragment.value) ?? []
  if ((name === 'door' || name === 'edit') && id !== undefined) return { name, id }
  if (name === 'add' || name === 'settings' || name === 'trust' || name === 'invite') return { name }
  return { name: 'home' }
})

export function go(to: View): void {
  location.hash = addressOf(to)
}

export function addressOf(to: View): string {
  return 'id' in to ? `#/${to.name}/${to.id}` : to.name === 'home' ? '#/' : `#/${to.name}`
}
