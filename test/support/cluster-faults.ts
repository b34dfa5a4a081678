/**
 * A cluster under faults, in the manner of Jepsen: real etcd, real daemons, real kernels. Each packet is sent to
 * several nodes at once, and again later, while members and nodes are cut off, killed, stopped and started again.
 */
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { StanzaIndex } from '../../src/access/matching.ts'
import type { StanzaId } from '../../src/access/stanza.ts'
import { encodeText } from '../../src/bytes/text.ts'
import { parseAccessConf } from '../../src/config/access/parse-access-conf.ts'
import { filesFromSnapshot } from '../../src/config/reading/config-files.ts'
import { parseEnvelope } from '../../src/packet/envelope.ts'
import type { Username } from '../../src/packet/message.ts'
import type { OutgoingMessage } from '../../src/packet/message-fields.ts'
import { openPacket } from '../../src/packet/open.ts'
import { sealPacket } from '../../src/packet/seal.ts'
import { port, unixSeconds } from '../../src/units.ts'
import { type Acceptance, faultsIn, type History } from './cluster-history.ts'
import { ClusterLab, type ClusterNode, type EtcdMember } from './cluster-lab.ts'
import { keys, stanza } from './daemon.ts'
import { openSender } from './sender.ts'
import { symmetricKeys } from './symmetric-keys.ts'

export interface FaultRun {
  readonly packets: number
  /** Copies of each packet that are sent later. At once, each goes to two nodes at least. */
  readonly copies: number
  readonly seed: number
  readonly say?: (text: string) => void
}

export interface FaultResult {
  readonly faults: readonly string[]
  readonly sent: number
  readonly accepted: number
  readonly struck: Readonly<Record<string, number>>
}

const ACCESS = stanza(['FW_ACCESS_TIMEOUT 1'], keys)
const SPA_PORT = 62_201

/** Numbers that are the same for each run with this seed (mulberry32). */
function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

export async function runFaults({ packets, copies, seed, say = () => {} }: FaultRun): Promise<FaultResult> {
  await using lab = await ClusterLab.create({
    ...{ nodes: 4, members: 3 },
    settings: { access: ACCESS, server: ['CLUSTER_TIMEOUT 1500', 'MAX_GRANTS 5000'] },
  })
  await lab.usable()
  await using sender = await openSender(lab.client.host)
  const next = random(seed)
  const pick = <T>(from: readonly T[]): T => from[next(from.length)] as T
  const seal = sealer()
  const sent = new Map<string, string>()
  const again: { readonly at: number; readonly bytes: Uint8Array }[] = []
  let count = 0
  const send = async (bytes: Uint8Array, nodes: readonly ClusterNode[]): Promise<void> => {
    for (const { address } of nodes) {
      count++
      await sender.send(bytes, address, SPA_PORT).catch(() => {})
    }
  }
  const struck: Record<string, number> = {}
  let isOver = false
  let broken: unknown
  const striking = strike(lab, next, pick, struck, () => isOver).catch((error) => {
    broken = error
  })
  try {
    for (let i = 1; i <= packets && broken === undefined; i++) {
      const { name, digest, bytes } = seal(i)
      sent.set(name, digest)
      await send(bytes, shuffled(lab.nodes, next).slice(0, 2 + next(3)))
      for (let copy = 0; copy < copies; copy++) again.push({ at: performance.now() + next(6000), bytes })
      const due = again.filter(({ at }) => at <= performance.now())
      for (const one of due) {
        again.splice(again.indexOf(one), 1)
        await send(one.bytes, [pick(lab.nodes)])
      }
      if (i % 1000 === 0) say(`${i} packets, ${count} sent, ${JSON.stringify(struck)}`)
      await delay(8)
    }
    for (const { bytes } of again) await send(bytes, lab.nodes)
  } finally {
    isOver = true
    await striking
  }
  if (broken !== undefined) throw broken
  lab.heal()
  await lab.usable()
  await delay(2000)
  const history: History = { sent, accepted: lab.nodes.flatMap(acceptedAt), claims: claimsIn(lab.members) }
  return { faults: faultsIn(history), sent: count, accepted: history.accepted.length, struck }
}

