/**
 * A rehearsal of the set-up, in network namespaces that vanish with it: the live rules of this host, the real server,
 * and real connections. The host itself is not changed.
 *
 *   client 198.51.100.7, stranger 198.51.100.8 ── 198.51.100.1 the host's rules, ghostport, a listener
 *
 * The server has the planned settings of the firewall, and a stanza of its own with keys that are used only here:
 * commands and hooks of this host's files must not run.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseTcpTable } from '../../firewall/nftables/connections.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { formatProtocolPorts } from '../../packet/protocol-port.ts'
import { PROGRAM_ENVIRONMENT } from '../../system/program-environment.ts'
import { milliseconds, type Port } from '../../units.ts'
import { REMOVE_TABLE, renderSessions } from '../policy/render.ts'
import { type Ran, runHere } from '../run-here.ts'
import type { Way } from './choose-way.ts'
import { comparable, splitRules } from './split-rules.ts'

export interface RehearsalWish {
  /** Node, its options, and the entry file of ghostport. */
  readonly ghostport: readonly [string, ...string[]]
  readonly ports: readonly ProtocolPort[]
  readonly way: Way
  readonly table: string
  readonly mark: number
  /** Interfaces of this host; the one with the default route first. */
  readonly interfaces: readonly string[]
  readonly legacy: readonly ('ip' | 'ip6')[]
  readonly keys: { readonly key: string; readonly hmacKey: string }
  /** The policy that comes into force too, as a file for nft, and what it lets in without a knock. */
  readonly policy?: { readonly text: string; readonly allow: readonly ProtocolPort[] }
}

/** One thing that was tried. */
export interface Scene {
  readonly what: string
  readonly good: boolean
}

export type Rehearsal =
  /** `untried` has a sentence for each part that could not be tried. */
  | { readonly kind: 'rehearsed'; readonly scenes: readonly Scene[]; readonly untried: readonly string[] }
  /** `because` completes “not rehearsed because …”. */
  | { readonly kind: 'not rehearsed'; readonly because: string; readonly scenes: readonly Scene[] }

const HOST = { 4: '198.51.100.1', 6: '2001:db8:c0:1::1' } as const
const CLIENT = { 4: '198.51.100.7', 6: '2001:db8:c0:1::7' } as const
const STRANGER = { 4: '198.51.100.8', 6: '2001:db8:c0:1::8' } as const
const FAMILIES = [4, 6] as const
/** Nothing of a rehearsal lives longer, in seconds: longer than it takes on a busy host. */
const LONGEST = '120'
const TO_CONNECT = milliseconds(700)
const TO_START = milliseconds(30_000)
const FOLDER = '/run/rehearsal'
/** A port that no policy lets in by chance. */
const FIRST_OTHER = 40_001

/** What cannot be done here, as an exception within this file. */
class Impossible extends Error {}

export async function rehearse(wish: RehearsalWish): Promise<Rehearsal> {
  const scenes: Scene[] = []
  const stage = new Stage()
  try {
    await stage.build(wish.interfaces)
    return { kind: 'rehearsed', scenes, untried: await play(stage, wish, scenes) }
  } catch (error) {
    if (!(error instanceof Impossible)) throw error
    return { kind: 'not rehearsed', because: error.message, scenes }
  } finally {
    stage.close()
  }
}

export function isGood(rehearsal: Rehearsal): boolean {
  return rehearsal.scenes.every(({ good }) => good)
}

