/** The questions of the benchmarks to the process that plays all clients, and its answers (`clients.ts`). */

/** A knock with its sender's address as a number. */
export interface KnockPacket {
  readonly source: number
  readonly payload: Uint8Array
}

export interface ServerAddress {
  readonly address: number
  readonly spaPort: number
  readonly doorPort: number
}

/** One knock after the other: how long from sending it until the door is open to its sender. */
export interface LatencyQuestion {
  readonly ask: 'latency'
  readonly server: ServerAddress
  readonly knocks: readonly KnockPacket[]
  /** Pause between two knocks, random each time, so that no poll loop of a server can fall into step. */
  readonly gapMilliseconds: readonly [least: number, most: number]
  /** A door that is not open by then counts as lost. */
  readonly deadlineMilliseconds: number
}
/** In milliseconds; `null` for lost. */
export type LatencyAnswer = readonly (number | null)[]

/** Many knocks at a given rate, while every client tries the door again and again. */
export interface WatchQuestion {
  readonly ask: 'watch'
  readonly server: ServerAddress
  readonly knocks: readonly KnockPacket[]
  /** Clients that did not knock here and whose doors were opened in another way. They are watched too. */
  readonly onlookers: readonly number[]
  /** `Infinity`: all with one call. */
  readonly knocksPerSecond: number
  /** How often every watched client tries the door, in milliseconds. */
  readonly tryEveryMilliseconds: number
  /** `open`: a client is watched until its door is open. `closed`: until it has been open and is shut again. */
  readonly watchUntil: 'open' | 'closed'
  /** The watch ends after this time, or this time after the last change. The sooner of the two counts. */
  readonly endAfterMilliseconds: number
  readonly endIdleMilliseconds: number
}
/** For each knock, then for each onlooker. Times are in milliseconds since the first knock; `null` if never open. */
export type WatchAnswer = readonly (Opening | null)[]
export interface Opening {
  /** When the first answer came. */
  readonly first: number
  /** When the last answer came. */
  readonly last: number
}

export interface FloodQuestion {
  readonly ask: 'flood'
  readonly server: ServerAddress
  readonly payloads: readonly Uint8Array[]
  readonly packetsPerSecond: number
  readonly milliseconds: number
}
export interface FloodAnswer {
  readonly sent: number
  readonly milliseconds: number
}

export type Question = LatencyQuestion | WatchQuestion | FloodQuestion
export type AnswerTo<Q extends Question> = Q extends LatencyQuestion
  ? LatencyAnswer
  : Q extends WatchQuestion
    ? WatchAnswer
    : FloodAnswer
