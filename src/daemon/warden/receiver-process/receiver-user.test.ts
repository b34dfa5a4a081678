import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { chooseOwnAccount } from './receiver-user.ts'

describe('the receiver’s user, where RECEIVER_USER names none', () => {
  const root = 'root:x:0:0:root:/root:/bin/bash\n'
  const id = (first: number, count: number): string =>
    Array.from({ length: count }, (_, i) => `u${i}:x:${first + i}:${first + i}::/:/bin/false\n`).join('')
  const choose = (passwd: string, group = ''): string => {
    const chosen = chooseOwnAccount(passwd, group)
    return chosen.ok ? `${chosen.value.name} ${chosen.value.uid}:${chosen.value.gid}` : chosen.failure.detail
  }

  it('is the user ghostport', () =>
    assert.equal(choose(`${root}ghostport:x:998:997::/:/bin/false\n`), 'ghostport 998:997'))
  it('is an id of its own', () => assert.equal(choose(root), 'user 60900 60900:60900'))
  it('needs no /etc/passwd', () => assert.equal(choose(''), 'user 60900 60900:60900'))
  it('is no id that a user has', () => assert.equal(choose(root + id(60_900, 2)), 'user 60902 60902:60902'))
  it('is no id that a group has', () => assert.equal(choose(root, 'g:x:60900:\n'), 'user 60901 60901:60901'))
  it('is never somebody else’s', () => assert.match(choose(id(60_900, 100)), /60900 to 60999 is taken.*useradd/))
  it('is not root by another name', () =>
    assert.equal(choose('ghostport:x:0:0::/:/bin/sh\n'), 'user 60900 60900:60900'))
})
