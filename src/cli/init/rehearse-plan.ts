/** Rehearses the plan of `ghostport init`, and tells how it went. */
import { valueOr } from '../../host/known.ts'
import { renderPolicy } from '../../host/policy/render.ts'
import { isGood, type Rehearsal, rehearse } from '../../host/set-up/rehearse.ts'
import { usualKeys } from '../keygen.ts'
import { type Line, line, type Style } from '../terminal/line.ts'
import { pathsHere } from '../unit.ts'
import type { Prepared } from './prepare.ts'

export async function rehearsePlan({ host, hide, way, table, mark, offer }: Prepared): Promise<Rehearsal> {
  const links = [...valueOr(host.interfaces, [])].filter(({ name }) => name !== 'lo')
  const { node, nodeOptions, home, entry } = pathsHere('/', '/')
  const legacy = new Set(
    valueOr(host.managers, undefined)?.legacyTables.map((name) => (name.startsWith('ip6 ') ? 'ip6' : 'ip')),
  )
  return await rehearse({
    ghostport: [node, ...nodeOptions, `${home}/${entry}`],
    ...{ way, table, mark, ports: hide, keys: usualKeys() },
    ...(offer.kind === 'planned' && { policy: { text: renderPolicy(offer.policy), allow: offer.policy.allow } }),
    interfaces: links.sort((a, b) => b.defaultRoute.length - a.defaultRoute.length).map(({ name }) => name),
    legacy: [...legacy] as ('ip' | 'ip6')[],
  })
}

export function describeRehearsal(rehearsal: Rehearsal, style: Style): readonly Line[] {
  return [
    style.bold('The rehearsal, with the rules of this host in a network of its own'),
    ...rehearsal.scenes.map(({ what, good }) => line`  ${good ? style.good('good') : style.bad('BAD ')}  ${what}`),
    ...(rehearsal.kind === 'rehearsed'
      ? rehearsal.untried.map((text) => `  note  ${text}`)
      : [`  not rehearsed because ${rehearsal.because}`]),
  ]
}

export function rehearsalJson(rehearsal: Rehearsal) {
  const { scenes } = rehearsal
  return {
    good: rehearsal.kind === 'rehearsed' ? isGood(rehearsal) : null,
    notRehearsedBecause: rehearsal.kind === 'rehearsed' ? null : rehearsal.because,
    untried: rehearsal.kind === 'rehearsed' ? rehearsal.untried : [],
    scenes,
  }
}
