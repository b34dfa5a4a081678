/**
 * The way to one target: packets out, receipts back. Each packet leaves from a port of its own, and the port waits for
 * the receipt: that is how a receipt is known for its packet, since nothing else in it may tell. The sockets are
 * connected, so that the kernel drops what others send there. They are used again, the one that rested longest first.
 */
import { createSocket, type Socket } from 'node:dgram'
import { familyOf, type IpAddress } from '../packet/address.ts'
import { RECEIPT_LENGTH } from '../packet/receipt.ts'
import type { Milliseconds, Port } from '../units.ts'

const RECEIPT = new RegExp(`^[A-Za-z0-9+/]{${RECEIPT_LENGTH}}$`)

interface Place {
  readonly socket: Socket
  onReceipt: ((text: string) => void) | undefined
}

export class UdpLine {
  readonly address: IpAddress
  readonly port: Port
  readonly #wait: Milliseconds
  readonly #most: number
  readonly #free: Place[] = []
  readonly #all = new Set<Place>()
  #closed = false

  /** @param wait how long a port waits for its receipt. @param most ports at once. */
  constructor(address: IpAddress, port: Port, wait: Milliseconds, most: number) {
    this.address = address
    this.port = port
    this.#wait = wait
    this.#most = most
  }

  /**
   * Passes a packet to the system.
   * @param onReceipt gets what the target answers, if it has the form of a receipt: once at most.
   * @returns false where all ports wait: then it is not sent.
   */
  send(packet: string, onReceipt: (text: string) => void): boolean {
    if (this.#closed) return false
    const rested = this.#free.shift()
    if (rested === undefined) return this.#sendFromNew(packet, onReceipt)
    this.#sendFrom(rested, packet, onReceipt)
    return true
  }

  #sendFromNew(packet: string, onReceipt: (text: string) => void): boolean {
    if (this.#all.size >= this.#most) return false
    const family = familyOf(this.address)
    const place: Place = {
      socket: createSocket({
        type: family === 4 ? 'udp4' : 'udp6',
        // It is an address: nothing is looked up.
        lookup: (host, _options, done) => done(null, host, family),
      }),
      onReceipt: undefined,
    }
    this.#all.add(place)
    // A port of the target that is closed, a route that is gone: the visitor may learn nothing of it.
    place.socket.on('error', () => {})
    place.socket.on('message', (bytes) => {
      const text = bytes.toString('latin1')
      if (!RECEIPT.test(text)) return
      place.onReceipt?.(text)
      place.onReceipt = undefined
    })
    const connect = (): void =>
      place.socket.connect(this.port, this.address, (error?: Error) => {
        if (error === undefined) {
          this.#sendFrom(place, packet, onReceipt)
          return
        }
        // No route: a new socket may have one later.
        this.#all.delete(place)
        place.socket.close()
      })
    place.socket.bind(() => {
      // Of our targets, only the place where packets are thrown away needs it.
      place.socket.setBroadcast(true)
      connect()
    })
    return true
  }

  #sendFrom(place: Place, packet: string, onReceipt: (text: string) => void): void {
    if (this.#closed) return
    place.onReceipt = onReceipt
    place.socket.send(packet, () => {})
    setTimeout(() => {
      place.onReceipt = undefined
      if (!this.#closed) this.#free.push(place)
    }, this.#wait).unref()
  }

  close(): void {
    this.#closed = true
    for (const { socket } of this.#all) {
      try {
        socket.close()
      } catch {
        // Not connected yet.
      }
    }
    this.#all.clear()
  }
}
