/** What the page and its part for invitations have to do with each other. */

/** What the page does for it. */
export interface InvitationHost {
  /** The link that was opened or pasted. */
  readonly link: string | undefined
  /** All that are kept, as text. */
  readonly read: () => Promise<readonly string[]>
  readonly save: (id: string, text: string) => Promise<void>
  readonly remove: (id: string) => Promise<void>
  /** Keeps the profile and shows its door. @returns false if this page cannot read it. */
  readonly take: (profile: string) => Promise<boolean>
  readonly forgetLink: () => void
}

/** What the part leaves. */
export interface InvitationPart {
  /** @returns what takes it away again. */
  show(element: HTMLElement, host: InvitationHost): () => void
}
