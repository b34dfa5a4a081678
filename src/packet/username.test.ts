import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseUsername } from './username.ts'

for (const name of ['a', 'bob-smith', 'j.doe_1', 'User Name', 'me@host', "o'neil", '$#%~^&()!{}`', 'u'.repeat(48)])
  test(`${name} is a user name`, () => assert.deepEqual(parseUsername(name), { ok: true, value: name }))

for (const name of ['', 'u'.repeat(49), 'é', 'a\tb', 'a\n', 'a\x7f', ...'"/\\[]:;|=,+*?<>'])
  test(`${JSON.stringify(name)} is none`, () => assert.equal(parseUsername(name).ok, false))
