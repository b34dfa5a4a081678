/**
 * `npm start` on each of its stages, complete, with the real commands; and stopped half-way. The story checks each of
 * its steps, and ends with a status other than 0 if one is not as told. This test also checks what it leaves behind.
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

/** The PATH of Debian's /etc/profile for users other than root: without the administrator's programs. */
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
  it('killed half-way, what it leaves behind goes with the next one', { skip: needsRoot }, killHalfWay)
  it('with --keep, a name that is somebody else’s is left alone, and said', { skip: needsRoot }, refuseTakenName)
  it('a word that it does not know is said', () => refuseWord(['--bogus'], /^✖ Unknown option '--bogus'\nnpm start /m))
  it('a word that lacks its value is said', () => refuseWord(['--stage'], /^✖ .*--stage .*\nnpm start /m))
  it('on the loopback, a user number without an account is said', { skip: needsRoot }, () =>
    refuseAccount(
      'carol:x:59902:65534::/nonexistent:/bin/sh',
      /^✖ .*: there is no account with your user number, 59901\.$/m,
    ),
  )
  it('on the loopback, a locked account is said', { skip: needsRoot }, () =>
    refuseAccount('bob:!:59901:65534::/nonexistent:/bin/sh', /^✖ .*: the account bob is locked\.$/m),
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

/** In a /run of its own, so that names that every process sees are seen by no other. */
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
    // A second checkout, as far as any program can tell.
    `mkdir "$TMPDIR/second" && mount --bind '${clone}' "$TMPDIR/second"`,
    '! "$0" "$TMPDIR/second/scripts/story/main.ts" --keep',
    'test "$(ls /run/netns | wc -l)" = 3 && ls -d "$TMPDIR"/ghostport-story-*/on',
    'umount "$TMPDIR/second" && rmdir "$TMPDIR/second"',
    '"$0" "$1" --down',
    'test -z "$(ls /run/netns)"',
  ].join(' && ')
  const story = start(['unshare', '--mount', 'sh', '-c', script, process.execPath, main])
  const [status] = await once(story.process, 'close')
  assert.equal(status, 0, story.output())
  assert.match(story.output(), /^played with$/m)
  assert.match(
    story.output(),
    new RegExp(`^✖ The three hosts are those of another checkout, ${clone}\\. .*: npm start -- --down$`, 'm'),
  )
  assertNothingLeft(story)
}

async function refuseTakenName(): Promise<void> {
  const main = join(clone, 'scripts', 'story', 'main.ts')
  const script = [
    'mount -t tmpfs tmpfs /run',
    'ip netns add spaserver',
    '! "$0" "$1" --keep',
    'test "$(ls /run /run/netns | xargs)" = "/run: netns /run/netns: spaserver"',
    'ip netns delete spaserver',
  ].join(' && ')
  const story = start(['unshare', '--mount', 'sh', '-c', script, process.execPath, main])
  const [status] = await once(story.process, 'close')
  assert.equal(status, 0, story.output())
  assert.match(story.output(), /^✖ The host spaserver cannot be made: .*\n.* npm start -- --down, /m)
  assertSentence(story)
  assertNothingLeft(story)
}

async function refuseWord(words: readonly string[], sentence: RegExp): Promise<void> {
  const story = start([process.execPath, join(clone, 'scripts', 'start.mjs'), ...words])
  const [status] = await once(story.process, 'close')
  assert.equal(status, 64, story.output())
  assert.match(story.output(), sentence)
  assertSentence(story)
  assertNothingLeft(story)
}

async function refuseAccount(account: string, sentence: RegExp): Promise<void> {
  const story = start(commandFor('loopback', 'as a user', account), { PATH: USER_PATH })
  const [status] = await once(story.process, 'close')
  assert.equal(status, 1, story.output())
  assert.match(story.output(), sentence)
  assertSentence(story)
  assertNothingLeft(story)
}

/** A story that is killed cannot clean up; the next one does. */
async function killHalfWay(): Promise<void> {
  const killed = tell('root', 'as root')
  await reached(killed, '1')
  // Here that is scripts/start.mjs; the story is its child.
  const [teller = 0] = childrenOf(killed.process.pid ?? 0)
  const closed = once(killed.process, 'close')
  process.kill(teller, 'SIGKILL')
  await closed
  assert.equal(readdirSync(killed.temporary).length, 1)
  const next = start(commandFor('root', 'as root'), { TMPDIR: killed.temporary })
  await reached(next, '1')
  next.process.kill('SIGINT')
  await once(next.process, 'close')
  assertNothingLeft(killed)
}

function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
}

/** Waits for the title of a step. */
function reached(story: Story, step: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (new RegExp(`^${step}\\. `, 'm').test(story.output())) resolve()
    }
    story.process.stdout?.on('data', look)
    story.process.once('close', () => reject(new Error(`it ended before that\n${story.output()}`)))
  })
}

async function stopHalfWay(stage: string, who: Who): Promise<void> {
  const story = tell(stage, who)
  await reached(story, '1')
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
  chmodSync(temporary, 0o1777)
  const child = spawn(file, args, {
    env: { ...process.env, TMPDIR: temporary, NO_COLOR: '1', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  return { process: child, temporary, output: () => output }
}

const BOB = 'bob:x:59901:65534::/nonexistent:/bin/sh'

/** @param account the line of /etc/passwd for the ordinary user. */
function commandFor(stage: string, who: Who, account = BOB): readonly string[] {
  const story = ['scripts/start.mjs', '--stage', stage]
  if (who === 'as root' || !isRoot) return [process.execPath, join(clone, story[0] ?? ''), ...story.slice(1)]
  // An ordinary user, made in a mount namespace: “nobody” has no shell on Debian, and systemd reports it as locked. The
  // clone is mounted where every user can read it, because it may be in a place that only root can read.
  const shown = join(folder, 'clone')
  mkdirSync(shown, { recursive: true })
  const etc = mkdtempSync(join(folder, 'etc-'))
  writeFileSync(join(etc, 'passwd'), withAccount('/etc/passwd', account))
  writeFileSync(join(etc, 'shadow'), withAccount('/etc/shadow', 'bob:*:19000:0:99999:7:::'), { mode: 0o600 })
  const mounts = [
    `mount --bind '${clone}' '${shown}'`,
    `mount --bind '${join(etc, 'passwd')}' /etc/passwd`,
    `mount --bind '${join(etc, 'shadow')}' /etc/shadow`,
  ]
  const drop = ['setpriv', '--reuid', '59901', '--regid', 'nogroup', '--clear-groups', '--inh-caps=-all', '--']
  const node = relative(clone, process.execPath)
  const seen = node.startsWith('..') ? process.execPath : join(shown, node)
  const command = [...drop, seen, join(shown, story[0] ?? ''), ...story.slice(1)]
  return ['unshare', '--mount', 'sh', '-c', `${mounts.join(' && ')} && exec "$@"`, 'sh', ...command]
}

/** The text of an account file in which one line is replaced for that account. */
function withAccount(file: string, line: string): string {
  const name = line.slice(0, line.indexOf(':') + 1)
  const others = readFileSync(file, 'utf8')
    .split('\n')
    .filter((other) => other !== '' && !other.startsWith(name))
  return `${[...others, line].join('\n')}\n`
}

function assertSentence({ output }: Story): void {
  assert.doesNotMatch(output(), /^ +at |Error:|node:internal/m)
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
