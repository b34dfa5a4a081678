/** What counts as a login in the journal, and what a program could write there and does not count. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Ran } from '../run-here.ts'
import { readJournalLine, SshLogins } from './ssh-logins.ts'

const CURSOR = 's=0f1;i=2a;b=9c;m=1;t=5;x=7'
const MESSAGE = 'Accepted publickey for ada from 192.0.2.7 port 50022 ssh2: ED25519 SHA256:abc+/='
const fields = { __CURSOR: CURSOR, MESSAGE, _UID: '0', _EXE: '/usr/sbin/sshd' }
const entry = (more: Readonly<Record<string, unknown>>): string => JSON.stringify({ ...fields, ...more })

describe('a line of the journal', () => {
  for (const [what, more, login] of [
    ['of Debian 12', {}, '192.0.2.7 50022'],
    ['of Debian 13', { _EXE: '/usr/lib/openssh/sshd-session' }, '192.0.2.7 50022'],
    ['by a password', { MESSAGE: 'Accepted password for ada from 2001:db8::7 port 1 ssh2' }, '2001:db8::7 1'],
    ['by PAM', { MESSAGE: 'Accepted keyboard-interactive/pam for ada from 192.0.2.7 port 9 ssh2' }, '192.0.2.7 9'],
    ['of another user', { _UID: '1000' }, undefined],
    ['of another program', { _EXE: '/usr/bin/logger' }, undefined],
    ['of a program with such a name', { _EXE: '/tmp/x sshd' }, undefined],
    ['without a program', { _EXE: undefined }, undefined],
    ['that was refused', { MESSAGE: 'Failed password for ada from 192.0.2.7 port 9 ssh2' }, undefined],
    ['of a user with a long name', { MESSAGE: `Invalid user x ${MESSAGE} from 192.0.2.7 port 9` }, undefined],
    ['of two lines', { MESSAGE: `x\n${MESSAGE}` }, undefined],
    ['that goes on', { MESSAGE: `${MESSAGE}\nAccepted` }, undefined],
    ['with a message that came twice', { MESSAGE: [MESSAGE, MESSAGE] }, undefined],
    ['with a user that came twice', { _UID: ['0', '1000'] }, undefined],
    ['without an address', { MESSAGE: 'Accepted none for ada from UNKNOWN port 65535 ssh2' }, undefined],
    ['with a port that is none', { MESSAGE: 'Accepted none for ada from 192.0.2.7 port 65536 ssh2' }, undefined],
  ] as const)
    it(what, () => {
      const read = readJournalLine(entry(more))
      assert.equal(read?.cursor, CURSOR)
      assert.equal(read.login && `${read.login.peer} ${read.login.peerPort}`, login)
    })

  it('is none without a place, or with one that could be an option', () => {
    for (const line of ['', '{', 'null', '[]', '1', entry({ __CURSOR: undefined }), entry({ __CURSOR: '--root=/x y' })])
      assert.equal(readJournalLine(line), undefined, line)
  })

  it('never throws', () => {
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      fc.dictionary(fc.constantFrom(...Object.keys(fields)), fc.json()).map((each) => JSON.stringify(each)),
    )
    fc.assert(fc.property(text, (line) => void readJournalLine(line)))
  })
})

describe('the journal', () => {
  const says = (output: string, status = 0): Ran => ({ status, output, reason: '' })

  it('is read on from where it was begun, each line once', () => {
    const asked: string[][] = []
    const answers = [
      says(`${entry({ MESSAGE: 'Accepted publickey for eve from 192.0.2.9 port 9 ssh2', __CURSOR: 's=1' })}\n`),
      says(`${entry({ __CURSOR: 's=2' })}\n${entry({ MESSAGE: 'x', __CURSOR: 's=3' })}\n`),
      says('', 1),
      says(''),
    ]
    const logins = SshLogins.begin((argv) => {
      asked.push([...argv])
      return answers.shift() ?? says('')
    })
    assert.deepEqual(
      logins.next().map(({ peer }) => peer),
      ['192.0.2.7'],
    )
    assert.deepEqual(logins.next(), [])
    assert.deepEqual(logins.next(), [])
    assert.deepEqual(
      asked.map((argv) => argv.find((word) => word.startsWith('--after-cursor'))),
      [undefined, '--after-cursor=s=1', '--after-cursor=s=3', '--after-cursor=s=3'],
    )
  })

  it('is not read where there is none', () => {
    let times = 0
    const logins = SshLogins.begin(() => {
      times++
      return says('', 1)
    })
    assert.deepEqual(logins.next(), [])
    assert.equal(times, 1)
  })
})
