/**
 * The link with which this page was opened, if it is that of an invitation. It is taken out of the address bar before
 * anything else happens: its secret is to be in no history, no bookmark and no picture of the screen.
 */
import { signal } from '@preact/signals'

/** As it was opened or pasted. */
export const invitationLink = signal<string | undefined>(undefined)

if (location.pathname.endsWith('/invite')) {
  if (location.hash !== '') invitationLink.value = location.href
  history.replaceState(null, '', './#/invite')
}

/** Whether a text is meant as such a link, also as one that only a server takes. */
export function isLink(text: string): boolean {
  return /^\s*\w+:\/\/\S*\binvite\b\S*#/.test(text)
}
