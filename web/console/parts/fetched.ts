/** What a view asks the server for when it is shown. An answer that comes too late is dropped. */
import { type Signal, useSignal } from '@preact/signals'
import { useCallback, useEffect, useRef } from 'preact/hooks'
import { type Failed, get } from '../api.ts'

export interface Fetched<T> {
  readonly value: Signal<T | undefined>
  readonly failure: Signal<Failed | undefined>
  readonly isLoading: Signal<boolean>
  /** Asks again. */
  readonly again: () => Promise<void>
}

/** @param path a new one is asked for at once; so is the same one where `times` is another number. */
export function useFetched<T>(path: string, times = 0): Fetched<T> {
  const value = useSignal<T | undefined>(undefined)
  const failure = useSignal<Failed | undefined>(undefined)
  const isLoading = useSignal(false)
  const asked = useRef(0)
  const again = useCallback(async () => {
    const mine = ++asked.current
    isLoading.value = true
    const answer = await get<T>(path)
    if (mine !== asked.current) return
    isLoading.value = false
    failure.value = answer.ok ? undefined : answer.failure
    if (answer.ok) value.value = answer.value
  }, [path])
  useEffect(() => {
    void again()
    return () => {
      asked.current++
    }
  }, [again, times])
  return { value, failure, isLoading, again }
}
