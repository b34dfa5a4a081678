/**
 * Two TCP connections made one: what comes in on either goes out on the other, at the pace of the slower, and each
 * direction ends by itself. A peer that sends no more but still listens (half-closed) is kept; a reset is passed on as one.
 */
import type { Socket } from 'node:net'

/** Both must have been made with `allowHalfOpen`, and neither may have been read from. Either closing badly resets both. */
export function splice(a: Socket, b: Socket): void {
  a.pipe(b)
  b.pipe(a)
  resetOnBadEnd(a, b)
  resetOnBadEnd(b, a)
}

/** Sends RST and forgets the connection: what a closed port answers. */
export function reset(socket: Socket): void {
  if (socket.destroyed) return
  // One that is not connected yet has nobody to reset, and `resetAndDestroy` would wait until it has. While a FIN is on
  // its way out, libuv refuses to reset, and Node 24.21 then loses the descriptor and never emits `close`.
  const ending = socket.writableEnded && socket.writableLength === 0 && !socket.writableFinished
  if (socket.connecting || ending) socket.destroy()
  else socket.resetAndDestroy()
}

function resetOnBadEnd(socket: Socket, other: Socket): void {
  socket.on('close', (hadError) => {
    // After a good end the other was told so by the pipe; it may still have bytes to send, and then closes by itself.
    if (hadError || !socket.readableEnded || !socket.writableFinished) reset(other)
  })
}
