/** `ghostport cluster invite FILE`: what another node needs, from this one. */
import { ok, refuse } from '../../result.ts'
import { createUserFile } from '../../system/replace-user-file.ts'
import type { Outcome } from '../command.ts'
import { recorded } from '../recorded.ts'
import { fromHere } from '../server/config-source.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { readInCluster } from './host-settings.ts'
import { joinFileText } from './join-file.ts'
import type { Given } from './options.ts'
import { addressText } from './own-node.ts'

export async function inviteNode(file: string, given: Given, terminal: Terminal): Promise<Outcome> {
  const path = fromHere(file)
  if (!path.ok) return path
  const here = readInCluster(given)
  if (!here.ok) return here
  const { cluster, secrets, secret, config } = here.value
  const { maxAge } = config.policy
  if (maxAge === 'unlimited') return refuse('SETUP_REFUSED', 'packets of any age are accepted here')
  const text = joinFileText({
    ...{ text: addressText(cluster), maxAge },
    ...(secrets.login !== undefined && { password: secrets.login.password }),
    ...(secret !== undefined && { secret }),
    ...(secrets.tls?.authorities !== undefined && { authorities: secrets.tls.authorities }),
  })
  const line = { did: 'cluster invite', to: cluster.cluster, note: path.value }
  const written = await recorded(config.auditLog, line, () => {
    const made = createUserFile(path.value, text)
    return made.ok ? ok(undefined) : made
  })
  if (!written.ok) return written
  if (given.json > 0) {
    terminal.printJson({ file: path.value, cluster: cluster.cluster })
    return 0
  }
  terminal.note([
    `wrote ${path.value}: it holds the password and the secret of this cluster. Whoever has it is a node`,
    ...(cluster.own === undefined
      ? []
      : ['each node needs a certificate of its own: join --certificate-file, --key-file']),
    `carry it to the node by scp, run there “ghostport cluster join FILE”, and delete it on both`,
  ])
  return 0
}
