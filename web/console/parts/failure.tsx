/** What went wrong, in a place that screen readers read out at once. */
import type { JSX } from 'preact'
import { Notice } from '../../shared/notice.tsx'
import type { Failed } from '../api.ts'
import { capital } from '../texts/events.ts'
import { reasonOf } from '../texts/reasons.ts'

export function Failure({ failure }: { readonly failure: Failed | undefined }): JSX.Element {
  return (
    <div role="alert">
      {failure !== undefined && (
        <Notice kind="bad" title={titleOf(failure)}>
          {failure.detail}
          {failure.suggestion !== undefined && <> {failure.suggestion}</>}
        </Notice>
      )}
    </div>
  )
}

const TITLES: Readonly<Record<string, string>> = {
  CONSOLE_AWAY: 'There is no answer.',
  SERVER_AWAY: 'The SPA server cannot be reached.',
  STEP_UP_NEEDED: 'Nothing was changed.',
}

function titleOf({ code }: Failed): string {
  const known = Object.hasOwn(TITLES, code) ? TITLES[code] : undefined
  return known ?? `${capital(reasonOf(code) ?? 'The console refused this')}.`
}
