/** Hooks: what is told of grants, refusals and ends, and to whom (docs/COMMANDS.md). */
import type { RunAs } from '../../access/command.ts'
import { splitWords, type Words } from '../../bytes/words.ts'
import { ok, type Result } from '../../result.ts'
import { invalidValue, type ValueFailure } from '../reading/setting-values.ts'

export const HOOK_EVENTS = ['grant', 'refusal', 'expiry'] as const
export type HookEventName = (typeof HOOK_EVENTS)[number]

export interface WebhookConfig {
  /** WEBHOOK_URL: where each event is sent. */
  readonly url: string
  /** WEBHOOK_KEY_FILE: what it is signed with. */
  readonly keyFile: string
  /** WEBHOOK_CA_FILE: the authorities that may have signed the server's certificate. Absent: the list of Node.js. */
  readonly authoritiesFile?: string
}

export interface HookConfig {
  /** HOOK_GRANT, HOOK_REFUSAL, HOOK_EXPIRY: the program for each event. */
  readonly programs: { readonly [Event in HookEventName]?: Words }
  /** HOOK_USER and HOOK_GROUP. */
  readonly runAs: RunAs
  readonly webhook?: WebhookConfig
}

/** A program and its arguments. Values come in the environment, so there are none in the words. */
export function hookWords(text: string): Result<Words, ValueFailure> {
  const words = splitWords(text)
  if (words === undefined) return invalidValue('the command has no words')
  const value = /\$\{?[A-Z_]+/.exec(text)?.[0]
  if (value !== undefined)
    return invalidValue(`“${value}”: a hook gets its values in the environment and on standard input, not in its words`)
  return ok(words)
}

/** `http` or `https`, without user, password and fragment. */
export function webhookUrl(text: string): Result<string, ValueFailure> {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    return invalidValue(`“${text}” is not a URL such as https://alerts.example/ghostport`)
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    return invalidValue(`a webhook goes by https or http, not by ${url.protocol.replace(/:$/, '')}`)
  if (url.username !== '' || url.password !== '')
    return invalidValue('the URL of a webhook has no user and no password: the signature says who sends')
  if (url.hash !== '') return invalidValue('the URL of a webhook has no “#”')
  return ok(url.href)
}

/** Whether what is sent there stays on this host. */
export function isOwnHost(url: string): boolean {
  const { hostname } = new URL(url)
  return hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname)
}
