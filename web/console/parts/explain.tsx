/** One event in full: what it means, what to do, and each of its fields. All of it is text, as it came. */
import type { JSX } from 'preact'
import type { LogEvent } from '../api.ts'
import { toldOf } from '../texts/events.ts'
import { explanationOf } from '../texts/reasons.ts'
import { moment } from '../texts/times.ts'
import { addressOf } from '../where.ts'
import { Dialog } from './dialog.tsx'
import { Fact } from './fact.tsx'

export function Explain({ event, onClose }: { readonly event: LogEvent; readonly onClose: () => void }): JSX.Element {
  const told = toldOf(event)
  const { code, source, name } = event
  const pieces = code === undefined ? [] : explanationOf(code)
  const fields = Object.entries(event).filter(
    ([field, value]) => !/^(?:id|at|detail)$/.test(field) && value !== undefined,
  )
  return (
    <Dialog title={code === undefined ? told.word : `${told.word}: ${code}`} onClose={onClose} wide>
      <p>{told.sentence}</p>
      {pieces.length > 0 && (
        <div class="next">
          <h3>What it means, and what to do</h3>
          <p>{pieces.map(({ text, isCode }, i) => (isCode ? <code key={i}>{text}</code> : text))}</p>
        </div>
      )}
      <dl class="facts">
        <dt>Time</dt>
        <dd>{moment(event.at)}</dd>
        {fields.map(([field, value]) => (
          <Fact key={field} name={field} value={value} />
        ))}
      </dl>
      <div class="row">
        {source !== undefined && (
          <a class="button" href={addressOf('history', undefined, { source })} onClick={onClose}>
            All from this address
          </a>
        )}
        {name !== undefined && (
          <a class="button" href={addressOf('users', name)} onClick={onClose}>
            This user
          </a>
        )}
        <button class="button" type="button" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  )
}
