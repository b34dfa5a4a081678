import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { AF_UNIX, libc, O_CLOEXEC, SOCK_CLOEXEC, SOCK_STREAM } from './libc.ts'
import { connectUnix, peerOf, receiveDescriptors, sendDescriptors } from './pass-descriptors.ts'
import { ProcessHandle } from './process-handle.ts'
import { openSocketPair } from './socket-pair.ts'
import { socketAddress } from './unix-datagram.ts'

const skip = process.platform !== 'linux' && 'Linux only'

function pipe(): readonly [number, number] {
  const ends = new Int32Array(2)
  assert.equal(libc().pipe2(new Uint8Array(ends.buffer), O_CLOEXEC), 0)
  return [Number(ends[0]), Number(ends[1])]
}

test('descriptors arrive in order, and lead to the same things', { skip }, () => {
  const pair = openSocketPair()
  const [one, two] = [pipe(), pipe()]
  sendDescriptors(pair.ends[0], Buffer.from('here\n'), [two[1], one[1]])
  const arrived = receiveDescriptors(pair.ends[1], 100, 'take')
  assert.ok(arrived !== undefined && arrived !== 'empty')
  assert.equal(arrived.bytes.toString(), 'here\n')
  assert.equal(arrived.descriptors.length, 2)
  assert.equal(receiveDescriptors(pair.ends[1], 100, 'take'), 'empty')
  for (const [i, text] of ['second', 'first'].entries()) writeSync(arrived.descriptors[i] ?? -1, text)
  for (const fd of [...arrived.descriptors, one[1], two[1]]) closeSync(fd)
  assert.deepEqual([readFileSync(one[0], 'utf8'), readFileSync(two[0], 'utf8')], ['first', 'second'])
  for (const fd of [one[0], two[0]]) closeSync(fd)
  pair.close()
})

test('a peek takes neither bytes nor descriptors; the end of the other side is told', { skip }, () => {
  const pair = openSocketPair()
  const [read, write] = pipe()
  sendDescriptors(pair.ends[0], Buffer.from('x'), [write])
  closeSync(write)
  for (let i = 0; i < 2; i++) {
    const seen = receiveDescriptors(pair.ends[1], 1, 'peek')
    assert.ok(seen !== undefined && seen !== 'empty')
    assert.deepEqual([seen.bytes.toString(), seen.descriptors], ['x', []])
  }
  const taken = receiveDescriptors(pair.ends[1], 1, 'take')
  assert.ok(taken !== undefined && taken !== 'empty')
  for (const fd of taken.descriptors) closeSync(fd)
  // No copy of the write end is left, so this ends.
  assert.equal(readFileSync(read, 'utf8'), '')
  closeSync(read)
  libc().sendto(pair.ends[0], Buffer.from('y'), 1, 0, null, 0)
  const [near, far] = pair.ends
  closeSync(near)
  assert.ok(receiveDescriptors(far, 1, 'take') !== undefined)
  assert.equal(receiveDescriptors(far, 1, 'take'), undefined)
  closeSync(far)
})

test('the kernel names who connected, and who sent', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-socket-'))
  const path = join(folder, 's')
  const native = libc()
  const address = socketAddress(path)
  assert.ok(address)
  const listener = native.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)
  assert.equal(native.bind(listener, address, address.length), 0)
  assert.equal(native.listen(listener, 1), 0)
  const near = connectUnix(path)
  const far = native.accept4(listener, null, null, SOCK_CLOEXEC)
  const self = { pid: process.pid, uid: process.getuid?.() ?? 0 }
  assert.deepEqual(peerOf(far), self)
  writeSync(far, 'hello')
  const arrived = receiveDescriptors(near, 1, 'peek')
  assert.ok(arrived !== undefined && arrived !== 'empty')
  assert.deepEqual(arrived.sender, self)
  for (const fd of [near, far, listener]) closeSync(fd)
  assert.throws(() => connectUnix(join(folder, 'none')), /none: /)
  assert.throws(() => connectUnix('relative'), /not the path of a socket/)
  rmSync(folder, { recursive: true })
})

test('a process is held by a handle, ended by it, and seen to end', { skip }, async () => {
  const child = spawn('sleep', ['60'])
  await once(child, 'spawn')
  const handle = new ProcessHandle(child.pid ?? 0)
  assert.equal(handle.hasEnded, false)
  assert.ok(handle.signal(9))
  await once(child, 'exit')
  assert.equal(handle.hasEnded, true)
  assert.equal(handle.signal(9), false)
  handle.close()
  assert.throws(() => new ProcessHandle(child.pid ?? 0), /process \d+: /)
})
