import assert from 'node:assert/strict'
import { it } from 'node:test'
import { dropsIn } from './drops.ts'

const table = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  514: 00000000:F2F9 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 12345 2 0000000000000000 17
  515: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 12346 2 0000000000000000 4
  516: 0100007F:F2F9 0100007F:0035 07 00000000:00000000 00:00000000 00000000     0        0 12347 2 0000000000000000 1
`

it('counts the drops of the sockets bound to the ports', () => {
  assert.equal(dropsIn(table, [62201]), 18)
  assert.equal(dropsIn(table, [62201, 53]), 22)
  assert.equal(dropsIn(table, [1]), 0)
  assert.equal(dropsIn('', [53]), 0)
})
