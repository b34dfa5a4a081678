import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { KeyName, NodeName } from '../../packet/node-name.ts'
import { port } from '../../units.ts'
import { chooseNodes, nodeNamed } from './choose-nodes.ts'
import { freeKeyName, type NodeList, parseNodesConf, withChangedNode, withNode, withoutNode } from './nodes-conf.ts'

const FILE = `# our nodes
NODE        web-1
SERVER      web-1.example.org
THIS        Y

NODE        web-b;
KEY_NAME:   web-2
# in the cellar
SERVER      2001:db8::2
PORT        62202
RETIRED_KEY_NAME old-1
`

function read(text: string): NodeList {
  const list = parseNodesConf('nodes.conf', text)
  assert.ok(list.ok, JSON.stringify(list))
  return list.value
}

describe('nodes.conf', () => {
  it('has nodes, and key names that are not used again', () => {
    assert.deepEqual(read(FILE), {
      nodes: [
        { name: 'web-1', keyName: 'web-1', server: 'web-1.example.org', isThis: true, first: 2, last: 4 },
        { name: 'web-b', keyName: 'web-2', server: '2001:db8::2', port: 62202, isThis: false, first: 6, last: 10 },
      ],
      retired: ['old-1'],
    })
    assert.deepEqual(read(''), { nodes: [], retired: [] })
  })

  for (const [what, text, says] of [
    [
      'a setting before the first node',
      'SERVER h\n',
      '1 CONFIG_SYNTAX SERVER belongs to no node: a node begins with NODE | NODE',
    ],
    ['an unknown setting', 'NODE a\nSERVR h\n', '2 CONFIG_UNKNOWN_KEY there is no setting SERVR | SERVER'],
    [
      'a name in capitals',
      'NODE Web-1\nSERVER h\n',
      '1 CONFIG_INVALID_VALUE NODE: a name of a node is made of the letters a to z, digits, and “-” or “.” between them | web-1',
    ],
    ['a key in the place of a name', `NODE ${'a1'.repeat(20)}\n`, '1 CONFIG_INVALID_VALUE NODE: 32 or more letters'],
    ['no value', 'NODE\n', '1 CONFIG_SYNTAX NODE has no value'],
    ['no server', 'NODE a\nNODE b\nSERVER h\n', '1 CONFIG_MISSING_KEY the node a has no SERVER | SERVER HOST'],
    ['a server that is none', 'NODE a\nSERVER a b\n', '2 CONFIG_INVALID_VALUE SERVER: '],
    ['a server with a port', 'NODE a\nSERVER h:1\n', '2 CONFIG_INVALID_VALUE SERVER: '],
    ['a port that is none', 'NODE a\nSERVER h\nPORT 0\n', '3 CONFIG_INVALID_VALUE PORT: port 0'],
    ['a word for yes that is none', 'NODE a\nSERVER h\nTHIS maybe\n', '3 CONFIG_INVALID_VALUE THIS: '],
    ['a setting twice', 'NODE a\nSERVER h\nSERVER i\n', '3 CONFIG_CONFLICT SERVER is already set in line 2'],
    ['a node twice', 'NODE a\nSERVER h\nNODE a\nSERVER h\n', '3 CONFIG_CONFLICT a is already in line 1'],
    [
      'a key name twice',
      'NODE a\nSERVER h\nNODE b\nKEY_NAME a\nSERVER h\n',
      '4 CONFIG_CONFLICT the key name a is that of a: a packet for one would open the other | KEY_NAME b',
    ],
    [
      'a retired key name',
      'NODE a\nSERVER h\nRETIRED_KEY_NAME a\n',
      '1 CONFIG_CONFLICT the key name a is retired: who took that node over has its keys | KEY_NAME a.2',
    ],
    [
      'two nodes that are this host',
      'NODE a\nSERVER h\nTHIS Y\nNODE b\nSERVER h\nTHIS Y\n',
      '6 CONFIG_CONFLICT this host is already a, in line 1',
    ],
    ['a stanza of an rc file', '[web-1]\n', '1 CONFIG_SYNTAX a name in brackets'],
    ['an equals sign', 'NODE=a\n', '1 CONFIG_SYNTAX a blank separates name and value, not an equals sign | NODE …'],
  ] as const)
    it(`refuses ${what}`, () => {
      const list = parseNodesConf('nodes.conf', text)
      assert.ok(!list.ok)
      const { code, detail, at, suggestion } = list.failure
      const told = `${at?.line} ${code} ${detail}${suggestion === undefined ? '' : ` | ${suggestion}`}`
      assert.ok(told.startsWith(says), told)
      assert.equal(at?.file, 'nodes.conf')
    })

  it('a node is added, changed and removed, and all else stays', () => {
    const { nodes } = read(FILE)
    const [, web2] = nodes
    assert.ok(web2 !== undefined)
    const added = withNode(FILE, {
      name: 'db' as NodeName,
      keyName: 'db' as KeyName,
      server: 'db.example',
      isThis: false,
    })
    assert.ok(added.startsWith(`${FILE}\n`))
    assert.equal(read(added).nodes.length, 3)
    const renamed = withChangedNode(FILE, web2, { ...web2, name: 'web-c' as NodeName, port: port(1) })
    assert.deepEqual(read(renamed).nodes[1], { ...web2, name: 'web-c', port: 1, last: 9 })
    assert.match(renamed, /^# our nodes\n[\s\S]*# in the cellar\n[\s\S]*RETIRED_KEY_NAME old-1\n$/)
    const removed = read(withoutNode(FILE, web2))
    assert.deepEqual(
      removed.nodes.map(({ name }) => name),
      ['web-1'],
    )
    assert.deepEqual(removed.retired, ['web-2', 'old-1'])
    assert.equal(
      withNode('', { ...web2 }),
      'NODE                web-b\nKEY_NAME            web-2\nSERVER              2001:db8::2\nPORT                62202\n',
    )
  })

  it('a node that is renamed keeps its key name, also where it was not written', () => {
    const [web1] = read(FILE).nodes
    assert.ok(web1 !== undefined)
    const { nodes } = read(withChangedNode(FILE, web1, { ...web1, name: 'front' as NodeName }))
    assert.deepEqual([nodes[0]?.name, nodes[0]?.keyName, nodes[0]?.isThis], ['front', 'web-1', true])
  })

  it('a key name that was used is not chosen again', () => {
    const free = (name: string) => freeKeyName(name as NodeName, read(FILE))
    assert.deepEqual(['web-3', 'web-1', 'web-2', 'old-1'].map(free), ['web-3', 'web-1.2', 'web-2.2', 'old-1.2'])
    const long = `${'ab-'.repeat(20)}abc`
    const list = read(`NODE ${long}\nSERVER h\n`)
    assert.equal(freeKeyName(long as NodeName, list), `${'ab-'.repeat(20)}a.2`)
  })
})

describe('--nodes', () => {
  const { nodes } = read('NODE web-1\nSERVER h\nNODE web-2\nSERVER h\nNODE db\nSERVER h\n')
  for (const [text, names] of [
    ['web-*', ['web-1', 'web-2']],
    ['db,web-1', ['web-1', 'db']],
    ['*', ['web-1', 'web-2', 'db']],
    ['web-?, db, web-1', ['web-1', 'web-2', 'db']],
  ] as const)
    it(text, () => {
      const chosen = chooseNodes(nodes, text)
      assert.deepEqual(chosen.ok && chosen.value.map(({ name }) => name), names)
    })
  for (const [text, code, suggestion] of [
    ['wbe-1', 'NODE_UNKNOWN', 'web-1'],
    ['app-*', 'NODE_UNKNOWN', 'ghostport node list'],
    ['web-1,app', 'NODE_UNKNOWN', 'ghostport node list'],
    ['', 'VALUE_INVALID', undefined],
    ['web-1,', 'VALUE_INVALID', undefined],
    ['Web-1', 'VALUE_INVALID', 'web-1'],
  ] as const)
    it(`refuses “${text}”`, () => {
      const chosen = chooseNodes(nodes, text)
      assert.ok(!chosen.ok)
      assert.deepEqual([chosen.failure.code, chosen.failure.suggestion], [code, suggestion])
    })
  it('one node by its name', () => {
    const db = nodeNamed(nodes, 'db')
    assert.equal(db.ok && db.value.name, 'db')
  })
})
