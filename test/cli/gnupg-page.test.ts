/** The commands of docs/GNUPG.md make a keyring that the server can use, without a terminal, as in a script. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'

const folder = mkdtempSync(join(tmpdir(), 'ghostport-gnupg-page-'))
const home = join(folder, 'gnupg')
after(() => {
  spawnSync('gpgconf', ['--homedir', home, '--kill', 'gpg-agent'])
  rmSync(folder, { recursive: true })
})

/** In a session of its own, so that nothing can be asked on a terminal. */
function run(command: string): string {
  const { status, stdout, stderr } = spawnSync('setsid', ['--wait', 'sh', '-c', command], {
    cwd: folder,
    input: '',
    encoding: 'utf8',
    timeout: 60_000,
  })
  assert.equal(status, 0, `${command}\n${stderr}`)
  return stdout
}

test('the server’s keyring of docs/GNUPG.md has a key that decrypts without a passphrase', { timeout: 120_000 }, () => {
  const page = readFileSync(new URL('../../docs/GNUPG.md', import.meta.url), 'utf8')
  const commands = page.match(/^ {3}(mkdir|gpg) .*\/etc\/fwknop\/gnupg.*$/gm)?.map((line) => line.trim()) ?? []
  const [folderMade = '', made = '', added = '', exported = ''] = commands
  assert.deepEqual(
    [/^mkdir /, /--quick-gen-key/, /--quick-add-key/, /--export/].map((it, i) => it.test(commands[i] ?? '')),
    [true, true, true, true],
  )
  const here = (command: string): string => command.replaceAll('/etc/fwknop/gnupg', home)
  run(here(folderMade))
  run(here(made))
  const keys = () => run(`gpg --homedir ${home} --list-secret-keys --with-colons`).split('\n')
  const fingerprint =
    keys()
      .find((line) => line.startsWith('fpr'))
      ?.split(':')[9] ?? ''
  run(here(added).replace('FINGERPRINT', fingerprint))
  assert.ok(keys().some((line) => line.startsWith('ssb:') && line.split(':')[11] === 'e'))
  run(here(exported))
  run(`echo hello | gpg --homedir ${home} --batch --trust-model always -e -r ${fingerprint} -o packet.gpg`)
  const decrypted = run(`gpg --homedir ${home} --batch --pinentry-mode error -d packet.gpg`)
  assert.equal(decrypted, 'hello\n')
})
