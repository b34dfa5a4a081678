import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccountName } from '../access/command.ts'
import { findGroup, findLogin, findProgramGroup } from './accounts.ts'

const files = {
  passwd:
    'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\nadm:x:7:70::/:/bin/sh\n',
  group: 'root:x:0:\nadm:x:4:ada\nnogroup:x:65534:\n',
}
const name = (text: string) => text as AccountName

test('a group of a program is a group, or else the own group of a user of that name, as for fwknopd', () => {
  for (const [group, number] of [
    ['nogroup', 65_534],
    ['adm', 4],
    ['nobody', 65_534],
    ['nosuch', undefined],
  ] as const) {
    const found = findProgramGroup(name(group), files)
    assert.equal(found.ok ? found.value : undefined, number)
    const login = findLogin({ user: name('nobody'), group: name(group) }, files)
    assert.equal(login.ok ? login.value?.gid : undefined, number)
  }
  const missing = findProgramGroup(name('nosuch'), files)
  assert.ok(!missing.ok && /there is no group “nosuch”/.test(missing.failure.detail))
})

test('sudo knows groups only', () => {
  assert.equal(findGroup(name('nobody'), files).ok, false)
  assert.equal(findGroup(name('adm'), files).ok, true)
})
