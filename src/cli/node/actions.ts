/** What `ghostport node` does to the list. */
import { nodeNamed } from '../../config/nodes/choose-nodes.ts'
import { freeKeyName, type Node, withChangedNode, withNode, withoutNode } from '../../config/nodes/nodes-conf.ts'
import { firstKeyName, parseKeyName, parseNodeName } from '../../packet/node-name.ts'
import { ok, refuse } from '../../result.ts'
import type { Outcome } from '../command.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { inColumns } from '../user/list-users.ts'
import { hereAsServer } from '../user/show-profile.ts'
import { changeNodes, readNodes } from './nodes-file.ts'
import type { Given } from './options.ts'
import { describeServer, parseServer } from './server-text.ts'

export async function addNode(text: string, given: Given, terminal: Terminal): Promise<Outcome> {
  const name = parseNodeName(text)
  if (!name.ok) return name
  const wanted = given['key-name'] === undefined ? ok(undefined) : parseKeyName(given['key-name'])
  if (!wanted.ok) return refuse('VALUE_INVALID', `--key-name: ${wanted.failure.detail}`)
  const at = parseServer(given.server ?? (given.this > 0 ? await hereAsServer() : name.value))
  if (!at.ok) return at
  let added: Omit<Node, 'first' | 'last'> | undefined
  const changed = await changeNodes(
    given,
    { did: 'node add', to: name.value },
    ({ nodes, retired, text: before, file }) => {
      const there = nodes.find((node) => node.name === name.value)
      if (there !== undefined)
        return refuse('NODE_EXISTS', `${there.name} is in ${file}:${there.first}`, {
          suggestion: `ghostport node set ${there.name}`,
        })
      const current = nodes.find(({ isThis }) => isThis)
      if (given.this > 0 && current !== undefined)
        return refuse('NODE_EXISTS', `this host is already the node ${current.name}, in ${file}:${current.first}`, {
          suggestion: 'without --this',
        })
      const keyName = wanted.value ?? freeKeyName(name.value, { nodes, retired })
      const user = nodes.find((node) => node.keyName === keyName)
      if (user !== undefined || retired.includes(keyName))
        return refuse(
          'NODE_EXISTS',
          user === undefined
            ? `the key name ${keyName} is that of a node that was removed: who took it over has its keys`
            : `the key name ${keyName} is that of the node ${user.name}: a packet for one would open the other`,
          { suggestion: `--key-name ${freeKeyName(name.value, { nodes, retired })}` },
        )
      added = { name: name.value, keyName, ...at.value, isThis: given.this > 0 }
      return ok(withNode(before, added))
    },
  )
  if (!changed.ok) return changed
  if (added === undefined) throw new Error('a list that changed has a new node')
  const { file } = changed.value
  if (given.json > 0) {
    terminal.printJson({ file, node: nodeJson(added) })
    return 0
  }
  const isThis = added.isThis ? ', which is this host' : ''
  terminal.note(`added ${added.name} to ${file}: clients reach it at ${describeServer(added)}${isThis}`)
  if (added.keyName !== firstKeyName(added.name))
    terminal.note(
      wanted.value === undefined
        ? `its key name is ${added.keyName}, because ${added.name} was used before`
        : `its key name is ${added.keyName}`,
    )
  return 0
}

