/** Symmetric knocks, and GnuPG knocks with an HMAC, in a flood of packets that look like GnuPG's. */
import { randomBytes } from 'node:crypto'
import { sealGnupgMessage } from '../../src/packet/seal.ts'
import { type Keyring, makeKeyring } from '../../test/support/gnupg.ts'
import { makeKeys } from '../knocks.ts'
import { Lab, serverAddress } from '../lab.ts'
import { formatMilliseconds, type Row, threeDigits } from '../row.ts'
import { ghostport } from '../servers/ghostport.ts'
import { measureLatency } from './latency.ts'
import type { Measure } from './measure.ts'

const KNOCKS = 20
const IN_TIME = 50
const DEADLINE = 200
const PACKETS_PER_SECOND = 5_000
const MILLISECONDS = 5_000
/** More than the receiver remembers: each is new to it. */
const JUNK = 8_192

/** The key that junk is addressed to: the server's. */
const KEY_ID = Buffer.from('7BF92A24D6B2839F', 'hex')

export const gpg: Measure = {
  name: 'gpg',
  about:
    `${KNOCKS} symmetric knocks in ${PACKETS_PER_SECOND} packets a second that look like GnuPG’s and name the server’s key, ` +
    'beside a stanza for GnuPG without an HMAC, so that some of them reach gpg',
  run: async () => {
    const keyring = makeKeyring(['server2048'])
    try {
      return [await measure(keyring)]
    } finally {
      keyring.remove()
    }
  },
}

async function measure({ home }: Keyring): Promise<Row> {
  await using lab = await Lab.create()
  const keys = makeKeys()
  const access = `SOURCE ANY\nGPG_HOME_DIR ${home}\nGPG_ALLOW_NO_PW Y\nGPG_DISABLE_SIG Y\n`
  const server = await ghostport.start(lab, { keys, access })
  const [flooder, traffic] = [await lab.traffic(), await lab.traffic()]
  const cpu = server.cpuMilliseconds()
  const flooding = flooder.ask({
    ask: 'flood',
    server: serverAddress,
    payloads: Array.from({ length: JUNK }, junk),
    packetsPerSecond: PACKETS_PER_SECOND,
    milliseconds: MILLISECONDS,
  })
  const measured = await measureLatency(traffic, keys, 1, KNOCKS, [100, 200], DEADLINE)
  const flooded = await flooding
  const used = server.cpuMilliseconds() - cpu
  await server.stop()
  const inTime = measured.grantedWithin(IN_TIME)
  return {
    what: `symmetric knocks granted in ${IN_TIME} ms under ${PACKETS_PER_SECOND}/s that look like GnuPG’s`,
    server: ghostport.name,
    figure: `${inTime} of ${KNOCKS}`,
    count: KNOCKS,
    ...(measured.summary && { p95: formatMilliseconds(measured.summary.p95) }),
    ...{ target: 'all', met: inTime === KNOCKS },
    note:
      `${Math.round(flooded.sent / (flooded.milliseconds / 1000))} packets/s; ` +
      `${measured.summary === undefined ? '' : `median ${formatMilliseconds(measured.summary.median)}; `}` +
      `${threeDigits((100 * used) / flooded.milliseconds)} % of a core, without the gpgs that have ended`,
  }
}

/** A message with the outline of one for the server's RSA key. Only gpg can tell that it is none. */
function junk(): Uint8Array {
  const session = Buffer.concat([
    Buffer.from([0x85, 0x01, 0x0c, 3]),
    KEY_ID,
    Buffer.from([1, 0x07, 0xff]),
    randomBytes(256),
  ])
  const data = Buffer.concat([Buffer.from([0xd2, 0xc1, 0x00, 1]), randomBytes(447)])
  const sealed = sealGnupgMessage(Buffer.concat([session, data]), undefined)
  if (!sealed.ok) throw new Error(sealed.failure.detail)
  return new TextEncoder().encode(sealed.value)
}
