/**
 * Why a packet is not believed: the kernel would have dropped it, or passed it on to another host. A packet socket sees
 * packets before the kernel judges them, so ghostport judges them (docs/THREAT-MODEL.md § 4).
 */
import type { Failure } from '../result.ts'

export type Disbelief = Failure<'SPA_UNBELIEVED' | 'SPA_NOT_FOR_US' | 'ACCESS_SOURCE_UNUSABLE'>

export function unbelieved(detail: string): Disbelief {
  return { code: 'SPA_UNBELIEVED', detail }
}

/** The loopback interface has this index in every network namespace (include/net/flow.h). */
export const LOOPBACK_INDEX = 1
