/** How `Capture.run` rejects. */
import { failureKinds } from '../failure-codes.ts'
import type { CaptureFailure } from './capture.ts'

/** @returns an Error whose `cause` is the failure, and whose message tells it to a person. */
export function captureError(failure: CaptureFailure): Error & { readonly cause: CaptureFailure } {
  const error = new Error(`${failureKinds[failure.code].sentence}: ${failure.detail}`, { cause: failure })
  return error as Error & { readonly cause: CaptureFailure }
}
