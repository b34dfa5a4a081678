/**
 * The program that runs commands for the warden. It is root, and has all privilege that the service has, so it reads
 * little: no packet, only the warden’s messages and the configuration. It reads the configuration by itself. So a
 * captured warden can choose among configured commands, and cannot make up others.
 *
 * Started by the warden only, with the channel as descriptor 3, and the places of the files as `--source`. `--helpers`
 * is the socket of the helpers, if systemd starts these.
 */
import { existsSync, readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { jsonLine } from '../../bytes/text.ts'
import { systemClock } from '../../clock.ts'
import type { ConfigSource } from '../../config/load.ts'
import { failureKinds } from '../../failure-codes.ts'
import type { Failure } from '../../result.ts'
import { EXECUTOR_TITLE, forbidInspector, setProcessTitle, shutInspector } from '../../system/own-process.ts'
import { closeMemory, currentSituation, parsePrivileges } from '../../system/privilege.ts'
import { sinceBoot } from '../../system/since-boot.ts'
import { openChannel } from '../link/channel.ts'
import { EXECUTOR_CHANNEL, type FromExecutor, parseToExecutor } from '../link/executor-protocol.ts'
import { helperSocket } from '../warden/receiver-process/helpers.ts'
import { Executor } from './executor.ts'
import { readRules } from './rules.ts'

/** Set-user-id programs, such as sudo, have no effect in a process that may get no new privileges. */
function mayGetNoPrivileges(): boolean {
  return parsePrivileges(readFileSync('/proc/self/status', 'utf8')).noNewPrivileges
}

async function main(): Promise<void> {
  setProcessTitle(EXECUTOR_TITLE)
  const socket = new Socket({ fd: EXECUTOR_CHANNEL, readable: true, writable: true })
  const giveUp = ({ code, detail }: Failure): never => {
    socket.write(`${jsonLine({ type: 'failed', detail } satisfies FromExecutor)}\n`)
    process.exit(failureKinds[code].exit)
  }
  const forbidden = forbidInspector()
  if (!forbidden.ok) giveUp(forbidden.failure)
  const shut = await shutInspector()
  if (!shut.ok) giveUp(shut.failure)
  closeMemory()
  // When to end is the warden's decision.
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM'] as const) process.on(signal, () => {})
  process.umask(0o022)
  const source = JSON.parse(process.argv[process.argv.indexOf('--source') + 1] ?? '') as ConfigSource
  const send = (message: FromExecutor): void => channel.send(message)
  const { setpriv, maySetUser } = currentSituation()
  const helpersAt = process.argv.indexOf('--helpers')
  const helpers = helperSocket(helpersAt < 0 ? undefined : process.argv[helpersAt + 1], maySetUser)
  const executor = new Executor({
    ...{ readRules: () => readRules(source), send, setpriv, mayChangeUser: maySetUser, helpers },
    ...{ clock: systemClock, exists: existsSync },
    sinceBoot: () => sinceBoot('counted'),
    boot: readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(),
    onIdle: () => setImmediate(() => process.exit(0)),
  })
  const channel = openChannel(socket, {
    onValues: (values) => {
      for (const value of values) {
        const message = parseToExecutor(value)
        if (!message.ok) return giveUp(message.failure)
        executor.take(message.value)
      }
    },
    onBroken: (detail) => giveUp({ code: 'COMMANDS_UNAVAILABLE', detail }),
    onEnd: async () => {
      await executor.stop()
      process.exit(0)
    },
  })
  executor.configure()
  send({
    type: 'ready',
    ...(mayGetNoPrivileges() && { withoutSudo: 'yes' }),
    ...(!maySetUser && { withoutUsers: 'yes' }),
  })
}

await main()
