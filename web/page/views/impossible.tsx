/** Where the browser cannot do what the page needs: why, and what helps. */
import type { JSX } from 'preact'
import { Ghost } from '../../shared/icons.tsx'
import { Notice } from '../../shared/notice.tsx'

export function Impossible({ reason }: { readonly reason: 'no web crypto' | 'no storage' }): JSX.Element {
  return (
    <>
      <div class="hero">
        <Ghost size={72} />
        <h1 tabIndex={-1}>Not here</h1>
      </div>
      {reason === 'no web crypto' ? (
        <Notice kind="bad" title="This browser gives the page no cryptography.">
          Browsers do so for pages that come by plain http. Somebody on the way could change such a page, so it must not
          hold your keys. Open this page by https://, or from your own computer with “ghostport ui”.
        </Notice>
      ) : (
        <Notice kind="bad" title="This browser keeps nothing for this page.">
          Private windows and strict settings forbid it. Open this page in a normal window, or allow it to keep data.
        </Notice>
      )}
    </>
  )
}
