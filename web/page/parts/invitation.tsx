/**
 * What the view of an invitation shows, as a small page of its own. A part that is loaded only for those who are
 * invited: with it come the primitives that a claim needs.
 */
import { useSignal } from '@preact/signals'
import { render } from 'preact'
import { useEffect } from 'preact/hooks'
import { Notice } from '../../shared/notice.tsx'
import { begin, claim, type Pending, poll, readPending, type Said } from '../invitation/claim.ts'
import type { InvitationHost } from '../invitation/host.ts'

/** @returns what takes it away again. */
export function show(element: HTMLElement, host: InvitationHost): () => void {
  render(<Invitation host={host} />, element)
  return () => render(null, element)
}

function Invitation({ host }: { readonly host: InvitationHost }) {
  const link = useSignal(host.link)
  const waiting = useSignal<readonly Pending[] | undefined>(undefined)
  const wrong = useSignal<string | undefined>(undefined)
  const ended = useSignal(false)
  const busy = useSignal(false)
  useEffect(() => {
    void host.read().then((texts) => {
      waiting.value = texts.flatMap((text) => readPending(text) ?? [])
    })
  }, [host])
  const leave = async (id: string, isOver = false) => {
    await host.remove(id)
    // At once: the notice takes the place of what waited, and nothing moves.
    waiting.value = waiting.value?.filter((it) => it.id !== id)
    if (isOver) ended.value = true
  }
  const accept = async () => {
    if (link.value === undefined || busy.value) return
    busy.value = true
    const said = await accepted(link.value)
    busy.value = false
    wrong.value = typeof said === 'string' ? said : said.kind === 'failed' ? said.detail : undefined
    ended.value = typeof said !== 'string' && said.kind === 'ended'
    if (wrong.value !== undefined) return
    link.value = undefined
    host.forgetLink()
  }
  const accepted = async (text: string): Promise<Said | string> => {
    const made = await begin(text)
    if (typeof made === 'string') return made
    const known = waiting.value?.find(({ id }) => id === made.id)
    const pending = known ?? made
    // Before the claim: a claim whose key is lost is lost.
    if (known === undefined) await host.save(made.id, JSON.stringify(made))
    const said = await claim(pending)
    if (said.kind === 'ended') await leave(pending.id)
    else if (known === undefined) waiting.value = [...(waiting.value ?? []), made]
    return said
  }
  if (waiting.value === undefined) return null
  return (
    <div class="stack">
      {link.value !== undefined && (
        <section class="card stack" aria-label="You are invited">
          <p>
            You are invited, through <strong>{hostOf(link.value)}</strong>. The invitation is good once: accept it on
            the device that you want to use.
          </p>
          <button class="button first" type="button" aria-disabled={busy.value} onClick={accept}>
            {busy.value ? 'One moment…' : 'Accept the invitation'}
          </button>
        </section>
      )}
      {link.value === undefined &&
        waiting.value.map((pending) => (
          <Waiting key={pending.id} pending={pending} host={host} onEnd={(isOver) => leave(pending.id, isOver)} />
        ))}
      <div role="alert" class="stack">
        {wrong.value !== undefined && (
          <Notice kind="bad" title="It is not accepted yet.">
            {sentence(wrong.value)}
          </Notice>
        )}
      </div>
      {ended.value && (
        <div role="alert">
          <Notice kind="bad" title="This invitation is not good any more.">
            It was used, its time is over, or it was cancelled. If you did not use it, somebody else may have: tell your
            administrator now, and ask for another one.
          </Notice>
        </div>
      )}
      {link.value === undefined && waiting.value.length === 0 && !ended.value && (
        <p class="soft">No invitation waits here. Open its link again, or paste it under “Add a profile”.</p>
      )}
    </div>
  )
}

const FIRST = 3_000
const LONGEST = 20_000

/** Asks the gateway while somebody looks at it, less and less often. */
function Waiting(props: {
  readonly pending: Pending
  readonly host: InvitationHost
  readonly onEnd: (isOver: boolean) => Promise<void>
}) {
  const { pending, host, onEnd } = props
  const said = useSignal<Said | undefined>(undefined)
  useEffect(() => {
    let [timer, pause, isGone] = [0, FIRST, false]
    const again = async () => {
      if (document.visibilityState === 'visible') {
        const now = await poll(pending)
        if (isGone) return
        if (now.kind === 'ended') return void onEnd(true)
        if (now.kind === 'ready') {
          // Kept before it is forgotten here.
          if (await host.take(now.profile)) return void onEnd(false)
          said.value = { kind: 'failed', detail: 'this version of the page cannot read the profile' }
          return
        }
        said.value = now
      }
      timer = window.setTimeout(again, pause)
      pause = Math.min(pause * 1.3, LONGEST)
    }
    void again()
    return () => {
      isGone = true
      clearTimeout(timer)
    }
  }, [pending])
  const now = said.value
  return (
    <section class="card stack" aria-label="Waiting for the administrator">
      <p>Read these digits to your administrator, by telephone for example:</p>
      <p class="address big">{now?.kind === 'claimed' ? now.digits : '…'}</p>
      <p class="soft" role="status">
        {now?.kind === 'failed'
          ? `${sentence(now.detail)} This page tries again.`
          : 'Accepted on this device. Once your administrator has confirmed the digits, the door appears here by itself.'}
      </p>
      <button class="button plain danger-text" type="button" onClick={() => onEnd(false)}>
        Forget this invitation
      </button>
    </section>
  )
}

function hostOf(link: string): string {
  return /^\s*https?:\/\/([^/]+)/.exec(link)?.[1] ?? 'the server itself'
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`
}
