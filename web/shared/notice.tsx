/** A sentence that stands out. The kind is said by an icon and a word for screen readers, not by colour alone. */
import type { ComponentChildren, JSX } from 'preact'
import { Icon } from './icons.tsx'

export type NoticeKind = 'info' | 'good' | 'warn' | 'bad'

const SAID = { info: '', good: '', warn: 'Warning: ', bad: 'Error: ' } as const
const ICONS = { info: 'info', good: 'check', warn: 'warn', bad: 'cross' } as const

export interface NoticeProps {
  readonly kind: NoticeKind
  readonly title: string
  readonly children?: ComponentChildren
}

export function Notice({ kind, title, children }: NoticeProps): JSX.Element {
  return (
    <div class={`notice ${kind}`}>
      <Icon name={ICONS[kind]} />
      <div class="stack tight">
        <strong>
          <span class="hidden">{SAID[kind]}</span>
          {title}
        </strong>
        {children !== undefined && <div class="more">{children}</div>}
      </div>
    </div>
  )
}
