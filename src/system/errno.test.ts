import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { constants } from 'node:os'
import { test } from 'node:test'
import { describeErrno, errorCode, fileReason, systemReason } from './errno.ts'

function thrownBy(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    return error
  }
  return assert.fail('nothing was thrown')
}

test('a number of errno(3) has its name and its words', () => {
  assert.equal(describeErrno(constants.errno.EPERM), 'EPERM, operation not permitted')
})

test('an error of a file says neither call nor path', () => {
  const error = thrownBy(() => readFileSync('/nowhere, or elsewhere'))
  assert.deepEqual([systemReason(error), errorCode(error)], ['no such file or directory', 'ENOENT'])
  assert.equal(fileReason(error), 'there is no such file')
  assert.equal(fileReason(thrownBy(() => readFileSync('/'))), 'is a folder')
})

test('an error of a socket says no address', async () => {
  const error = await new Promise((resolve) => connect('/nowhere/at/all').once('error', resolve))
  assert.deepEqual([systemReason(error), errorCode(error)], ['no such file or directory', 'ENOENT'])
})

test('an error that is not the system’s keeps its own words', () => {
  assert.equal(systemReason(new Error('a mistake: of ours, here')), 'a mistake: of ours, here')
  assert.equal(systemReason('a string'), 'a string')
  assert.equal(errorCode(new Error('x')), undefined)
})
