/**
 * The server's GnuPG process, for one packet that somebody asks about: the same program, confined in the same way, with
 * a copy of the keyrings that is gone afterwards. It has a user of its own, which is not that of a running server.
 */
import { randomBytes } from 'node:crypto'
import { Socket } from 'node:net'
import type { DecrypterName } from '../../access/keyring.ts'
import { encodeBase64 } from '../../bytes/base64.ts'
import { ATTESTATION_SECRET_LENGTH } from '../../daemon/link/attestation.ts'
import { openChannel } from '../../daemon/link/channel.ts'
import { type GnupgAnswer, parseFromGnupg, parseGnupgAnswer, type ToGnupg } from '../../daemon/link/gnupg-protocol.ts'
import { LossyLines, lineOf } from '../../daemon/link/lossy-lines.ts'
import type { GnupgOrder } from '../../daemon/warden/gnupg-process/gnupg-order.ts'
import { spawnGnupg } from '../../daemon/warden/gnupg-process/spawn.ts'
import { gnupgInquiryAccount } from '../../daemon/warden/receiver-process/receiver-user.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { currentSituation, receiverCommand } from '../../system/privilege.ts'
import { forbidIoUring } from '../../system/seccomp.ts'
import { openSocketPair } from '../../system/socket-pair.ts'
import { within } from '../../system/within.ts'
import { milliseconds } from '../../units.ts'

/** How long it may take: to begin, to answer, and to remove its copies. */
const TIMES = { start: milliseconds(60_000), answer: milliseconds(20_000), end: milliseconds(2000) }

export interface GnupgOnce {
  /** The user that gpg runs as. */
  readonly user: string
  /** Empty, or what the kernel could not take from it. */
  readonly remark: string
  /** @returns GNUPG_FAILED if there is no answer. */
  decrypt(decrypter: DecrypterName, message: Uint8Array): Promise<Result<GnupgAnswer, Failure>>
  /** Ends it. Resolves when its copies are gone. */
  end(): Promise<void>
}

/** To be called as the user that may read the keyrings. @returns GNUPG_FAILED where it does not begin. */
export async function startGnupgOnce(order: GnupgOrder): Promise<Result<GnupgOnce, Failure>> {
  const account = gnupgInquiryAccount()
  const { separateUser } = receiverCommand([process.execPath], account, currentSituation())
  // As in the server. Where it fails, the GnuPG process says that it is not confined.
  forbidIoUring()
  const pair = openSocketPair()
  const [own, its] = pair.ends
  const { child, channel: duplex, errors } = spawnGnupg(account, its)
  errors.resume()
  const requests = new Socket({ fd: own, readable: true, writable: true })
  requests.on('error', () => {})
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  const ready = new Promise<Result<string, Failure>>((resolve) => {
    const fail = (detail: string): void => resolve(refuse('GNUPG_FAILED', detail))
    const channel = openChannel(duplex, {
      onValues: (values) => {
        for (const value of values) {
          const message = parseFromGnupg(value)
          if (message?.type === 'started') {
            const secret = randomBytes(ATTESTATION_SECRET_LENGTH).toString('base64')
            channel.send({ type: 'configure', secret, ...order } satisfies ToGnupg)
          } else if (message?.type === 'ready')
            resolve(ok(message.unconfined === undefined ? '' : `, not confined: ${message.unconfined}`))
          else if (message?.type === 'failed') resolve({ ok: false, failure: message })
          else fail('the GnuPG process sent an invalid message')
        }
      },
      onBroken: fail,
      onEnd: () => fail('the GnuPG process ended before it was ready'),
    })
    child.once('error', ({ message }) => fail(message))
  })
  const end = async (): Promise<void> => {
    duplex.destroy()
    requests.destroy()
    await within(gone, TIMES.end)
  }
  const started = await within(ready, TIMES.start)
  if (started?.ok !== true) {
    await end()
    return started ?? refuse('GNUPG_FAILED', 'the GnuPG process does not begin')
  }
  let lastId = 0
  return ok({
    user: separateUser ? account.name : 'this user',
    remark: started.value,
    async decrypt(decrypter, message) {
      const id = ++lastId
      const lines = new LossyLines()
      const answered = new Promise<GnupgAnswer>((resolve) => {
        requests.on('data', (chunk: Buffer) => {
          const answers = lines.push(chunk).map(parseGnupgAnswer)
          const mine = answers.find((answer) => answer?.id === id)
          if (mine !== undefined) resolve(mine)
        })
      })
      requests.write(lineOf({ id, decrypter, message: encodeBase64(message) }))
      const answer = await within(answered, TIMES.answer)
      requests.removeAllListeners('data')
      return answer === undefined ? refuse('GNUPG_FAILED', 'the GnuPG process did not answer') : ok(answer)
    },
    end,
  })
}
