/**
 * `nodes.conf`: the servers (nodes) of a fleet, beside access.conf. It holds no secret. Each node begins with NODE:
 *
 *   NODE        web-1               what people call it; may change
 *   KEY_NAME    web-1               the keys of its users are derived from it; never changes. Without it: that of NODE
 *   SERVER      web-1.example.org   as clients reach it
 *   PORT        62202               without it: the usual one
 *   THIS        Y                   this host is the node
 *
 * RETIRED_KEY_NAME is a key name of a node that was removed. No node gets it again: an
 * attacker who took the old one over would have the keys of the new one.
 */
import { parseNatHost } from '../../packet/nat-target.ts'
import {
  firstKeyName,
  type KeyName,
  LONGEST_NODE_NAME,
  type NodeName,
  parseKeyName,
  parseNodeName,
} from '../../packet/node-name.ts'
import { type Failure, ok, type Result, refuse, type SourceLocation } from '../../result.ts'
import { type Port, parsePort } from '../../units.ts'
import type { FleetNode } from '../client/fleet-profile.ts'
import { refuseUnknownName } from '../reading/hide-keys.ts'
import { readSettingLines, type SettingLine } from '../reading/setting-lines.ts'
import { looseYesNo } from '../reading/setting-values.ts'

export interface Node extends FleetNode {
  readonly isThis: boolean
  /** Its lines in the file, counted from 1. */
  readonly first: number
  readonly last: number
}

export interface NodeList {
  readonly nodes: readonly Node[]
  readonly retired: readonly KeyName[]
}

export type NodesFailure = Failure<
  'CONFIG_SYNTAX' | 'CONFIG_UNKNOWN_KEY' | 'CONFIG_INVALID_VALUE' | 'CONFIG_MISSING_KEY' | 'CONFIG_CONFLICT'
>

export const NODE_SETTINGS = ['NODE', 'KEY_NAME', 'SERVER', 'PORT', 'THIS', 'RETIRED_KEY_NAME'] as const
type NodeSetting = (typeof NODE_SETTINGS)[number]

interface Block {
  readonly at: SourceLocation
  readonly values: Map<NodeSetting, SettingLine>
  last: number
}

/** @param file its name, for messages. */
export function parseNodesConf(file: string, text: string): Result<NodeList, NodesFailure> {
  const lines = readSettingLines(file, text, NODE_SETTINGS)
  if (!lines.ok) return lines
  const blocks: Block[] = []
  const retired: KeyName[] = []
  for (const line of lines.value) {
    const { name, value, at } = line
    if (!isSetting(name)) return refuseUnknownName('setting', name, NODE_SETTINGS, at)
    if (value === '') return refuse('CONFIG_SYNTAX', `${name} has no value`, { at })
    if (name === 'RETIRED_KEY_NAME') {
      const key = parseKeyName(value)
      if (!key.ok) return invalid(line, key.failure)
      retired.push(key.value)
      continue
    }
    if (name === 'NODE') blocks.push({ at, values: new Map(), last: at.line })
    const block = blocks.at(-1)
    if (block === undefined)
      return refuse('CONFIG_SYNTAX', `${name} belongs to no node: a node begins with NODE`, { at, suggestion: 'NODE' })
    const before = block.values.get(name)
    if (before !== undefined)
      return refuse('CONFIG_CONFLICT', `${name} is already set in line ${before.at.line}`, { at })
    block.values.set(name, line)
    block.last = at.line
  }
  const nodes: Node[] = []
  for (const block of blocks) {
    const node = readNode(block)
    if (!node.ok) return node
    const judged = judge(node.value, nodes, retired, block)
    if (!judged.ok) return judged
    nodes.push(node.value)
  }
  return ok({ nodes, retired })
}

function readNode({ at, values, last }: Block): Result<Node, NodesFailure> {
  const [nameLine, keyLine, serverLine, portLine, thisLine] = (
    ['NODE', 'KEY_NAME', 'SERVER', 'PORT', 'THIS'] as const
  ).map((setting) => values.get(setting))
  const name = parseNodeName(nameLine?.value ?? '')
  if (!name.ok) return invalid(nameLine, name.failure)
  const keyName = keyLine === undefined ? ok(firstKeyName(name.value)) : parseKeyName(keyLine.value)
  if (!keyName.ok) return invalid(keyLine, keyName.failure)
  if (serverLine === undefined)
    return refuse('CONFIG_MISSING_KEY', `the node ${name.value} has no SERVER`, { at, suggestion: 'SERVER HOST' })
  const server = parseNatHost(serverLine.value)
  if (!server.ok) return invalid(serverLine, server.failure)
  const port = portLine === undefined ? ok(undefined) : parsePort(portLine.value)
  if (!port.ok) return invalid(portLine, port.failure)
  const isThis = thisLine === undefined ? ok(false) : looseYesNo(thisLine.value)
  if (!isThis.ok) return invalid(thisLine, isThis.failure)
  return ok({
    ...{ name: name.value, keyName: keyName.value, server: serverLine.value },
    ...(port.value !== undefined && { port: port.value }),
    ...{ isThis: isThis.value, first: at.line, last },
  })
}

