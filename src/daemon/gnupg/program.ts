/**
 * The program that runs gpg. It gives up all privilege first, and makes sure that it has none. It gets the keyrings
 * from the warden, and keeps copies. Then the kernel refuses it the network, and all files but the copies and the
 * system's programs. Only after that, it decrypts what the receiver sends. What that means if gpg falls:
 * docs/THREAT-MODEL.md § 6.
 *
 * Started by the warden, with the channel as descriptor 4, and the receiver's requests as descriptor 5. With
 * `--become UID:GID` it starts as root, with few capabilities, and changes user before it gets a keyring. Or started by
 * systemd for a connection of the warden, as a user of its own (`--from-socket`, link/handover.ts).
 */
import { Socket } from 'node:net'
import { setPriority } from 'node:os'
import { failureKinds } from '../../failure-codes.ts'
import { callGpg, type GpgProgram } from '../../gpg/program.ts'
import { type Failure, refuse } from '../../result.ts'
import { becomeUnprivileged, parseBecome } from '../../system/become.ts'
import { GNUPG_TITLE, setProcessTitle } from '../../system/own-process.ts'
import { currentSituation } from '../../system/privilege.ts'
import { milliseconds } from '../../units.ts'
import { type Channel, openChannel } from '../link/channel.ts'
import {
  type FromGnupg,
  GNUPG_CHANNEL,
  GNUPG_REQUESTS,
  type GnupgAnswer,
  type ToGnupg,
} from '../link/gnupg-protocol.ts'
import { LossyLines, lineOf } from '../link/lossy-lines.ts'
import { LONGEST_DETAIL } from '../link/protocol.ts'
import { FROM_SOCKET_OPTION, SERVICE_DESCRIPTOR } from '../link/receiver-start.ts'
import { startAgent } from './agent.ts'
import { confineGnupg, limitGnupg } from './confine.ts'
import { type DecrypterParts, makeDecrypter } from './decrypters.ts'
import type { Decrypter } from './open-message.ts'
import { makePrivateHomes, type PrivateHomes } from './private-homes.ts'
import { GnupgService } from './service.ts'

/** Bytes. A keyring in base64. */
const LONGEST_MESSAGE_OF_THE_WARDEN = 256 * 1024 * 1024
/**
 * How long gpg may take for one packet: some hundred times what it takes on a quiet machine. On a busy one it waits for
 * the processor, and its administrator wants to come in most of all.
 */
const LIMIT = milliseconds(8000)
/** Behind all other work of the machine. */
const NICENESS = 10
/** It fetches nothing, starts nothing, and leaves nothing behind. */
const OPTIONS = ['--no-autostart', '--disable-dirmngr', '--lock-never', '--no-random-seed-file']

let homes: PrivateHomes | undefined

/** Whether systemd started it. */
const isFromSocket = process.argv.includes(FROM_SOCKET_OPTION)
/** Of the receiver’s requests. */
let requestsDescriptor = GNUPG_REQUESTS
let channel: Channel | undefined
const send = (message: FromGnupg): void => channel?.send(message)

function openWardensChannel(descriptor: number): void {
  channel = openChannel(
    new Socket({ fd: descriptor, readable: true, writable: true }),
    {
      onValues: (values) => {
        // The warden is trusted, and sends one message.
        for (const value of values) configure(value as ToGnupg).catch((error: Error) => giveUp(failureOf(error)))
      },
      onBroken: (detail) => giveUp({ code: 'WARDEN_GONE', detail }),
      onEnd: () => end(0),
    },
    LONGEST_MESSAGE_OF_THE_WARDEN,
  )
}

function end(status: number): never {
  try {
    homes?.remove()
  } catch {
    // The next one removes it.
  }
  process.exit(status)
}

function giveUp({ code, detail }: Failure): never {
  send({ type: 'failed', code, detail: detail.slice(0, LONGEST_DETAIL) })
  end(failureKinds[code].exit)
}

function failureOf(error: Error): Failure {
  return (error.cause as Failure | undefined) ?? { code: 'GNUPG_FAILED', detail: error.message }
}

