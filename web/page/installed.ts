/** The copy of the page on this device: made by the service worker, and renewed when there is a newer one. */
import { signal } from '@preact/signals'
import { scriptAddress } from './parts.ts'

/** A newer page waits. It is not taken by itself: a change of the page is a thing to know of. */
export const newer = signal<(() => void) | undefined>(undefined)

export async function keepCopy(): Promise<void> {
  if (navigator.serviceWorker === undefined || location.protocol === 'file:') return
  try {
    const registration = await navigator.serviceWorker.register(scriptAddress('service-worker.js'))
    const offer = () => {
      const { waiting } = registration
      if (waiting === null || navigator.serviceWorker.controller === null) return
      newer.value = () => {
        navigator.serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true })
        waiting.postMessage('take over')
      }
    }
    offer()
    registration.addEventListener('updatefound', () => {
      registration.installing?.addEventListener('statechange', offer)
    })
  } catch {
    // The page works without its copy, and then not offline.
  }
}
