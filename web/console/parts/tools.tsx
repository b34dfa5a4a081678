/** The head of a view: its title, how much there is, and its controls. */
import type { ComponentChildren, JSX } from 'preact'

export function Tools(props: {
  readonly title: string
  readonly count?: string
  readonly children?: ComponentChildren
}): JSX.Element {
  return (
    <div class="tools">
      <div class="title">
        <h1 tabIndex={-1}>{props.title}</h1>
        <span class="count soft">{props.count}</span>
      </div>
      {props.children !== undefined && <div class="controls">{props.children}</div>}
    </div>
  )
}
