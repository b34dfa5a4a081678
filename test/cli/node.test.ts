/** `ghostport node`: the list of nodes, on a host without a server. */
import assert from 'node:assert/strict'
import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { after, beforeEach, describe, it } from 'node:test'
import { Home } from './ghostport.ts'

const home = new Home()
after(() => home[Symbol.dispose]())
const file = home.write('nodes.conf', '')
const node = (...argv: readonly string[]) => home.ghostport(['node', ...argv, '--nodes-file', file])
const text = (): string => readFileSync(file, 'utf8')
const TWO = 'NODE        web-1\nSERVER      192.0.2.1\nTHIS        Y\n\nNODE        web-2\nSERVER      192.0.2.2\n'

beforeEach(() => writeFileSync(file, TWO))

describe('ghostport node', () => {
  it('adds a node to a file that is not there yet, and shows it', async () => {
    rmSync(file)
    const added = await node('add', 'web-1', '--server', '[2001:db8::1]:62202', '--this')
    assert.equal(added.status, 0, added.stderr)
    assert.match(
      added.stderr,
      /added web-1 to .*nodes\.conf: clients reach it at \[2001:db8::1\]:62202, which is this host/,
    )
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.equal(
      text(),
      'NODE                web-1\nSERVER              2001:db8::1\nPORT                62202\nTHIS                Y\n',
    )
    const { stdout } = await node('list')
    assert.match(stdout, /^NAME +SERVER +KEY NAME\nweb-1 +\[2001:db8::1\]:62202 +web-1 +this host\n$/)
  })

  it('renames a node: its key name stays, and no other node can get it', async () => {
    const { status, stderr } = await node('rename', 'web-2', 'app')
    assert.equal(status, 0, stderr)
    assert.match(stderr, /web-2 is called app now\. Its key name stays web-2, so the keys of all users stay good/)
    assert.match(text(), /NODE +app\nKEY_NAME +web-2\nSERVER +192\.0\.2\.2\n$/)
    const again = await node('add', 'web-2', '--server', 'h.example')
    assert.match(again.stderr, /its key name is web-2\.2, because web-2 was used before/)
    assert.match(text(), /NODE +web-2\nKEY_NAME +web-2\.2\nSERVER +h\.example\n$/)
  })

  it('removes a node, and retires its key name', async () => {
    const { status, stderr } = await node('remove', 'web-2')
    assert.equal(status, 0, stderr)
    assert.match(text(), /\nRETIRED_KEY_NAME +web-2\n$/)
    const again = await node('add', 'web-2', '--json')
    assert.deepEqual(JSON.parse(again.stdout).node, {
      ...{ name: 'web-2', keyName: 'web-2.2', server: 'web-2', port: null, this: false },
    })
  })

  it('changes the address of a node, and says that a node is this host', async () => {
    writeFileSync(file, TWO.replace('THIS        Y\n', ''))
    const { status, stderr } = await node('set', 'web-2', '--server', 'w2.example:53', '--this')
    assert.equal(status, 0, stderr)
    assert.match(text(), /NODE +web-2\nSERVER +w2\.example\nPORT +53\nTHIS +Y\n$/)
    assert.match(stderr, /clients keep the old address/)
  })

  for (const [argv, says] of [
    [['ad', 'x'], /“ad” is not one of add, list, set, rename, remove — perhaps: ghostport node add/],
    [['add'], /missing argument NAME: ghostport node add NAME/],
    [['rename', 'web-1'], /missing argument NEW: ghostport node rename NAME NEW/],
    [['list', 'web-1'], /unexpected argument “web-1”/],
    [['list', '--this'], /--this has no effect with “node list”/],
    [['add', 'web-1'], /web-1 is in .*nodes\.conf:1 — perhaps: ghostport node set web-1 \[NODE_EXISTS\]/],
    [['add', 'x', '--this'], /this host is already the node web-1, in .*:1.*\[NODE_EXISTS\]/],
    [['add', 'x', '--key-name', 'web-1'], /the key name web-1 is that of the node web-1: .* — perhaps: --key-name x/],
    [['add', 'Web-9'], /a name of a node is .* — perhaps: web-9 \[VALUE_INVALID\]/],
    [['add', 'x', '--server', 'a b'], /--server: “a b” is not HOST or HOST:PORT/],
    [['set', 'web-2', '--this'], /this host is already the node web-1 /],
    [['set', 'web-2'], /nothing to change/],
    [['rename', 'web-1', 'web-2'], /web-2 is in .*:5 \[NODE_EXISTS\]/],
    [['remove', 'wbe-1'], /there is no node wbe-1 — perhaps: web-1 \[NODE_UNKNOWN\]/],
  ] as const)
    it(`${argv.join(' ')} is refused, and changes nothing`, async () => {
      const { status, stderr } = await node(...argv)
      assert.notEqual(status, 0)
      assert.match(stderr, says)
      assert.equal(text(), TWO)
    })

  it('a fault in the file, and a file that others may change, are refused', async () => {
    writeFileSync(file, `${TWO}SERVRE x\n`)
    const { stderr } = await node('list')
    assert.match(stderr, /nodes\.conf:7: .*there is no setting SERVRE — perhaps: SERVER \[CONFIG_UNKNOWN_KEY\]/)
    writeFileSync(file, TWO)
    chmodSync(file, 0o666)
    const exposed = await node('list')
    assert.match(exposed.stderr, /\[CONFIG_EXPOSED\]/)
    chmodSync(file, 0o600)
  })
})