/** @returns what could not be tried. */
async function play(stage: Stage, wish: RehearsalWish, scenes: Scene[]): Promise<readonly string[]> {
  const { ports, table, way } = wish
  const tcp = ports.filter(({ protocol }) => protocol === 'tcp')
  loadRules(stage, wish)
  const rulesBefore = listRules(stage, table)
  for (const { port } of tcp) await stage.listen(port)
  const look = async (
    who: Readonly<Record<4 | 6, string>>,
    where: readonly ProtocolPort[] = tcp,
  ): Promise<readonly boolean[]> =>
    await Promise.all(
      FAMILIES.flatMap((family) => where.map(({ port }) => stage.connects(HOST[family], port, who[family]))),
    )
  const others = await othersListen(stage, wish)
  const isOpen = async (one: ProtocolPort): Promise<boolean> => (await look(STRANGER, [one])).every(Boolean)
  const before = await look(STRANGER)
  const open: ProtocolPort[] = []
  for (const one of tcp) if (await isOpen(one)) open.push(one)
  // These the host lets in already; if a stranger does not get there, no knock would help.
  const expected = way.kind === 'gate' ? tcp.filter((one) => !way.letIn?.ports.some((it) => isSame(it, one))) : []
  const elsewhere = expected.filter((one) => !open.includes(one))
  const tried = tcp.filter((one) => !elsewhere.includes(one))
  const [first] = open
  const session = first === undefined ? undefined : await stage.session(HOST[4], first.port, CLIENT[4])
  const server = await serve(stage, wish)
  const note = (what: string, good: boolean): void => {
    scenes.push({ what, good })
  }
  note(
    `${formatProtocolPorts(tcp)}: no stranger gets in any more, over IPv4 and IPv6`,
    !(await look(STRANGER)).some(Boolean),
  )
  if (session !== undefined) note('a session that was there before lives on', await session.answers())
  letIn(stage, wish)
  if (way.kind === 'gate' && way.letIn !== undefined)
    note(
      `a rule that lets ${formatProtocolPorts(way.letIn.ports)} in opens it to nobody`,
      !(await look(STRANGER)).some(Boolean),
    )
  if (wish.policy !== undefined) {
    const allowed = wish.policy.allow.filter(({ protocol }) => protocol === 'tcp')
    const allowedBefore = await look(STRANGER, allowed)
    loadPolicy(stage, wish.policy.text)
    note('with the policy, nobody gets in at any other port', !(await look(STRANGER, others)).some(Boolean))
    if (session !== undefined) note('the session lives on with the policy too', await session.answers())
    if (allowed.length > 0)
      note(
        `the policy lets ${formatProtocolPorts(allowed)} in as before`,
        String(await look(STRANGER, allowed)) === String(allowedBefore),
      )
  }
  if (tried.length > 0) {
    for (const family of FAMILIES) knock(stage, wish, HOST[family])
    note('a knock opens, over IPv4 and IPv6', await becomes(async () => (await look(CLIENT, tried)).every(Boolean)))
    note('and opens to nobody else', !(await look(STRANGER)).some(Boolean))
  }
  server.kill('SIGTERM')
  await ended(server)
  stage.inside(['nft', 'delete', 'table', 'inet', table])
  takeOut(stage, wish)
  if (wish.policy !== undefined) stage.inside(['nft', REMOVE_TABLE])
  note('when all is taken back, the rules are as before', listRules(stage, table) === rulesBefore)
  note('and who got in before gets in again', String(await look(STRANGER)) === String(before))
  const udp = ports.filter(({ protocol }) => protocol === 'udp')
  return [
    ...(elsewhere.length === 0
      ? []
      : [
          `that a knock opens ${formatProtocolPorts(elsewhere)} was not tried: the host’s rules let only some addresses in there, or lead it elsewhere, as Docker does`,
        ]),
    ...(udp.length === 0 ? [] : [`${formatProtocolPorts(udp)} was not tried: it is UDP`]),
  ]
}

/** Programs at the ports that a policy is tried with. @returns one that it must shut; none without a policy. */
async function othersListen(stage: Stage, { ports, policy }: RehearsalWish): Promise<readonly ProtocolPort[]> {
  if (policy === undefined) return []
  const known = [...ports, ...policy.allow].flatMap(({ protocol, port }) => (protocol === 'tcp' ? [Number(port)] : []))
  let free = FIRST_OTHER
  while (known.includes(free)) free++
  const allowed = policy.allow.filter((one) => one.protocol === 'tcp' && !ports.some((it) => isSame(it, one)))
  for (const { port } of allowed) await stage.listen(port)
  await stage.listen(free)
  return [{ protocol: 'tcp', port: free as Port }]
}

