/**
 * Keeps the files of the page, so that it starts offline. A request to a gateway is never kept and never answered from
 * here: only files of the bundle are.
 */
interface WorkerScope {
  readonly location: { readonly href: string }
  readonly clients: { claim(): Promise<void> }
  skipWaiting(): Promise<void>
  addEventListener(type: 'install' | 'activate', listener: (event: ExtendableEvent) => void): void
  addEventListener(type: 'fetch', listener: (event: FetchEvent) => void): void
  addEventListener(type: 'message', listener: (event: MessageEvent) => void): void
}
interface ExtendableEvent extends Event {
  waitUntil(work: Promise<unknown>): void
}
interface FetchEvent extends ExtendableEvent {
  readonly request: Request
  respondWith(answer: Promise<Response>): void
}

/** Both are filled in by the build. */
declare global {
  var CACHED: readonly string[]
  var CACHE_NAME: string
}

const scope = globalThis as unknown as WorkerScope
const files = globalThis.CACHED
const cacheName = globalThis.CACHE_NAME
/** With the link of an invitation, the copy on this device starts too, and not what the server has now. */
const PAGES: ReadonlySet<string> = new Set(['', 'index.html', 'invite'])
const folder = new URL('./', scope.location.href).href

scope.addEventListener('install', (event) => {
  // “reload”: not from the browser’s own cache, which may hold a page of before.
  event.waitUntil(
    caches.open(cacheName).then((cache) => cache.addAll(files.map((file) => new Request(file, { cache: 'reload' })))),
  )
})

scope.addEventListener('activate', (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) =>
        Promise.all(
          names.filter((it) => it !== cacheName && it.startsWith('ghostport-')).map((it) => caches.delete(it)),
        ),
      )
      .then(() => scope.clients.claim()),
  )
})

scope.addEventListener('message', ({ data }) => {
  if (data === 'take over') void scope.skipWaiting()
})

scope.addEventListener('fetch', (event) => {
  const { request } = event
  const url = new URL(request.url)
  url.search = ''
  url.hash = ''
  if (request.method !== 'GET' || !url.href.startsWith(folder)) return
  const path = url.href.slice(folder.length)
  if (path.includes('/')) return
  event.respondWith(answer(request, path))
})

async function answer(request: Request, path: string): Promise<Response> {
  const cache = await caches.open(cacheName)
  const kept = await cache.match(PAGES.has(path) ? './' : path)
  if (kept !== undefined) return kept
  const fresh = await fetch(request)
  // A part that is loaded only when used, such as OpenPGP.js. Its name is that of its content.
  if (fresh.ok && /-[0-9a-f]{12}\.js$/.test(path)) await cache.put(path, fresh.clone())
  return fresh
}

export {}
