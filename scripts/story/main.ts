/**
 * `npm start`, once set up: tells the story of the ghost service on the best stage that this machine gives, and leaves
 * nothing behind. The outer process makes the work folder, starts an inner one in namespaces of its own, and removes
 * the folder. All else ends with the inner process, because it is the first process of its process namespace.
 *
 *     main.ts [--keep] [--stage root|user|loopback]
 *     main.ts --down
 */
import { spawn, spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { claimHosts, down, explainKept, HostsTaken, keptWorkFolder, releaseHosts, rememberKept } from './kept.ts'
import { loopbackStage } from './loopback.ts'
import { namespaceStage } from './namespaces.ts'
import { narrator } from './narrator.ts'
import { endAllPrograms, keepProgramsRunning } from './programs.ts'
import { missingPrograms } from './services.ts'
import type { Stage } from './stage.ts'
import { tell } from './story.ts'
import { makeWorkFolder, removeWorkFolder, sweepWorkFolders } from './work-folder.ts'

type Kind = Stage['kind']

const flags = readFlags()

async function outside(): Promise<number> {
  const missing = missingPrograms()
  if (missing.length > 0) {
    narrator.failure(`The story needs programs that are not installed here: ${missing.join(', ')}.`)
    narrator.say('As root, npm start installs them.')
    return 1
  }
  const kind = chooseStage(flags.stage)
  if (kind === undefined) return 1
  if (flags.keep && kind !== 'root') {
    narrator.failure('--keep gives the hosts names that everybody on this machine sees; that takes root.')
    return 1
  }
  sweepWorkFolders(keptWorkFolder())
  const work = makeWorkFolder()
  if (flags.keep) {
    try {
      claimHosts(work)
    } catch (error) {
      removeWorkFolder(work)
      throw error
    }
  }
  const child = spawn(
    ...commandFor(kind, [
      process.execPath,
      import.meta.filename,
      ...['--stage', kind, '--inside', work],
      ...(flags.keep ? ['--keep'] : []),
    ]),
    // The channel tells the inner process of our end, however we end. We also use it to stop the inner process.
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  )
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      if (child.connected) child.disconnect()
    })
  const status = await new Promise<number>((resolve) => {
    child.once('error', (error) => {
      narrator.failure(error.message)
      resolve(1)
    })
    child.once('exit', (code) => resolve(code ?? 1))
  })
  if (flags.keep && status === 0) explainKept(work)
  else {
    if (flags.keep) releaseHosts()
    removeWorkFolder(work)
  }
  return status
}

/** @returns undefined where the stage asked for cannot be had, which has then been said. */
function chooseStage(asked: string | undefined): Kind | undefined {
  const possible: readonly Kind[] = [
    ...(canUnshare(['--net', '--mount', '--pid', '--fork']) ? (['root'] as const) : []),
    ...(process.getuid?.() !== 0 && canUnshare([...USER_NAMESPACE, '--pid', '--fork']) ? (['user'] as const) : []),
    'loopback',
  ]
  const chosen = asked === undefined ? possible[0] : possible.find((kind) => kind === asked)
  if (chosen === undefined) narrator.failure(`--stage ${asked}: what can be had here is ${possible.join(', ')}`)
  return chosen
}

const USER_NAMESPACE = ['--user', '--map-root-user', '--net', '--mount']
const PROCESS_NAMESPACE = ['--pid', '--fork', '--kill-child', '--mount-proc']

function canUnshare(flags: readonly string[]): boolean {
  return spawnSync('unshare', [...flags, 'true']).status === 0
}

function commandFor(kind: Kind, command: readonly string[]): [string, string[]] {
  const [file = '', ...args] = command
  if (kind === 'loopback') return [file, args]
  const namespaces = kind === 'user' ? [...USER_NAMESPACE, ...PROCESS_NAMESPACE] : ['--mount']
  if (kind === 'root' && !flags.keep) namespaces.push(...PROCESS_NAMESPACE)
  return ['unshare', [...namespaces, '--', file, ...args]]
}

async function inside(kind: Kind, work: string): Promise<void> {
  process.once('disconnect', () => process.exit(130))
  process.once('exit', endAllPrograms)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130))
  try {
    const stage = kind === 'loopback' ? await loopbackStage(work) : await namespaceStage(kind, work, flags.keep)
    await tell(stage, work)
    if (flags.keep) rememberKept(work, keepProgramsRunning())
    process.exit(0)
  } catch (error) {
    narrator.failure(error instanceof Error ? error.message : String(error))
    process.exit(1)
  }
}

/** If a word is not understood, the process ends with a sentence. */
function readFlags() {
  try {
    return parseArgs({
      options: {
        keep: { type: 'boolean', default: false },
        down: { type: 'boolean', default: false },
        stage: { type: 'string' },
        /** The inner process is told its work folder. */
        inside: { type: 'string' },
      },
    }).values
  } catch (error) {
    // After its first sentence, parseArgs gives advice for programmers.
    narrator.failure((error instanceof Error ? error.message : String(error)).replace(/\. .*/s, ''))
    narrator.say('npm start [-- --keep | --down | --stage root|user|loopback]')
    process.exit(64)
  }
}

try {
  if (flags.down) down()
  else if (flags.inside !== undefined) await inside(flags.stage as Kind, flags.inside)
  else process.exitCode = await outside()
} catch (error) {
  if (!(error instanceof HostsTaken)) throw error
  narrator.failure(error.message)
  process.exitCode = 1
}
