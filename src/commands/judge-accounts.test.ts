import assert from 'node:assert/strict'
import { test } from 'node:test'
import { must } from '../../test/support/results.ts'
import { loadConfig } from '../config/load.ts'
import { filesFromSnapshot } from '../config/reading/config-files.ts'
import { groupsOfUsers, missingAccounts } from './judge-accounts.ts'

const [CONF, ACCESS] = ['/fwknopd.conf', '/access.conf']

function load(server: readonly string[], access: readonly string[]) {
  const texts = { [CONF]: server.join('\n'), [ACCESS]: access.join('\n') }
  return must(loadConfig(filesFromSnapshot({ texts, folders: {}, failures: {} }), { server: CONF }))
}

/** `FILE:LINE SETTING` of each name that is missing. */
function missing(server: readonly string[], access: readonly string[]): readonly string[] {
  return missingAccounts(load(server, access)).map(
    ({ at, detail }) => `${at?.file}:${at?.line} ${detail.split(':')[0]}`,
  )
}

const stanza = (...lines: readonly string[]) => ['SOURCE ANY', 'KEY one', 'HMAC_KEY two', ...lines]
const sudo = ['ENABLE_CMD_EXEC Y', 'ENABLE_CMD_SUDO_EXEC Y', 'CMD_EXEC_USER root']
const cycle = ['CMD_CYCLE_OPEN /bin/true', 'CMD_CYCLE_CLOSE NONE']

for (const [access, at] of [
  [stanza('ENABLE_CMD_EXEC Y', 'CMD_EXEC_USER nosuch'), '5 CMD_EXEC_USER'],
  [stanza('ENABLE_CMD_EXEC Y', 'CMD_EXEC_USER root', 'CMD_EXEC_GROUP nosuch'), '6 CMD_EXEC_GROUP'],
  [stanza(...sudo, 'CMD_SUDO_EXEC_USER nosuch'), '7 CMD_SUDO_EXEC_USER'],
  [stanza(...sudo, 'CMD_SUDO_EXEC_GROUP nosuch'), '7 CMD_SUDO_EXEC_GROUP'],
  [stanza(...cycle, 'CMD_CYCLE_USER nosuch'), '6 CMD_CYCLE_USER'],
  [stanza(...cycle, 'CMD_CYCLE_USER root', 'CMD_CYCLE_GROUP nosuch'), '7 CMD_CYCLE_GROUP'],
] as const)
  test(`a name that is not on this host is told at its own line: ${at}`, () => {
    assert.deepEqual(missing([], access), [`${ACCESS}:${at}`])
  })

test('so are the names of hooks', () => {
  const hook = ['HOOK_GRANT /bin/true;', 'HOOK_USER root;', 'HOOK_GROUP nosuch;']
  assert.deepEqual(missing(hook, stanza()), [`${CONF}:3 HOOK_GROUP`])
  assert.deepEqual(missing(['HOOK_GRANT /bin/true;', 'HOOK_USER nosuch;'], stanza()), [`${CONF}:2 HOOK_USER`])
})

test('a user’s name for a group is told at its own line, once for each setting', () => {
  // The group of nobody is nogroup on Debian.
  const group = ['ENABLE_CMD_EXEC Y', 'CMD_EXEC_USER root', 'CMD_EXEC_GROUP nobody']
  const cycled = [...cycle, 'CMD_CYCLE_USER root', 'CMD_CYCLE_GROUP nobody']
  const notices = groupsOfUsers(load([], [...stanza(...group), ...stanza(...group), ...stanza(...cycled)]))
  assert.deepEqual(
    notices.map(({ level, text, at }) => `${level} ${at?.line} ${text}`),
    [
      'info 6 CMD_EXEC_GROUP: there is no group “nobody”, but a user of this name. The user’s own group is used',
      'info 19 CMD_CYCLE_GROUP: there is no group “nobody”, but a user of this name. The user’s own group is used',
    ],
  )
  assert.deepEqual(
    groupsOfUsers(load([], stanza('ENABLE_CMD_EXEC Y', 'CMD_EXEC_USER root', 'CMD_EXEC_GROUP root'))),
    [],
  )
  assert.deepEqual(groupsOfUsers(load([], stanza())), [])
})
