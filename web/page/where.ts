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
  const words = /^#\/(?:(door|edit)\/([A-Za-z0-9-]{1,64})|(add|settings|trust|invite))$/
  const [, one, id, name = 'home'] = words.exec(fragment.value) ?? []
  // The names are those of the expression.
  return (id === undefined ? { name } : { name: one, id }) as View
})

export function go(to: View): void {
  location.hash = addressOf(to)
}

export function addressOf(to: View): string {
  return 'id' in to ? `#/${to.name}/${to.id}` : to.name === 'home' ? '#/' : `#/${to.name}`
}