/** As on the host: with the sessions that are open at that moment. */
function loadPolicy(stage: Stage, text: string): void {
  const tables = ['tcp', 'tcp6'].map((table) => stage.inside(['cat', `/proc/thread-self/net/${table}`]).output)
  const sessions = renderSessions(tables.flatMap((table) => parseTcpTable(table)))
  stage.load(['nft', '-f'], text + sessions, 'the policy')
}

function isSame(one: ProtocolPort, other: ProtocolPort): boolean {
  return one.protocol === other.protocol && one.port === other.port
}

function loadRules(stage: Stage, { table, legacy }: RehearsalWish): void {
  const listed = runHere(['nft', 'list', 'ruleset'])
  if (listed.status !== 0) throw new Impossible(`the rules of this host cannot be listed: ${listed.reason}`)
  const { text, iptables } = splitRules(listed.output, table)
  stage.load(['nft', '-f'], text, 'the rules of nftables')
  for (const [families, kind] of [
    [iptables, 'nft'],
    [legacy, 'legacy'],
  ] as const)
    for (const family of families) {
      const saved = runHere([`${family}tables-${kind}-save`])
      if (saved.status !== 0)
        throw new Impossible(`the rules of ${family}tables-${kind} cannot be saved: ${saved.reason}`)
      stage.load([`${family}tables-${kind}-restore`], saved.output, `the rules of ${family}tables-${kind}`)
    }
}

/** All but our table. */
function listRules(stage: Stage, table: string): string {
  const listed = stage.inside(['nft', 'list', 'ruleset'])
  const { text } = splitRules(listed.output, table)
  const saved = ['iptables-nft-save', 'ip6tables-nft-save'].map((program) => stage.inside([program]).output)
  return comparable([text, ...saved].join('\n'))
}

async function serve(stage: Stage, { way, ports, table, mark, keys, ghostport }: RehearsalWish): Promise<ChildProcess> {
  const named = ports.map((one) => formatProtocolPorts([one])).join(',')
  const mode = way.kind === 'gate' ? `FIREWALL_MODE gate;\nPROTECTED_PORTS ${named};\n` : 'FIREWALL_MODE mark;\n'
  stage.write(
    'fwknopd.conf',
    `${mode}NFT_TABLE ${table};\nCONNTRACK_MARK ${mark};\nREPLAY_DB ${FOLDER}/replay.db;\nCONTROL_SOCKET ${FOLDER}/control.sock;\n`,
  )
  stage.write(
    'access.conf',
    `SOURCE ANY\nOPEN_PORTS ${named}\nKEY_BASE64 ${keys.key}\nHMAC_KEY_BASE64 ${keys.hmacKey}\n`,
  )
  const server = stage.start(
    [...ghostport, 'serve', '-c', `${FOLDER}/fwknopd.conf`, '-a', `${FOLDER}/access.conf`],
    'host',
  )
  let said = ''
  server.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    said += chunk
  })
  if (
    !(await becomes(async () => /"event":"ready"/.test(said) || server.exitCode !== null, TO_START)) ||
    server.exitCode !== null
  )
    throw new Impossible(`the server does not start there: ${said.trim().split('\n').at(-1) ?? ''}`)
  return server
}

function knock(stage: Stage, { ghostport, ports, keys }: RehearsalWish, address: string): void {
  const named = ports.map((one) => formatProtocolPorts([one])).join(',')
  const rc = stage.clientFile(
    `[rehearsal]\nSPA_SERVER ${address}\nALLOW_IP source\nACCESS ${named}\nKEY_BASE64 ${keys.key}\nHMAC_KEY_BASE64 ${keys.hmacKey}\n`,
  )
  const source = address.includes(':') ? '-6' : '-4'
  const { status, reason } = stage.asClient([...ghostport, 'knock', source, '-n', 'rehearsal', '--rc-file', rc])
  if (status !== 0) throw new Impossible(`no knock can be sent there: ${reason}`)
}

