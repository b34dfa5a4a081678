/** A line of the server's log as the console keeps and shows it. */
import type { ConsoleEvent } from '../daemon/link/console-protocol.ts'

export interface KeptEvent {
  /** The console's own number: it grows for ever. */
  readonly id: number
  /** RFC 3339, UTC. */
  readonly at: string
  readonly level: string
  readonly event: string
  readonly [field: string]: unknown
}

/** What is known of an event before it has a number. */
export interface NewEvent {
  readonly at: string
  readonly level: string
  readonly event: string
  readonly fields: Readonly<Record<string, unknown>>
}

export function newEvent({ number: _, time, level, event, ...fields }: ConsoleEvent): NewEvent {
  return { at: time, level, event, fields }
}

/** A line of the console's own among them. */
export function ownEvent(at: Date, detail: string, fields: Readonly<Record<string, unknown>> = {}): NewEvent {
  return { at: at.toISOString(), level: 'warning', event: 'console', fields: { ...fields, detail } }
}

export function keptEvent(id: number, { at, level, event, fields }: NewEvent): KeptEvent {
  return { ...fields, id, at, level, event }
}

/** A field that a filter asks for, if it is a text. */
export function textOf(event: NewEvent, field: string): string | undefined {
  const value = event.fields[field]
  return typeof value === 'string' ? value : undefined
}
