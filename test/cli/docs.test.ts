/** docs/CLIENT.md describes all options of the client, and all that its JSON has. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, it } from 'node:test'
import { knockOptions } from '../../src/cli/knock/knock-flags.ts'
import { waitOptions } from '../../src/cli/knock/wait-flags.ts'
import { clientSettings } from '../../src/config/client/fwknoprc-settings.ts'
import { Home } from './ghostport.ts'

const home = new Home()
after(() => home[Symbol.dispose]())
const text = readFileSync(new URL('../../docs/CLIENT.md', import.meta.url), 'utf8')

for (const [name, spec] of Object.entries({ ...knockOptions, ...waitOptions }))
  if ('help' in spec)
    it(`--${name} is told of`, () => {
      assert.match(text, new RegExp(`\`(?:-., \`)?--${name}\\b|, \`?--${name}\\b`))
      if ('short' in spec) assert.match(text, new RegExp(`\`-${spec.short}\``))
    })

it('the settings of the rc file that count are told of', () => {
  const silent = new Set(['VERBOSE', 'NO_SAVE_ARGS', 'USE_WGET_USER_AGENT', 'WGET_CMD'])
  for (const name of Object.keys(clientSettings)) {
    if (!/^(GPG|USE_GPG)/.test(name) && !silent.has(name)) assert.match(text, new RegExp(`\`${name}\\b`), name)
  }
})

it('the fields of the JSON are told of', async () => {
  const { stdout } = await home.ghostport([
    'knock',
    '-D',
    '127.0.0.1',
    '-A',
    'tcp/1',
    '-s',
    '--no-rc-file',
    '--key-rijndael',
    'a',
    '--json',
    '-T',
  ])
  const said = JSON.parse(stdout)
  for (const object of [said, said.request, said.packets[0]])
    for (const field of Object.keys(object)) assert.match(text, new RegExp(`"${field}"`), field)
})
