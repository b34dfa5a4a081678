/**
 * A cluster under faults, in the manner of Jepsen: real etcd, real daemons, real kernels. Each packet is sent to
 * several nodes at once, and again later, while faults strike (cluster-strikes.ts). What was accepted is recorded, and
 * judged at the end (cluster-history.ts).
 */
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { type Acceptance, faultsIn, type History } from './cluster-history.ts'
import { ClusterLab, type ClusterNode } from './cluster-lab.ts'
import { type Sealed, sealer } from './cluster-packets.ts'
import { strike } from './cluster-strikes.ts'
import { keys, stanza } from './daemon.ts'
import type { EtcdMember } from './etcd-member.ts'
import { seededRandom, shuffled } from './seeded-random.ts'
import { openSender } from './sender.ts'

export interface FaultRun {
  readonly packets: number
  /** Copies of each packet that are sent later. At once, each goes to two nodes at least. */
  readonly copies: number
  readonly seed: number
  /** At the end, all of etcd is put back to data from the begin: nothing may be accepted after that. */
  readonly endsWithOldData?: boolean
  readonly say?: (text: string) => void
}

export interface FaultResult {
  readonly faults: readonly string[]
  readonly history: History
  /** Datagrams; all but the first of each packet are replays. */
  readonly sent: number
  readonly struck: Readonly<Record<string, number>>
}

const ACCESS = stanza(['FW_ACCESS_TIMEOUT 1'], keys)
const SPA_PORT = 62_201
/** Copies come within this time, in milliseconds: while the packet is young, also for a clock that is 60 s ahead. */
const COPIES_WITHIN = 20_000
/** Until what a node knows of etcd is on its disk (daemon/warden/cluster-process/past-file.ts), in milliseconds. */
const WRITTEN = 7000
/** A packet may be accepted for this time by some node, in milliseconds: MAX_SPA_PACKET_AGE and 60 s. */
const YOUNG = 180_000

export async function runFaults(run: FaultRun): Promise<FaultResult> {
  const { packets, copies, seed, endsWithOldData = false, say = () => {} } = run
  await using lab = await ClusterLab.create({
    ...{ nodes: 4, members: 3, clocks: true },
    settings: { access: ACCESS, server: ['CLUSTER_TIMEOUT 1500', 'MAX_GRANTS 5000'] },
  })
  await lab.usable()
  if (endsWithOldData) await keepData(lab)
  await using sender = await openSender(lab.client.host)
  const next = seededRandom(seed)
  const seal = sealer(ACCESS)
  const sealed: (Sealed & { readonly at: number })[] = []
  const sealNext = (): Sealed => {
    const one = seal(sealed.length + 1)
    sealed.push({ ...one, at: performance.now() })
    return one
  }
  let again: { readonly at: number; readonly bytes: Uint8Array }[] = []
  let sent = 0
  const send = async (bytes: Uint8Array, nodes: readonly ClusterNode[]): Promise<void> => {
    for (const { address } of nodes) {
      sent++
      await sender.send(bytes, address, SPA_PORT).catch(() => {})
    }
  }
  const struck: Record<string, number> = {}
  let isOver = false
  let broken: unknown
  const striking = strike(lab, next, struck, () => isOver).catch((error) => {
    broken = error
  })
  try {
    for (let i = 1; i <= packets && broken === undefined; i++) {
      const { bytes } = sealNext()
      await send(bytes, shuffled(lab.nodes, next).slice(0, 2 + next(3)))
      for (let copy = 0; copy < copies; copy++) again.push({ at: performance.now() + next(COPIES_WITHIN), bytes })
      const due = again.filter(({ at }) => at <= performance.now())
      again = again.filter(({ at }) => at > performance.now())
      for (const { bytes } of due) await send(bytes, [lab.nodes[next(lab.nodes.length)] as ClusterNode])
      if (i % 500 === 0) say(`${i} packets, ${sent} sent, ${JSON.stringify(struck)}`)
      await delay(8)
    }
    for (const { bytes } of again) await send(bytes, [lab.nodes[next(lab.nodes.length)] as ClusterNode])
  } finally {
    isOver = true
    await striking
  }
  if (broken !== undefined) throw broken
  lab.heal()
  for (const { clock } of lab.nodes) clock?.set(0)
  await lab.usable()
  await delay(2000)
  const claims = claimsIn(lab.members)
  if (endsWithOldData) {
    await delay(WRITTEN)
    await putBackAll(lab)
    say(`etcd is at old data, after ${sent} sent`)
    const young = sealed.filter(({ at }) => at > performance.now() - YOUNG)
    for (const { bytes } of young) {
      await send(bytes, lab.nodes)
      await delay(2)
    }
    for (let i = 0; i < 50; i++) await send(sealNext().bytes, lab.nodes)
    await delay(3000)
  }
  const names = new Map(sealed.map(({ name, digest }) => [name, digest]))
  const history = { sent: names, accepted: lab.nodes.flatMap(acceptedAt), claims }
  return { faults: faultsIn(history), history, sent, struck }
}

async function keepData({ members }: ClusterLab): Promise<void> {
  for (const member of members) await member.kill()
  for (const member of members) member.keepData('begin')
  for (const member of members) member.start()
  for (const member of members) await member.ready()
}

/** Half of the nodes run meanwhile. The others know what was before from their disk only. */
async function putBackAll({ members, nodes }: ClusterLab): Promise<void> {
  const restarted = nodes.slice(0, nodes.length / 2)
  for (const { daemon } of restarted) await daemon.stop('SIGKILL')
  for (const member of members) await member.kill()
  for (const member of members) member.putBack('begin')
  for (const member of members) member.start()
  for (const member of members) await member.ready()
  for (const { daemon } of restarted) await daemon.again(120_000)
  await delay(2000)
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
