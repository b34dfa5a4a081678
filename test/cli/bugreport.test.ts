/** `ghostport bugreport`: what is shown is what is written, and nothing is written unasked. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { Home } from './ghostport.ts'

const home = new Home()
after(() => home[Symbol.dispose]())
const KEY = 'c2VjcmV0LXNlY3JldC1zZWNyZXQ='

describe('ghostport bugreport', () => {
  const settings = home.write(
    'fwknopd.conf',
    `REPLAY_DB ${home.path}/replay.db;\nCONTROL_SOCKET ${home.path}/none.sock;\n`,
  )
  const stanzas = home.write(
    'access.conf',
    `SOURCE 198.51.100.7\nNAME hidden-name\nKEY_BASE64 ${KEY}\nHMAC_KEY_BASE64 ${KEY}x\n`,
  )
  const words = ['bugreport', '-c', settings, '-a', stanzas]

  it('has no key, name, path or address of the configuration', async () => {
    const { stdout, status } = await home.ghostport([...words, '--json'])
    assert.equal(status, 0)
    const report = JSON.parse(stdout)
    assert.equal(report.report, 1)
    assert.equal(report.configuration.good, false)
    assert.deepEqual(report.configuration.faults, ['CONFIG_CONFLICT'])
    assert.doesNotMatch(stdout, /c2VjcmV0|hidden-name|198\.51\.100|\/tmp|127\.0\.0\.1|::1/)
    assert.equal(Object.hasOwn(report, 'addresses'), false)
    const { stdout: text } = await home.ghostport(words)
    assert.match(text, /^report: 1\nprogram\.ghostport: [\d.]+\n[\s\S]*^configuration\.faults: CONFIG_CONFLICT$/m)
    assert.doesNotMatch(text, /c2VjcmV0|hidden-name|198\.51\.100|\/tmp|127\.0\.0\.1|::1/)
  })

  it('writes the same text into a new file, for its owner alone', async () => {
    const file = join(home.path, 'report.json')
    const asked = await home.ghostport([...words, '--output', file])
    assert.equal(asked.status, 64)
    assert.match(asked.stderr, /no terminal to ask .*perhaps: --yes/)
    assert.equal(existsSync(file), false)
    const { stdout, stderr, status } = await home.ghostport([...words, '--output', file, '--yes'])
    assert.equal(status, 0, stderr)
    assert.equal(readFileSync(file, 'utf8'), stdout)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    const again = await home.ghostport([...words, '--output', file, '--yes'])
    assert.equal(again.status, 73)
    assert.equal(readFileSync(file, 'utf8'), stdout)
  })

  it('has addresses only on request', async () => {
    const { stdout } = await home.ghostport([...words, '--with-addresses', '--json'])
    assert.ok(JSON.parse(stdout).addresses.interfaces.some((each: string) => each.startsWith('127.0.0.1/')))
  })
})