async function configure({ secret, keyrings, decrypters }: ToGnupg): Promise<void> {
  // What systemd started ends with its unit.
  const setpriv = isFromSocket ? undefined : currentSituation().setpriv
  const made = makePrivateHomes(keyrings)
  homes = made
  const limited = limitGnupg()
  const confinement = confineGnupg(
    made.folder,
    decrypters.map(({ program }) => program),
  )
  const confined = confinement.ok ? limited : confinement
  // Without setpriv they end with this process’s group, which the warden ends.
  const through = setpriv === undefined ? [] : [setpriv, '--pdeathsig=KILL', '--']
  const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TMPDIR: made.folder, HOME: made.folder }
  const problems: string[] = []
  const usable: Decrypter[] = []
  const agents = new Set<string>()
  for (const { name, home: original, program, decryptIds, anyKey, passphrase } of decrypters) {
    const home = made.of.get(original) ?? ''
    const gpg: GpgProgram = {
      ...{ program, home, env, limit: LIMIT, options: OPTIONS },
      passphrase: passphrase === undefined ? 'none' : Buffer.from(passphrase, 'base64'),
      ...(setpriv !== undefined && { through: [setpriv, '--pdeathsig=KILL', '--'] as const }),
    }
    const prepared = await prepare({ name, gpg, decryptIds, anyKey, through, agents })
    if (prepared.ok) usable.push(prepared.value.decrypter)
    for (const problem of prepared.ok ? prepared.value.problems : [prepared.failure.detail])
      problems.push(`${original}: ${problem}`.slice(0, LONGEST_DETAIL))
  }
  const requests = new Socket({ fd: requestsDescriptor, readable: true, writable: true })
  const answer = (given: GnupgAnswer): void => void requests.write(lineOf(given))
  const service = new GnupgService(usable, Buffer.from(secret, 'base64'), answer)
  const lines = new LossyLines()
  requests.on('data', (chunk: Buffer) => {
    for (const value of lines.push(chunk)) service.take(value)
  })
  requests.on('close', () => end(0))
  requests.on('error', () => end(0))
  // It ends what another such process may have left half said.
  requests.write('\n')
  send({
    type: 'ready',
    problems,
    ...(!confined.ok && { unconfined: confined.failure.detail.slice(0, LONGEST_DETAIL) }),
  })
}

async function prepare({
  through,
  agents,
  ...parts
}: DecrypterParts & {
  readonly through: readonly string[]
  /** Homes whose agent runs. */
  readonly agents: Set<string>
}) {
  const { gpg } = parts
  const { home, program, env } = gpg
  if (!agents.has(home)) {
    const onEnd = (detail: string): void => giveUp({ code: 'GNUPG_FAILED', detail })
    const started = await startAgent({ home, gpg: program, through, env, onEnd })
    if (!started.ok) return started
    agents.add(home)
    // The trust in each key must be known before: gpg does not find it out for a packet.
    const checked = await callGpg(gpg, ['--check-trustdb'], new Uint8Array(), 'none')
    if (checked.broken !== undefined) return refuse('GNUPG_FAILED', checked.broken)
    // Another status than 0 may mean that a trusted key is not in the keyring any more.
  }
  return await makeDecrypter(parts)
}

async function main(): Promise<void> {
  setProcessTitle(GNUPG_TITLE)
  if (isFromSocket) {
    const { takeDescriptors } = await import('../link/handover.ts')
    // Before the stream: it would read what comes with the descriptors.
    const taken = takeDescriptors(SERVICE_DESCRIPTOR, process.env)
    openWardensChannel(SERVICE_DESCRIPTOR)
    if (!taken.ok) giveUp(taken.failure)
    requestsDescriptor = taken.value[0] ?? -1
  } else openWardensChannel(GNUPG_CHANNEL)
  const become = parseBecome(process.argv)
  if (!become.ok) giveUp(become.failure)
  const unprivileged = await becomeUnprivileged(become.value)
  if (!unprivileged.ok) giveUp(unprivileged.failure)
  process.umask(0o077)
  // When to end is the warden's decision.
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM'] as const) process.on(signal, () => {})
  try {
    setPriority(NICENESS)
  } catch {
    // Its priority stays.
  }
  send({ type: 'started' })
}

await main().catch((error: Error) => giveUp(failureOf(error)))
