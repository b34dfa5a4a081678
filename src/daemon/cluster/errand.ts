/**
 * The program that talks to etcd for `ghostport cluster`: one errand, one report, then it ends. It becomes a user
 * without any privilege before it connects. Started with the channel as descriptor 3.
 */
import { Socket } from 'node:net'
import { prepareCluster } from '../../etcd/prepare.ts'
import { shown } from '../../etcd/report-fields.ts'
import { surveyCluster } from '../../etcd/survey.ts'
import { ERRAND_TITLE } from '../../system/own-process.ts'
import { beginHelper } from '../link/begin-helper.ts'
import { openChannel } from '../link/channel.ts'
import { ERRAND_CHANNEL, type Errand, type ErrandResult, LONGEST_ERRAND, parseErrand } from '../link/errand-protocol.ts'

const MISTAKE = 70

async function main(): Promise<void> {
  await beginHelper(ERRAND_TITLE, ERRAND_CHANNEL)
  const socket = new Socket({ fd: ERRAND_CHANNEL, readable: true, writable: true })
  const channel = openChannel(
    socket,
    {
      onValues: ([value]) => {
        const errand = parseErrand(value)
        if (errand === undefined) process.exit(MISTAKE)
        void run(errand).then((result) => channel.send(result))
      },
      onBroken: () => process.exit(MISTAKE),
      // The command has its report, or is gone.
      onEnd: () => process.exit(0),
    },
    LONGEST_ERRAND,
  )
}

async function run(errand: Errand): Promise<ErrandResult> {
  const { members, cluster, tls, login } = errand
  const access = { members, ...(tls !== undefined && { tls }), ...(login !== undefined && { login }) }
  try {
    if (errand.type === 'survey') return { type: 'survey', survey: await surveyCluster(access, cluster) }
    const { user, password, rehearsal } = errand
    const prepared = await prepareCluster({ access, cluster, user, password, isRehearsal: rehearsal === 'yes' })
    return { type: 'prepared', ...prepared }
  } catch (error) {
    // Such as a key that is none.
    return { type: 'failed', why: shown((error as Error).message) }
  }
}

await main()
