/**
 * A checkout that only root can read (for example under /root). The receiver loads there as root, and becomes its user
 * by itself before it looks at a packet.
 *
 *   client 10.9.0.1 ── 10.9.0.2 server
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parsePrivileges } from '../../src/system/privilege.ts'
import { copyTree } from '../support/copied-tree.ts'
import { Daemon, dropByDefault, knock, stanza } from '../support/daemon.ts'
import { Network, netnsUnavailable } from '../support/netns.ts'

/** The first id that ghostport uses if no user was made for it. */
const OWN_ID = 60_900

for (const mode of [0o700, 0o755] as const)
  test(`in a folder of mode ${mode.toString(8)}, no thread of the receiver has privilege, and a knock opens`, {
    skip: netnsUnavailable(),
  }, async () => {
    using tree = copyTree(mode)
    await using net = await Network.create()
    const [client, server] = [await net.host('client'), await net.host('server')]
    await net.link(client, ['10.9.0.1/24'], server, ['10.9.0.2/24'])
    dropByDefault(server)
    await server.listen([{ protocol: 'tcp', port: 22, banner: 'ssh' }])
    const daemon = await Daemon.start(net, server, { access: stanza(), tree })

    const receiver = Number((await daemon.ready())['receiver'])
    for (const thread of readdirSync(`/proc/${receiver}/task`)) {
      const privileges = parsePrivileges(readFileSync(`/proc/${receiver}/task/${thread}/status`, 'utf8'))
      const { uid, gid, groups, permitted, effective, inheritable, ambient, bounding, noNewPrivileges } = privileges
      assert.deepEqual({ uid, gid, groups }, { uid: OWN_ID, gid: OWN_ID, groups: [] }, `thread ${thread}`)
      for (const set of [permitted, effective, inheritable, ambient]) assert.equal(set, 0n, `thread ${thread}`)
      // The engine's own threads run no program. They keep in the bounding set what the change of user needed:
      // CAP_DAC_READ_SEARCH, CAP_SETGID, CAP_SETUID, CAP_SETPCAP.
      const most = Number(thread) === receiver ? 0n : 0x1c4n
      assert.equal(bounding & ~most, 0n, `thread ${thread}`)
      assert.equal(noNewPrivileges, true, `thread ${thread}`)
    }
    const verdict = await daemon.verdictAfter(() => knock(client, '10.9.0.2', '-s', '-A', 'tcp/22'))
    assert.equal(verdict.verdict, 'granted')
    assert.equal(await client.tcp('10.9.0.2', 22), 'ssh')
  })
