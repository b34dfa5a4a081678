/**
 * Resolves when a signal asks for the end: SIGTERM or SIGINT. From the call on, the first one does not end the process
 * by itself. The same signal once more does.
 */
export function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve)
  })
}