function judge(
  node: Node,
  before: readonly Node[],
  retired: readonly KeyName[],
  { at, values }: Block,
): Result<void, NodesFailure> {
  const same = before.find((one) => one.name === node.name)
  if (same !== undefined) return refuse('CONFIG_CONFLICT', `${node.name} is already in line ${same.first}`, { at })
  const keyAt = values.get('KEY_NAME')?.at ?? at
  const sameKey = before.find((one) => one.keyName === node.keyName)
  if (sameKey !== undefined)
    return refuse(
      'CONFIG_CONFLICT',
      `the key name ${node.keyName} is that of ${sameKey.name}: a packet for one would open the other`,
      { at: keyAt, suggestion: `KEY_NAME ${freeKeyName(node.name, { nodes: before, retired })}` },
    )
  if (retired.includes(node.keyName))
    return refuse('CONFIG_CONFLICT', `the key name ${node.keyName} is retired: who took that node over has its keys`, {
      at: keyAt,
      suggestion: `KEY_NAME ${freeKeyName(node.name, { nodes: before, retired })}`,
    })
  const other = node.isThis ? before.find(({ isThis }) => isThis) : undefined
  if (other !== undefined)
    return refuse('CONFIG_CONFLICT', `this host is already ${other.name}, in line ${other.first}`, {
      at: values.get('THIS')?.at ?? at,
    })
  return ok(undefined)
}

/** The name itself, or `web-1.2` where it was used before. */
export function freeKeyName(
  name: NodeName,
  { nodes, retired }: NodeList | Pick<NodeList, 'nodes' | 'retired'>,
): KeyName {
  const used = new Set<string>([...nodes.map(({ keyName }) => keyName), ...retired])
  for (let i = 1; i <= used.size + 1; i++) {
    const end = i === 1 ? '' : `.${i}`
    const key = parseKeyName(`${name.slice(0, LONGEST_NODE_NAME - end.length).replace(/[.-]+$/, '')}${end}`)
    if (key.ok && !used.has(key.value)) return key.value
  }
  throw new Error('all key names are used')
}

function isSetting(name: string): name is NodeSetting {
  return (NODE_SETTINGS as readonly string[]).includes(name)
}

function invalid(line: SettingLine | undefined, failure: Failure) {
  return refuse('CONFIG_INVALID_VALUE', `${line?.name ?? 'NODE'}: ${failure.detail}`, {
    ...(line !== undefined && { at: line.at }),
    ...(failure.suggestion !== undefined && { suggestion: failure.suggestion }),
  })
}

/** @returns the text with a node at its end. */
export function withNode(text: string, node: Omit<Node, 'first' | 'last'>): string {
  const before = text === '' || text.endsWith('\n') ? text : `${text}\n`
  const gap = before === '' || before.endsWith('\n\n') ? '' : '\n'
  return `${before}${gap}${settingsOf(node)
    .map((line) => `${line}\n`)
    .join('')}`
}

/** @returns the text in which the node says this now. Comments stay. */
export function withChangedNode(text: string, { first, last }: Node, to: Omit<Node, 'first' | 'last'>): string {
  const lines = text.split('\n')
  const comments = lines.slice(first - 1, last).filter((line) => /^\s*[#;]/.test(line))
  // A key name that is retired in between stays.
  const kept = lines.slice(first - 1, last).filter((line) => /^\s*RETIRED_KEY_NAME\b/.test(line))
  return [...lines.slice(0, first - 1), ...settingsOf(to), ...comments, ...kept, ...lines.slice(last)].join('\n')
}

/** @returns the text without the node. Its key name is retired. */
export function withoutNode(text: string, { first, last, keyName }: Node): string {
  const lines = text.split('\n')
  const kept = lines.slice(first - 1, last).filter((line) => /^\s*RETIRED_KEY_NAME\b/.test(line))
  return [...lines.slice(0, first - 1), line('RETIRED_KEY_NAME', keyName), ...kept, ...lines.slice(last)].join('\n')
}

function settingsOf({ name, keyName, server, port, isThis }: Omit<Node, 'first' | 'last'>): readonly string[] {
  return [
    line('NODE', name),
    ...(keyName === firstKeyName(name) ? [] : [line('KEY_NAME', keyName)]),
    line('SERVER', server),
    ...(port === undefined ? [] : [line('PORT', `${port satisfies Port}`)]),
    ...(isThis ? [line('THIS', 'Y')] : []),
  ]
}

function line(name: NodeSetting, value: string): string {
  return `${name.padEnd(16)}    ${value}`
}