/** The manager’s own command would change this host, so an equal rule stands for its. */
function letIn(stage: Stage, { way }: RehearsalWish): void {
  if (way.kind !== 'gate' || way.letIn === undefined) return
  for (const { protocol, port } of way.letIn.ports)
    for (const argv of ruleOf(way.letIn.by, '-I', protocol, port)) {
      const { status, reason } = stage.inside(argv)
      if (status !== 0) throw new Impossible(`a rule like that of ${way.letIn.by} cannot be loaded there: ${reason}`)
    }
}

function takeOut(stage: Stage, { way }: RehearsalWish): void {
  if (way.kind !== 'gate' || way.letIn === undefined) return
  for (const { protocol, port } of way.letIn.ports)
    for (const argv of ruleOf(way.letIn.by, '-D', protocol, port)) stage.inside(argv)
}

function ruleOf(
  by: 'ufw' | 'firewalld',
  verb: '-I' | '-D',
  protocol: string,
  port: number,
): readonly (readonly [string, ...string[]])[] {
  if (by === 'ufw')
    return (['iptables', 'ip6tables'] as const).map((program) => [
      ...([program, verb, program === 'iptables' ? 'ufw-user-input' : 'ufw6-user-input', '-p', protocol] as const),
      ...['--dport', String(port), '-j', 'ACCEPT'],
    ])
  // A chain that firewalld’s own rules are in; with a table of its own it could not overrule them.
  const rule = `inet firewalld filter_INPUT ${protocol} dport ${port} accept`
  if (verb === '-I') return [['nft', 'insert', 'rule', ...rule.split(' ')]]
  const handle = "nft -a list chain inet firewalld filter_INPUT | sed -n '3,4s/.*# handle //p' | head -1"
  return [['sh', '-c', `nft delete rule inet firewalld filter_INPUT handle "$(${handle})"`]]
}

async function becomes(is: () => Promise<boolean>, within = milliseconds(3000)): Promise<boolean> {
  const end = performance.now() + within
  for (;;) {
    if (await is()) return true
    if (performance.now() > end) return false
    await delay(milliseconds(50))
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.once('exit', resolve))
}

/** Two network namespaces with a link between them. Files are in a file system that only the first one sees. */
class Stage {
  readonly #children: ChildProcess[] = []
  readonly #folder = mkdtempSync(join(tmpdir(), 'ghostport-rehearsal-'))
  #host = 0
  #client = 0
  #files = 0

  async build(interfaces: readonly string[]): Promise<void> {
    const hidden = `mount -t tmpfs -o mode=0755 tmpfs /run && mkdir -m 0700 ${FOLDER} && echo built && exec sleep ${LONGEST}`
    this.#host = await this.#hold(['unshare', '--net', '--mount', '--propagation', 'private', 'sh', '-c', hidden])
    this.#client = await this.#hold(['unshare', '--net', 'sh', '-c', `echo built && exec sleep ${LONGEST}`])
    const [main = 'eth0', ...others] = interfaces
    const ip = (where: 'host' | 'client', ...words: readonly string[]): void => {
      const { status, reason } = this.#run(where, ['ip', ...words])
      if (status !== 0) throw new Impossible(`ip ${words.join(' ')}: ${reason}`)
    }
    ip('host', 'link', 'add', main, 'type', 'veth', 'peer', 'name', 'client0', 'netns', String(this.#client))
    // Rules may name them.
    for (const name of others)
      if (this.#run('host', ['ip', 'link', 'add', name, 'type', 'dummy']).status !== 0)
        this.#run('host', ['ip', 'link', 'add', name, 'type', 'bridge'])
    for (const [where, device, addresses] of [
      ['host', main, [HOST]],
      ['client', 'client0', [STRANGER, CLIENT]],
    ] as const) {
      ip(where, 'link', 'set', 'lo', 'up')
      for (const address of addresses) {
        ip(where, 'address', 'add', `${address[4]}/24`, 'dev', device)
        ip(where, 'address', 'add', `${address[6]}/64`, 'dev', device, 'nodad')
      }
      ip(where, 'link', 'set', device, 'up')
    }
    // A packet without -s goes out from this one.
    ip('client', 'route', 'replace', '198.51.100.0/24', 'dev', 'client0', 'src', CLIENT[4])
  }

  /** @returns the process that keeps the namespaces. */
  async #hold(argv: readonly [string, ...string[]]): Promise<number> {
    const child = this.#spawn(argv)
    let said = ''
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk
    })
    await becomes(async () => said.includes('built') || child.exitCode !== null)
    if (!said.includes('built') || child.pid === undefined)
      throw new Impossible('this host lets nobody make a network namespace')
    return child.pid
  }

