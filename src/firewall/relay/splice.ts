/**
 * Joins two TCP connections: what arrives on one leaves on the other, at the pace of the slower. Each direction ends by
 * itself. A half-closed peer, which sends no more but still listens, is kept. A reset is passed on as a reset.
 */
import type { Socket } from 'node:net'

/**
 * Both must be made with `allowHalfOpen`, and nothing may have been read from them. If either closes with an error,
 * both are reset.
 */
export function splice(a: Socket, b: Socket): void {
  a.pipe(b)
  b.pipe(a)
  resetOnBadEnd(a, b)
  resetOnBadEnd(b, a)
}

/** Sends RST and forgets the connection, as a closed port answers. */
export function reset(socket: Socket): void {
  if (socket.destroyed) return
  // A socket that is not connected yet has no peer to reset, and `resetAndDestroy` would wait for the connection. While
  // a FIN is being sent, libuv refuses to reset, and Node 24.21 then loses the descriptor and never emits `close`.
  const ending = socket.writableEnded && socket.writableLength === 0 && !socket.writableFinished
  if (socket.connecting || ending) socket.destroy()
  else socket.resetAndDestroy()
}

function resetOnBadEnd(socket: Socket, other: Socket): void {
  socket.on('close', (hadError) => {
    // After a normal end, the pipe has told the other side. It may still have bytes to send, and then closes by itself.
    if (hadError || !socket.readableEnded || !socket.writableFinished) reset(other)
  })
}
