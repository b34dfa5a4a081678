/** `--nodes 'web-*,db-1'`: which nodes of the list. */
import { parseNodeName } from '../../packet/node-name.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { fitsPattern, isPattern } from '../reading/name-pattern.ts'
import { nearest } from '../reading/nearest.ts'
import type { Node } from './nodes-conf.ts'

type Wrong = Failure<'NODE_UNKNOWN' | 'VALUE_INVALID'>

/** @returns each once, in the order of the list; NODE_UNKNOWN for a word that fits none. */
export function chooseNodes(nodes: readonly Node[], text: string): Result<readonly Node[], Wrong> {
  const chosen = new Set<Node>()
  for (const word of text.split(',').map((part) => part.trim())) {
    if (!isPattern(word)) {
      const named = nodeNamed(nodes, word)
      if (!named.ok) return named
      chosen.add(named.value)
      continue
    }
    const fitting = nodes.filter(({ name }) => fitsPattern(word, name))
    if (fitting.length === 0)
      return refuse('NODE_UNKNOWN', `no node fits “${word}”`, { suggestion: 'ghostport node list' })
    for (const node of fitting) chosen.add(node)
  }
  return ok(nodes.filter((node) => chosen.has(node)))
}

/** @returns the node of this name; NODE_UNKNOWN with the nearest one. */
export function nodeNamed(nodes: readonly Node[], text: string): Result<Node, Wrong> {
  const name = parseNodeName(text)
  if (!name.ok)
    return { ok: false, failure: { ...name.failure, detail: `“${text.slice(0, 80)}”: ${name.failure.detail}` } }
  const found = nodes.find((node) => node.name === name.value)
  if (found !== undefined) return ok(found)
  const meant = nearest(
    name.value,
    nodes.map((node) => node.name),
  )
  return refuse('NODE_UNKNOWN', `there is no node ${name.value}`, { suggestion: meant ?? 'ghostport node list' })
}