export async function setNode(text: string, given: Given, terminal: Terminal): Promise<Outcome> {
  if (given.server === undefined && given.this === 0)
    return refuse('CLI_USAGE', 'nothing to change: --server HOST[:PORT], or --this')
  const at = given.server === undefined ? ok(undefined) : parseServer(given.server)
  if (!at.ok) return at
  const changed = await changeNodes(given, { did: 'node set', to: text }, ({ nodes, text: before }) => {
    const node = nodeNamed(nodes, text)
    if (!node.ok) return node
    const { port: _, ...rest } = node.value
    const to = { ...(at.value === undefined ? node.value : { ...rest, ...at.value }) }
    const after = withChangedNode(before, node.value, { ...to, isThis: to.isThis || given.this > 0 })
    const current = given.this > 0 ? nodes.find((one) => one.isThis && one !== node.value) : undefined
    if (current === undefined) return ok(after)
    return refuse('NODE_EXISTS', `this host is already the node ${current.name}`, {
      suggestion: `ghostport node rename ${current.name} ${node.value.name}`,
    })
  })
  if (!changed.ok) return changed
  const node = nodeNamed(changed.value.nodes, text)
  if (!node.ok) return node
  if (given.json > 0) terminal.printJson({ file: changed.value.file, node: nodeJson(node.value) })
  else
    terminal.note([
      `${node.value.name} is at ${describeServer(node.value)}${node.value.isThis ? ', which is this host' : ''}`,
      ...(at.value === undefined
        ? []
        : ['clients keep the old address: change SPA_SERVER there, or give them a new profile (user rotate)']),
    ])
  return 0
}

export async function renameNode(text: string, toText: string, given: Given, terminal: Terminal): Promise<Outcome> {
  const to = parseNodeName(toText)
  if (!to.ok) return to
  const changed = await changeNodes(given, { did: 'node rename', to: text }, ({ nodes, text: before, file }) => {
    const node = nodeNamed(nodes, text)
    if (!node.ok) return node
    const there = nodes.find((one) => one.name === to.value)
    if (there !== undefined) return refuse('NODE_EXISTS', `${there.name} is in ${file}:${there.first}`)
    return ok(withChangedNode(before, node.value, { ...node.value, name: to.value }))
  })
  if (!changed.ok) return changed
  const node = nodeNamed(changed.value.nodes, to.value)
  if (!node.ok) return node
  const { name, keyName } = node.value
  if (given.json > 0) terminal.printJson({ file: changed.value.file, node: nodeJson(node.value) })
  else
    terminal.note([
      `${text} is called ${name} now. Its key name stays ${keyName}, so the keys of all users stay good`,
      'clients keep their own name for it: the stanza of the rc file may be renamed there, its NODE may not',
    ])
  return 0
}

export async function removeNode(text: string, given: Given, terminal: Terminal): Promise<Outcome> {
  let removed: Node | undefined
  const changed = await changeNodes(given, { did: 'node remove', to: text }, ({ nodes, text: before }) => {
    const node = nodeNamed(nodes, text)
    if (!node.ok) return node
    removed = node.value
    return ok(withoutNode(before, node.value))
  })
  if (!changed.ok) return changed
  if (removed === undefined) throw new Error('a list that changed lost a node')
  if (given.json > 0) terminal.printJson({ file: changed.value.file, removed: nodeJson(removed) })
  else
    terminal.note([
      `removed ${removed.name} from ${changed.value.file}. Its key name ${removed.keyName} is not used again`,
      'nothing changed on that host: “ghostport user remove” there takes the users away',
    ])
  return 0
}

export async function listNodes(given: Given, terminal: Terminal): Promise<Outcome> {
  const read = readNodes(given)
  if (!read.ok) return read
  const { file, nodes, retired } = read.value
  if (given.json > 0) {
    terminal.printJson({ file, nodes: nodes.map(nodeJson), retiredKeyNames: retired })
    return 0
  }
  if (nodes.length === 0) {
    terminal.print(`no nodes in ${file}: “ghostport node add NAME” adds one`)
    return 0
  }
  terminal.print(
    inColumns([
      ['NAME', 'SERVER', 'KEY NAME', ''],
      ...nodes.map((node) => [node.name, describeServer(node), node.keyName, node.isThis ? 'this host' : '']),
    ]).map((line) => line.trimEnd()),
  )
  if (!nodes.some(({ isThis }) => isThis)) terminal.note('none of them is this host (--this)')
  return 0
}

function nodeJson({ name, keyName, server, port, isThis }: Omit<Node, 'first' | 'last'>) {
  return { name, keyName, server, port: port ?? null, this: isThis }
}
