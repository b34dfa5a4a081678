import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildPolicy } from '../../config/access/build-policy.ts'
import { parseAccessConf } from '../../config/access/parse-access-conf.ts'
import { filesFromSnapshot } from '../../config/reading/config-files.ts'
import { parseFwknopdConf } from '../../config/server/parse-fwknopd-conf.ts'
import { unixSeconds } from '../../units.ts'
import { expiredStanzas } from './expired-stanzas.ts'

const FILE = '/etc/fwknop/access.conf'

function warnings(now: number, ...ends: (string | undefined)[]): string[] {
  const text = ends
    .map(
      (end, i) =>
        `SOURCE ANY\nNAME n${i}\nKEY_BASE64 aGVsbG8=\n${end === undefined ? '' : `ACCESS_EXPIRE_EPOCH ${end}\n`}`,
    )
    .join('')
  const access = parseAccessConf(FILE, filesFromSnapshot({ texts: { [FILE]: text }, folders: {}, failures: {} }))
  const server = parseFwknopdConf('/etc/fwknop/fwknopd.conf', '')
  assert.ok(access.ok && server.ok)
  const built = buildPolicy(server.value.config, access.value.stanzas)
  assert.ok(built.ok)
  return expiredStanzas(built.value, unixSeconds(now)).map(({ level, text, at }) => `${level} ${at?.line}: ${text}`)
}

test('a stanza that is over is told, once for all, and where nobody is left', () => {
  assert.deepEqual(warnings(1_000, undefined, '1001'), [])
  assert.deepEqual(warnings(1_000, undefined, '1000'), [
    'warning 4: stanza n1: expired (ACCESS_EXPIRE), since 1970-01-01T00:16:40Z',
  ])
  assert.deepEqual(warnings(1_000, '7', undefined, '8', '9'), [
    'warning 1: stanza n0 and 2 others: expired (ACCESS_EXPIRE), since 1970-01-01T00:00:07Z',
  ])
  assert.match(warnings(1_000, '7').join(), /There is no other stanza: nobody gets in$/)
})
