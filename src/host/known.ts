/**
 * A fact about this host: its value, or why it is not known. What could not be looked at is neither good nor bad, and
 * must not be taken for either.
 */

export interface KnownFact<T> {
  readonly known: true
  readonly value: T
}
export interface NotKnown {
  readonly known: false
  /** Completes “not known because …”. Printable. */
  readonly because: string
}
export type Known<T> = KnownFact<T> | NotKnown

export function known<T>(value: T): KnownFact<T> {
  return { known: true, value }
}

export function notKnown(because: string): NotKnown {
  return { known: false, because }
}

/** What follows from a fact, if that is known. */
export function whenKnown<T, U>(fact: Known<T>, then: (value: T) => U): Known<U> {
  return fact.known ? known(then(fact.value)) : fact
}

/** The value, or `otherwise` if it is not known. Only for where not knowing and `otherwise` lead to the same. */
export function valueOr<T, U>(fact: Known<T>, otherwise: U): T | U {
  return fact.known ? fact.value : otherwise
}
