/** Who served this page, what it is, and who can see what. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { Notice } from '../../shared/notice.tsx'
import { type OwnBundle, ownBundle } from '../own-bundle.ts'

export function Trust(): JSX.Element {
  const own = useSignal<OwnBundle | 'asking' | undefined>('asking')
  useEffect(() => {
    void ownBundle().then((it) => {
      own.value = it
    })
  }, [])
  const from = location.protocol === 'file:' ? 'a file of this device' : location.origin
  const isKept = navigator.serviceWorker?.controller != null
  const bundle = own.value
  return (
    <>
      <h1 tabIndex={-1}>Who can see what</h1>
      <section class="card stack">
        <h2>This page</h2>
        <dl class="facts">
          <div class="fact">
            <dt>Served by</dt>
            <dd>{from}</dd>
          </div>
          <div class="fact">
            <dt>Started from</dt>
            <dd>{isKept ? 'the copy on this device' : 'the network'}</dd>
          </div>
          <div class="fact">
            <dt>Version</dt>
            <dd>{globalThis.PAGE_VERSION}</dd>
          </div>
          <div class="fact">
            <dt>SHA-256</dt>
            <dd class="address small" data-bundle={typeof bundle === 'object' ? bundle.bundle : undefined}>
              {bundle === 'asking'
                ? '·'.repeat(64)
                : (bundle?.bundle ?? 'a page from a file cannot read its own files')}
            </dd>
          </div>
        </dl>
        {typeof bundle === 'object' && bundle.changed.length > 0 && (
          <Notice kind="bad" title="These files are not those of the list:">
            {bundle.changed.join(', ')}
          </Notice>
        )}
        <p class="soft">
          Compare this hash with that of the release, on another device. An honest page shows its own. A page that
          somebody changed can show what it likes: then only the browser’s own tools, or another copy of the page, help.
        </p>
      </section>
      <section class="card stack">
        <h2>Who served this page</h2>
        <p>
          <strong>can see nothing</strong> of your keys, as long as the page is the one of the release. A page that was
          changed could read all that you open here. So take it from somebody who does not run the gateway, install it,
          or open it from a file or by “ghostport ui”.
        </p>
      </section>
      <section class="card stack">
        <h2>The gateway</h2>
        <p>
          <strong>sees</strong> your address, the name of the target, the time, and a sealed packet. It cannot open the
          packet, change it, or use it twice.
        </p>
        <p>
          <strong>could</strong> keep a packet back, or tell you a wrong address, so that the door opens for somebody
          else. So this page asks a second service, and shows the address before it seals. It cannot forge a receipt:
          “open” is the word of the server.
        </p>
      </section>
      <section class="card stack">
        <h2>This device</h2>
        <p>
          keeps the profiles sealed (AES-256-GCM). The key is sealed under your passphrase (PBKDF2-SHA256, 600 000
          rounds), and under a passkey if you added one. While the page is unlocked, everybody who can use this device
          can knock.
        </p>
        <p>
          <a href="licences.txt">Licences of what is in this page</a>
        </p>
      </section>
    </>
  )
}