/** One fault after the other, with rests between them, until the run is over. Each fault is mended before it ends. */
async function strike(
  lab: ClusterLab,
  next: (below: number) => number,
  pick: <T>(from: readonly T[]) => T,
  struck: Record<string, number>,
  isOver: () => boolean,
): Promise<void> {
  const hold = (): Promise<void> => delay(500 + next(2500))
  const faults: Readonly<Record<string, () => Promise<void>>> = {
    'nodes cut off from members': async () => {
      lab.apart(some(lab.nodes, next), some(lab.members, next))
      await hold()
    },
    'members cut off from members': async () => {
      const [one, ...others] = shuffled(lab.members, next)
      if (one !== undefined) lab.apart([one], others)
      await hold()
    },
    'all apart': async () => {
      lab.apart(lab.members, lab.members)
      await hold()
    },
    'packets lost': async () => {
      lab.lose(30)
      await hold()
      lab.lose(0)
    },
    'member killed': async () => {
      const member = pick(lab.members)
      await member.kill()
      await hold()
      member.start()
    },
    'member stopped': async () => {
      const member = pick(lab.members)
      member.signal('SIGSTOP')
      await hold()
      member.signal('SIGCONT')
    },
    'daemon killed': async () => {
      const { daemon } = pick(lab.nodes)
      await daemon.stop('SIGKILL')
      await daemon.again()
    },
    'daemon stopped': async () => {
      const { daemon } = pick(lab.nodes)
      process.kill(daemon.pid, 'SIGSTOP')
      await hold()
      process.kill(daemon.pid, 'SIGCONT')
    },
    'cluster process stopped': async () => {
      const pid = clusterProcessOf(pick(lab.nodes))
      if (pid === undefined) return
      process.kill(pid, 'SIGSTOP')
      await hold()
      try {
        process.kill(pid, 'SIGCONT')
      } catch {
        // Its warden has ended it.
      }
    },
    'cluster process killed': async () => {
      const pid = clusterProcessOf(pick(lab.nodes))
      if (pid !== undefined) process.kill(pid, 'SIGKILL')
    },
  }
  while (!isOver()) {
    const name = pick(Object.keys(faults))
    struck[name] = (struck[name] ?? 0) + 1
    await faults[name]?.()
    lab.heal()
    await delay(next(1500))
  }
}

function clusterProcessOf({ daemon, host }: ClusterNode): number | undefined {
  const found = host
    .run(['pgrep', '-P', `${daemon.pid}`, '-f', 'cluster'])
    .stdout.trim()
    .split('\n')[0]
  return found === undefined || found === '' ? undefined : Number(found)
}

function some<T>(from: readonly T[], next: (below: number) => number): readonly T[] {
  return shuffled(from, next).slice(0, 1 + next(from.length))
}

function shuffled<T>(from: readonly T[], next: (below: number) => number): readonly T[] {
  return from
    .map((item) => [next(1_000_000), item] as const)
    .sort(([one], [other]) => one - other)
    .map(([, item]) => item)
}

interface Sealed {
  readonly name: string
  readonly digest: string
  readonly bytes: Uint8Array
}

function sealer(): (number: number) => Sealed {
  const files = filesFromSnapshot({ texts: { '/access.conf': ACCESS }, folders: {}, failures: {} })
  const parsed = parseAccessConf('/access.conf', files)
  assert.ok(parsed.ok)
  const made = new StanzaIndex(parsed.value.stanzas).byId(1 as StanzaId)
  assert.ok(made)
  return (number) => {
    const name = `k${number}`
    const message = {
      ...{ kind: 'access', random: String(number).padStart(16, '0'), username: name as Username },
      ...{ timestamp: unixSeconds(Math.floor(Date.now() / 1000)), source: 'packet-source' },
      ports: [{ protocol: 'tcp', port: port(22) }],
    } as const satisfies OutgoingMessage
    const salt = new Uint8Array(8)
    new DataView(salt.buffer).setUint32(4, number)
    const text = sealPacket(message, symmetricKeys(made), { digestType: 'sha256', salt })
    assert.ok(text.ok)
    const bytes = encodeText(text.value)
    const envelope = parseEnvelope(bytes, { http: 'off' })
    assert.ok(envelope.ok)
    const opened = openPacket(envelope.value, symmetricKeys(made))
    assert.ok(opened.ok)
    return { name, digest: opened.value.digest, bytes }
  }
}

function acceptedAt({ daemon, name: node }: ClusterNode): readonly Acceptance[] {
  return daemon.allEvents.flatMap(({ verdict, user }) =>
    verdict === 'granted' ? [{ packet: String(user), node }] : [],
  )
}

function claimsIn([member]: readonly EtcdMember[]): ReadonlyMap<string, string> {
  assert.ok(member)
  const prefix = 'ghostport/front/used/'
  const lines = member.etcdctl('get', '--prefix', prefix).stdout.split('\n')
  const claims = new Map<string, string>()
  for (let i = 0; i + 1 < lines.length; i += 2)
    claims.set((lines[i] ?? '').slice(prefix.length), (lines[i + 1] ?? '').split(' ')[0] ?? '')
  return claims
}
