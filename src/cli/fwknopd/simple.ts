/** What fwknopd does without a configuration: its version, and the list of failure codes. */
import { readFile } from 'node:fs/promises'
import { failureKinds } from '../../failure-codes.ts'
import type { Terminal } from '../terminal/terminal.ts'

export async function printVersion(terminal: Terminal): Promise<number> {
  // The same distance from src/cli/fwknopd/ and from dist/cli/, to one of both.
  const path = import.meta.url.endsWith('.ts') ? '../../../package.json' : '../../package.json'
  const manifest: unknown = JSON.parse(await readFile(new URL(path, import.meta.url), 'utf8'))
  const version =
    manifest !== null && typeof manifest === 'object' && 'version' in manifest ? String(manifest.version) : '?'
  terminal.print(`fwknopd server of ghostport ${version}, SPA protocol 3.0.0`)
  return 0
}

/** fwknopd numbers its failures for its tests. Here they have names. */
export function printFailureCodes(terminal: Terminal): number {
  terminal.print(Object.entries(failureKinds).map(([code, { sentence }]) => `${code}: ${sentence}`))
  return 0
}