  #spawn(argv: readonly [string, ...string[]]): ChildProcess {
    const env = { ...PROGRAM_ENVIRONMENT, HOME: '/nonexistent' }
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], {
      env,
      stdio: ['pipe', 'pipe', 'ignore'],
      cwd: '/',
    })
    child.once('error', () => {})
    this.#children.push(child)
    return child
  }

  #into(where: 'host' | 'client'): readonly string[] {
    return where === 'host'
      ? ['nsenter', '-t', String(this.#host), '--net', '--mount', '--']
      : ['nsenter', '-t', String(this.#client), '--net', '--']
  }

  #run(where: 'host' | 'client', argv: readonly string[]): Ran {
    return runHere(['timeout', '-s', 'KILL', '20', ...this.#into(where), ...argv])
  }

  inside(argv: readonly string[]): Ran {
    return this.#run('host', argv)
  }

  asClient(argv: readonly string[]): Ran {
    return this.#run('client', argv)
  }

  /** A program that runs until the end. */
  start(argv: readonly string[], where: 'host' | 'client'): ChildProcess {
    const [first = '', ...rest] = this.#into(where)
    return this.#spawn([first, ...rest, ...argv])
  }

  /** A file for the server. */
  write(name: string, text: string): void {
    writeFileSync(`/proc/${this.#host}/root${FOLDER}/${name}`, text, { mode: 0o600 })
  }

  clientFile(text: string): string {
    const path = join(this.#folder, `file-${++this.#files}`)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }

  /** @param argv a program that takes the name of a file as its last word. */
  load(argv: readonly [string, ...string[]], text: string, what: string): void {
    if (text.trim() === '') return
    this.write('rules', text)
    const { status, reason } = this.inside([...argv, `${FOLDER}/rules`])
    if (status !== 0) throw new Impossible(`${what} cannot be loaded there: ${reason}`)
  }

  async listen(port: number): Promise<void> {
    const code = `require('node:net').createServer((s) => { s.on('error', () => {}); s.pipe(s) }).listen(${port}, '::', () => console.log('listening'))`
    await this.#says(this.start([process.execPath, '-e', code], 'host'), 'listening')
  }

  async connects(host: string, port: number, from: string): Promise<boolean> {
    const code = `const s = require('node:net').connect({ host: '${host}', port: ${port}, localAddress: '${from}' });
s.setTimeout(${TO_CONNECT}, () => process.exit(1)); s.on('error', () => process.exit(1)); s.on('connect', () => process.exit(0))`
    const child = this.start([process.execPath, '-e', code], 'client')
    await ended(child)
    return child.exitCode === 0
  }

  /** A connection that stays. */
  async session(host: string, port: number, from: string): Promise<{ answers(): Promise<boolean> }> {
    const code = `const s = require('node:net').connect({ host: '${host}', port: ${port}, localAddress: '${from}' });
s.on('connect', () => console.log('connected')); process.stdin.pipe(s); s.pipe(process.stdout); s.on('error', () => process.exit(1))`
    const child = this.start([process.execPath, '-e', code], 'client')
    await this.#says(child, 'connected')
    return {
      answers: async () => {
        child.stdin?.write('are you there?\n')
        return await this.#hears(child, 'are you there?')
      },
    }
  }

  async #says(child: ChildProcess, wanted: string): Promise<void> {
    if (!(await this.#hears(child, wanted))) throw new Impossible('a program of the rehearsal does not start')
  }

  async #hears(child: ChildProcess, wanted: string): Promise<boolean> {
    let said = ''
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk
    })
    await becomes(async () => said.includes(wanted) || child.exitCode !== null)
    return said.includes(wanted)
  }

  close(): void {
    for (const child of this.#children) child.kill('SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
