/** Bad input of `ghostport init` and `ghostport uninstall`: each is refused before the host is looked at. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { Home } from './ghostport.ts'

const home = new Home()
after(() => home[Symbol.dispose]())
const needsRoot = process.getuid?.() !== 0 && 'the host is looked at by root only'

describe('bad input', { skip: needsRoot }, () => {
  const answers = join(home.path, 'answers.json')
  writeFileSync(answers, '{"hidden":"tcp/22"}')
  for (const [words, status, says] of [
    [['init', '--confirm', '--revert'], 64, /--confirm and --revert cannot be used together/],
    [['init', '--more-time', 'soon'], 64, /--more-time: “soon” is not a time from 1m to 24h/],
    [['init', '--time', '10'], 64, /--time: “10” is not a time/],
    [['init', '--hide', 'ssh', '--plan'], 64, /--hide: .*tcp/],
    [['init', '--answers', '/nonexistent', '--plan'], 66, /\/nonexistent: .*\[CONFIG_UNREADABLE\]/],
    [['init', '--answers', answers, '--plan'], 78, /answers “hidden”, which is not asked\. The names are hide, server/],
    [['init', '--hdie', 'tcp/22'], 64, /there is no option --hdie — perhaps: --hide/],
    [['uninstall', 'now'], 64, /unexpected argument “now”/],
  ] as const)
    it(words.join(' ').replace(home.path, 'HOME'), async () => {
      const ended = await home.ghostport(words)
      assert.equal(ended.status, status, ended.stderr)
      assert.match(ended.stderr, says)
    })

  it('is told as JSON too', async () => {
    const { status, stdout } = await home.ghostport(['init', '--time', '10', '--plan', '--json'])
    assert.equal(status, 64)
    assert.equal((JSON.parse(stdout) as { error: { code: string } }).error.code, 'VALUE_INVALID')
  })
})
