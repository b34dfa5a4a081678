/** The effective policy: what each stanza allows, after defaults and limits. Never a key. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Notice } from '../../shared/notice.tsx'
import { type Failed, type Policy, post } from '../api.ts'
import { Fact } from '../parts/fact.tsx'
import { Failure } from '../parts/failure.tsx'
import { useFetched } from '../parts/fetched.ts'
import { FilterField } from '../parts/list-tools.tsx'
import { Tools } from '../parts/tools.tsx'
import { mayManage } from '../session.ts'
import { capital, fieldText } from '../texts/events.ts'
import { isFound, searchTextOf, wordsOf } from '../texts/search-text.ts'

/** What a reload says. */
interface Reloaded {
  readonly inForce: boolean
  readonly problems?: readonly unknown[]
}

/** More than these would make the page slow: the filter finds the others. */
const MOST_SHOWN = 100

export function PolicyView(): JSX.Element {
  const filter = useSignal('')
  const { value, failure, again } = useFetched<Policy>('/v1/policy')
  const reloaded = useSignal<Reloaded | undefined>(undefined)
  const wrong = useSignal<Failed | undefined>(undefined)
  const policy = value.value
  const words = wordsOf(filter.value)
  const stanzas = (policy?.stanzas ?? []).filter((stanza) => isFound(words, searchTextOf(stanza)))
  const reload = async (): Promise<void> => {
    const answer = await post<Reloaded>('/v1/reload')
    wrong.value = answer.ok ? undefined : answer.failure
    reloaded.value = answer.ok ? answer.value : undefined
    if (answer.ok) void again()
  }
  return (
    <>
      <Tools title="Effective policy" count={policy === undefined ? '' : `${policy.stanzas.length} stanzas`}>
        <FilterField filter={filter} placeholder="Stanza, port, address" />
        {mayManage.value && (
          <button class="button" type="button" onClick={reload}>
            Read the files again
          </button>
        )}
      </Tools>
      <Failure failure={failure.value ?? wrong.value} />
      <div role="status">
        {reloaded.value !== undefined && (
          <Notice
            kind={reloaded.value.inForce ? 'good' : 'bad'}
            title={
              reloaded.value.inForce
                ? 'The files of now are in force.'
                : 'The files have faults. The policy of before stays.'
            }
          >
            {(reloaded.value.problems ?? []).map((problem, i) => (
              <p key={i}>
                <bdi>{fieldText(problem)}</bdi>
              </p>
            ))}
          </Notice>
        )}
      </div>
      {[...(policy?.errors ?? []), ...(policy?.notices ?? [])].map((it, i) => (
        <Said key={i} said={it} />
      ))}
      {policy === undefined && failure.value === undefined && <p class="soft">Looking…</p>}
      {policy?.server !== undefined && words.length === 0 && <Rows title="The server" rows={policy.server} />}
      {stanzas.slice(0, MOST_SHOWN).map(({ stanza, at, ...rows }, i) => (
        <Rows key={i} title={capital(fieldText(stanza ?? i + 1))} at={at} rows={rows} />
      ))}
      {stanzas.length > MOST_SHOWN && (
        <p class="soft">{stanzas.length - MOST_SHOWN} more stanzas. The filter finds them.</p>
      )}
    </>
  )
}

/** A fault of the files, or something to know about them. */
function Said({ said }: { readonly said: unknown }): JSX.Element {
  const fields = (typeof said === 'object' && said !== null ? said : { text: fieldText(said) }) as {
    readonly [field: string]: unknown
  }
  const [words, cure] = [
    fields['text'] ?? fields['detail'] ?? fields['sentence'],
    fields['cure'] ?? fields['suggestion'],
  ]
  const isFault = fields['code'] !== undefined
  return (
    <Notice kind={isFault ? 'bad' : fields['level'] === 'warning' ? 'warn' : 'info'} title={capital(fieldText(words))}>
      {typeof cure === 'string' && <bdi>{cure}</bdi>}
    </Notice>
  )
}

function Rows(props: {
  readonly title: string
  readonly at?: unknown
  readonly rows: Readonly<Record<string, unknown>>
}): JSX.Element {
  return (
    <section class="card stack">
      <div class="row apart">
        <h2>
          <bdi>{props.title}</bdi>
        </h2>
        {props.at !== undefined && <bdi class="soft small mono">{fieldText(props.at)}</bdi>}
      </div>
      <dl class="facts">
        {Object.entries(props.rows).map(([name, value]) => (
          <Fact key={name} name={capital(name)} value={value} />
        ))}
      </dl>
    </section>
  )
}
