/**
 * `npm start` on each of its stages, whole, with the real commands; and stopped half-way. The story checks each of its
 * steps by itself and ends with a status other than 0 where one is not as told; here it is also asked what it left behind.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join, relative } from 'node:path'
import { after, describe, it } from 'node:test'

const clone = join(import.meta.dirname, '..', '..')
const isRoot = process.getuid?.() === 0
const folder = mkdtempSync(join(tmpdir(), 'ghostport-story-test-'))
chmodSync(folder, 0o755)
after(() => rmSync(folder, { recursive: true, force: true }))

/** What Debian's /etc/profile gives to whoever is not root: without the programs that administer the system. */
const USER_PATH = '/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games'

const needsRoot = isRoot ? false : 'needs root'
// As root, the test makes an account that has one.
const needsShell =
  isRoot || !/\/(nologin|false)$/.test(userInfo().shell ?? '/false') ? false : 'this account has no shell'
const needsUserNamespaces = canUnshare() ? false : 'no user namespaces here'

describe('the story of the ghost service', { concurrency: 4 }, () => {
  it('is told as root, in network namespaces', { skip: needsRoot }, () => tellWhole('root', 'as root'))
  it('is told as an ordinary user, in a user namespace', { skip: needsUserNamespaces }, () =>
    tellWhole('user', 'as a user'),
  )
  it('is told without any privilege, on the loopback', { skip: needsShell }, () => tellWhole('loopback', 'as a user'))
  it('with --keep, its hosts go on until --down', { skip: needsRoot }, keepAndTakeDown)
  it('stopped half-way as root, it leaves nothing behind', { skip: needsRoot }, () => stopHalfWay('root', 'as root'))
  it('stopped half-way on the loopback, it leaves nothing behind', { skip: needsShell }, () =>
    stopHalfWay('loopback', 'as a user'),
  )
})

type Who = 'as root' | 'as a user'

async function tellWhole(stage: string, who: Who): Promise<void> {
  const story = tell(stage, who)
  const [status] = await once(story.process, 'close')
  assert.equal(status, 0, story.output())
  for (const step of ['1', '2', '3', '4', '5', '6']) assert.match(story.output(), new RegExp(`^${step}\\. `, 'm'))
  assert.match(story.output(), /^ {2}the whole story +[0-9.]+ s$/m)
  assertNothingLeft(story)
}

/** In a /run of its own, where the names that everybody sees are seen by nobody else. */
async function keepAndTakeDown(): Promise<void> {
  const main = join(clone, 'scripts', 'story', 'main.ts')
  const knock = 'ghostport knock -D 10.66.0.1 -A tcp/22 --nat-local --nat-port 80 -a 10.66.1.2 --wait'
  const script = [
    'mount -t tmpfs tmpfs /run',
    'mkdir /run/netns',
    '"$0" "$1" --keep',
    'cd "$TMPDIR"/ghostport-story-*',
    `./on spaclient ${knock}`,
    './on spaclient ssh -F ssh_config -p 80 alice@10.66.0.1 echo played with',
    'cd /',
    '"$0" "$1" --down',
    'test -z "$(ls /run/netns)"',
  ].join(' && ')
  const story = start(['unshare', '--mount', 'sh', '-c', script, process.execPath, main])
  const [status] = await once(story.process, 'close')
  assert.equal(status, 0, story.output())
  assert.match(story.output(), /^played with$/m)
  assertNothingLeft(story)
}

async function stopHalfWay(stage: string, who: Who): Promise<void> {
  const story = tell(stage, who)
  await new Promise<void>((resolve, reject) => {
    const look = () => {
      if (/^1\. /m.test(story.output())) resolve()
    }
    story.process.stdout?.on('data', look)
    story.process.once('close', () => reject(new Error(`it ended before it could be stopped\n${story.output()}`)))
  })
  story.process.kill('SIGINT')
  const [status] = await once(story.process, 'close')
  assert.equal(status, 130, story.output())
  assertNothingLeft(story)
}

interface Story {
  readonly process: ChildProcess
  readonly temporary: string
  output(): string
}

/** Starts the story with a folder of its own for temporary files. */
function tell(stage: string, who: Who): Story {
  return start(commandFor(stage, who), who === 'as a user' ? { PATH: USER_PATH } : {})
}

function start([file = '', ...args]: readonly string[], environment: NodeJS.ProcessEnv = {}): Story {
  const temporary = mkdtempSync(join(folder, 'tmp-'))
  chmodSync(temporary, 0o777)
  const child = spawn(file, args, {
    env: { ...process.env, ...environment, TMPDIR: temporary, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  return { process: child, temporary, output: () => output }
}

function commandFor(stage: string, who: Who): readonly string[] {
  const story = ['scripts/start.mjs', '--stage', stage]
  if (who === 'as root' || !isRoot) return [process.execPath, join(clone, story[0] ?? ''), ...story.slice(1)]
  // An ordinary user, made in a mount namespace: “nobody” has no shell on Debian, and systemd says that it is locked. Shown
  // the clone where everybody may look, since it may lie where only root may.
  const shown = join(folder, 'clone')
  mkdirSync(shown, { recursive: true })
  writeFileSync(join(folder, 'passwd'), withAccount('/etc/passwd', 'bob:x:59901:65534::/nonexistent:/bin/sh'))
  writeFileSync(join(folder, 'shadow'), withAccount('/etc/shadow', 'bob:*:19000:0:99999:7:::'), { mode: 0o600 })
  const mounts = [
    `mount --bind '${clone}' '${shown}'`,
    `mount --bind '${join(folder, 'passwd')}' /etc/passwd`,
    `mount --bind '${join(folder, 'shadow')}' /etc/shadow`,
  ]
  const drop = ['setpriv', '--reuid', '59901', '--regid', 'nogroup', '--clear-groups', '--inh-caps=-all', '--']
  const node = relative(clone, process.execPath)
  const seen = node.startsWith('..') ? process.execPath : join(shown, node)
  const command = [...drop, seen, join(shown, story[0] ?? ''), ...story.slice(1)]
  return ['unshare', '--mount', 'sh', '-c', `${mounts.join(' && ')} && exec "$@"`, 'sh', ...command]
}

/** The text of an account file with one line in the place of that account's. */
function withAccount(file: string, line: string): string {
  const name = line.slice(0, line.indexOf(':') + 1)
  const others = readFileSync(file, 'utf8')
    .split('\n')
    .filter((other) => other !== '' && !other.startsWith(name))
  return `${[...others, line].join('\n')}\n`
}

function assertNothingLeft({ temporary, output }: Story): void {
  assert.deepEqual(readdirSync(temporary), [], `a folder is left\n${output()}`)
  const left = readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .filter((pid) => commandLine(pid).includes(temporary))
  assert.deepEqual(left.map(commandLine), [], 'a process is left')
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

function canUnshare(): boolean {
  const asUser = isRoot ? ['setpriv', '--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups'] : []
  const [file = '', ...args] = [...asUser, 'unshare', '--user', '--map-root-user', '--net', 'true']
  return spawnSync(file, args).status === 0
}
