/**
 * A program that does not outlive this process, however that ends. The kernel's own way (PR_SET_PDEATHSIG) is lost when
 * a program becomes another user. So a shell waits for the end of a pipe, and then ends the program.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

export interface KeptProcess {
  /** Of the program itself. */
  readonly pid: number
  /** All lines of its standard output so far. */
  readonly lines: readonly string[]
  /** @returns the first line of this form; rejects if the program ends before. */
  says(expected: RegExp): Promise<string>
  /** Resolves when it has ended. */
  readonly ended: Promise<unknown>
  stop(): Promise<void>
}

export async function keepProcess(argv: readonly string[]): Promise<KeptProcess> {
  const script =
    'exec 3<&0; "$@" </dev/null 3<&- & program=$!; echo "$program"; (read -r _ <&3; kill -TERM $program; sleep 3; kill -KILL $program) 2>/dev/null & keeper=$!; wait $program; kill $keeper 2>/dev/null'
  const shell = spawn('sh', ['-c', script, 'sh', ...argv], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(shell, 'exit')
  const lines: string[] = []
  const waiting = new Set<() => void>()
  createInterface({ input: shell.stdout as Readable }).on('line', (line) => {
    lines.push(line)
    for (const look of waiting) look()
  })
  const says = (expected: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = lines.find((line) => expected.test(line))
        if (found === undefined) return
        waiting.delete(look)
        resolve(found)
      }
      waiting.add(look)
      look()
      void ended.then(() => reject(new Error(`no line ${expected}:\n${lines.join('\n')}`)))
    })
  const pid = Number(await says(/^[0-9]+$/))
  return {
    pid,
    lines,
    says,
    ended,
    async stop() {
      shell.stdin.end()
      await ended
    },
  }
}
