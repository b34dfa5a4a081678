import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { memoryReplayStore } from '../../src/replay/memory.ts'
import { openSqliteReplayStore } from '../../src/replay/sqlite.ts'
import { replayStoreContract } from './replay-store.ts'

const directory = mkdtempSync(join(tmpdir(), 'ghostport-replay-'))
after(() => rmSync(directory, { recursive: true }))
let opened = 0

replayStoreContract('memory', memoryReplayStore)
replayStoreContract('sqlite', (options) => {
  const store = openSqliteReplayStore({ path: join(directory, `${opened++}.db`), ...options })
  if (!store.ok) throw new Error(store.failure.detail)
  return store.value
})
