/**
 * The loop of a receiver, without a change of user: the channel is descriptor 4. Reports on standard error why it gives
 * up.
 */
import { writeSync } from 'node:fs'
import { receiveByPolling } from '../../src/daemon/receiver/poll-loop.ts'

receiveByPolling(4, 1024 * 1024, (failure) => {
  writeSync(2, JSON.stringify(failure))
  process.exit(9)
})
