/** docs/OPERATING.md names each field of a cluster in the JSON of `status` and `revoke`, and no other. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const operating = read('docs/OPERATING.md')

/** The fields of an interface, by its source. Those of nested types are left out. */
function fieldsOf(file: string, name: string): readonly string[] {
  const [, body] = new RegExp(`interface ${name}\\b[^{]*{\\n(.*?)\\n}`, 's').exec(read(`src/${file}`)) ?? []
  const fields = [...(body ?? '').matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, field = '']) => field)
  assert.ok(fields.length > 0, `${file}: ${name}`)
  return fields.toSorted()
}

/** The fields that the rows of the table name for a part of the status. */
function toldOf(part: string): readonly string[] {
  const rows = operating.split('\n').map((row) => row.split(' | ')[0] ?? '')
  const own = rows.filter(
    (cell) => cell.startsWith(`| \`${part}.`) && cell.split('`')[1]?.split('.').length === part.split('.').length + 1,
  )
  const names = own.flatMap((cell) => [...cell.replace(`\`${part}.`, '`.').matchAll(/`\.(\w+)`/g)])
  return names.map(([, name = '']) => name).toSorted()
}

describe('the fields of a cluster', () => {
  const warden = 'daemon/warden'
  const gateCounters = fieldsOf(`${warden}/journal.ts`, 'GateCounters')
  for (const [part, fields] of [
    ['cluster', fieldsOf(`${warden}/cluster-process/cluster.ts`, 'ClusterStatus').filter((name) => name !== 'records')],
    ['cluster.records', fieldsOf(`${warden}/cluster-process/records.ts`, 'RecordsStatus')],
    ['fromCluster', [...gateCounters, ...fieldsOf(`${warden}/status.ts`, 'FromClusterStatus')].toSorted()],
    ['gates[]', fieldsOf(`${warden}/gates/origin.ts`, 'FanOutStatus')],
    ['clusterUsers', fieldsOf(`${warden}/cluster-users/cluster-users.ts`, 'ClusterUsersStatus')],
  ] as const)
    it(`${part} are in docs/OPERATING.md`, () => assert.deepEqual(toldOf(part), fields))

  it('gates of a revocation are there too', () => {
    const [, revoke = ''] = operating.split('\n## Revoke')
    for (const field of fieldsOf(`${warden}/gates/gates.ts`, 'EndedElsewhere'))
      assert.ok(revoke.includes(`\`${field}\``), field)
  })
})
