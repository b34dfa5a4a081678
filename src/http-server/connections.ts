/**
 * The open connections, by source. When all places are taken, the oldest connection of the source that has most makes
 * room: no source can keep the others out by holding many.
 */
export class Connections<Connection extends object> {
  readonly #most: number
  readonly #mostPerSource: number
  /** Source → its connections, the oldest first. */
  readonly #sources = new Map<string, Set<Connection>>()
  readonly #sourceOf = new Map<Connection, string>()
  /** Of named proxies: many visitors share them. */
  readonly #exempt = new Set<Connection>()

  constructor(most: number, mostPerSource: number) {
    this.#most = most
    this.#mostPerSource = mostPerSource
  }

  get count(): number {
    return this.#sourceOf.size + this.#exempt.size
  }

  get sources(): number {
    return this.#sources.size
  }

  /**
   * @param source undefined: of a named proxy.
   * @returns `refused`; or the connection that must end for this one, if one must.
   */
  add(connection: Connection, source: string | undefined): 'refused' | { readonly ends: Connection | undefined } {
    if (source === undefined) {
      if (this.#exempt.size >= this.#most) return 'refused'
      this.#exempt.add(connection)
      return { ends: undefined }
    }
    const own = this.#sources.get(source)?.size ?? 0
    if (own >= this.#mostPerSource) return 'refused'
    let ends: Connection | undefined
    if (this.#sourceOf.size >= this.#most) {
      const [greatest, oldest] = this.#greatest()
      if (greatest === undefined || oldest === undefined || greatest.size <= own + 1) return 'refused'
      ends = oldest
    }
    if (ends !== undefined) this.remove(ends)
    const connections = this.#sources.get(source) ?? new Set()
    connections.add(connection)
    this.#sources.set(source, connections)
    this.#sourceOf.set(connection, source)
    return { ends }
  }

  /** A connection that is not there is no mistake: it may have made room. */
  remove(connection: Connection): void {
    if (this.#exempt.delete(connection)) return
    const source = this.#sourceOf.get(connection)
    if (source === undefined) return
    this.#sourceOf.delete(connection)
    const connections = this.#sources.get(source)
    connections?.delete(connection)
    if (connections?.size === 0) this.#sources.delete(source)
  }

  #greatest(): [Set<Connection> | undefined, Connection | undefined] {
    let greatest: Set<Connection> | undefined
    for (const connections of this.#sources.values())
      if (connections.size > (greatest?.size ?? 0)) greatest = connections
    return [greatest, greatest?.values().next().value]
  }
}
