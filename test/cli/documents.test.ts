/** The man pages and completions are as `npm run documents` writes them, and real shells take them. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { writeDocuments } from '../../scripts/documents/all.ts'
import { readPrograms, shownOptions } from '../../scripts/documents/programs.ts'
import { Home } from './ghostport.ts'

const root = join(import.meta.dirname, '../..')
const documents = await writeDocuments()
const programs = await readPrograms()

function run(program: string, ...words: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, words, { encoding: 'utf8', timeout: 120_000 })
  assert.deepEqual([error?.message, status, stderr], [undefined, 0, ''], `${program}: ${stderr}${stdout}`)
  return stdout
}

describe('man pages and completions', () => {
  for (const [file, text] of documents)
    it(`${file} is as the tables say now`, () => {
      assert.ok(readFileSync(join(root, file), 'utf8') === text, `${file} is stale: npm run documents`)
    })
  it('has no file of a program that is gone', () => {
    for (const folder of ['packaging/man', 'packaging/completions'])
      for (const name of readdirSync(join(root, folder))) assert.ok(documents.has(`${folder}/${name}`), name)
  })
  it('there is one for each program of the package', () => {
    const { bin, man } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    assert.deepEqual(programs.map(({ name }) => name).sort(), Object.keys(bin).sort())
    assert.deepEqual(man.sort(), [...documents.keys()].filter((file) => file.startsWith('packaging/man/')).sort())
  })
})

for (const { name, section, commands, usage } of programs)
  describe(`man ${section} ${name}`, () => {
    const page = join(root, `packaging/man/${name}.${section}`)
    it('has no error', () => {
      assert.equal(run('mandoc', '-Tlint', '-Werror', page), '')
    })
    it('shows every command and option', () => {
      const shown = run('mandoc', '-Tutf8', '-Owidth=200', page)
        .split('\b')
        .map((part, i, { length }) => (i < length - 1 ? part.slice(0, -1) : part))
        .join('')
      for (const part of usage === undefined ? commands : [usage]) {
        if ('name' in part) assert.ok(shown.includes(`${name} ${part.name}`), part.name)
        for (const option of shownOptions(part)) assert.ok(shown.includes(`--${option.name}`), option.name)
      }
    })
  })

describe('completion', () => {
  /** What bash offers for the last word. */
  const bash = (...words: readonly string[]): readonly string[] => {
    const [program = ''] = words
    const script = `
      source '${join(root, 'packaging/completions', `${program}.bash`)}'
      COMP_WORDS=("$@"); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
      _${program}_complete
      printf '%s\\n' "\${COMPREPLY[@]}"`
    return run('bash', '-c', script, 'bash', ...words)
      .trimEnd()
      .split('\n')
  }
  const fish = (line: string): readonly string[] => {
    const [program = ''] = line.split(' ')
    const file = join(root, 'packaging/completions', `${program}.fish`)
    const offered = run('fish', '--no-config', '-c', `source '${file}'; complete -C'${line}'`)
    return offered
      .trimEnd()
      .split('\n')
      .map((found) => found.split('\t')[0] ?? '')
  }
  it('of bash offers commands, options of the command, and paths', () => {
    assert.deepEqual(bash('ghostport', 'kn'), ['knock'])
    assert.deepEqual(bash('ghostport', 'help', 'stat'), ['status'])
    assert.deepEqual(bash('ghostport', 'knock', '--acc'), ['--access'])
    assert.deepEqual(bash('ghostport', 'check', '--acc'), ['--access-file'])
    assert.deepEqual(
      bash('ghostport', 'check', '-c', '/etc/host'),
      run('bash', '-c', 'compgen -f /etc/host').trimEnd().split('\n'),
    )
    assert.deepEqual(bash('ghostport', 'knock', '--access', ''), [''])
    assert.deepEqual(bash('fwknopd', '--fw-l'), ['--fw-list', '--fw-list-all'])
  })
  it('of fish offers the same', () => {
    assert.deepEqual(fish('ghostport kn'), ['knock'])
    assert.ok(fish('ghostport check --acc').includes('--access-file'))
    assert.ok(!fish('ghostport check --acc').includes('--access'))
    assert.deepEqual([...fish('fwknopd --fw-l')].sort(), ['--fw-list', '--fw-list-all'])
  })
  it('of zsh offers the same', () => {
    // A terminal of its own, in which Tab is typed.
    const script = `
      zmodload zsh/zpty
      zpty shell 'TERM=dumb zsh -f -i'
      zpty -w shell 'fpath=(${join(root, 'packaging/completions')} $fpath); autoload -Uz compinit; compinit -u -D; echo READ""Y'
      zpty -r shell answer '*READY*'
      for attempt in {1..20}; do
        zpty -n -w shell $'\\C-ughostport check --acc\\t'
        repeat 10; do sleep 0.1; zpty -r -t shell answer && all+=$answer; [[ $all == *--access-file* ]] && break 2; done
      done
      print -r -- "$all"
      zpty -d shell`
    assert.match(run('zsh', '-f', '-c', script), /--access-file/)
  })
})

describe('ghostport completions', () => {
  it('prints what the shell sources', async () => {
    using home = new Home()
    for (const [shell, file] of [
      ['bash', 'ghostport.bash'],
      ['zsh', '_ghostport'],
      ['fish', 'ghostport.fish'],
    ] as const) {
      const { stdout } = await home.ghostport(['completions', shell])
      assert.equal(stdout, documents.get(`packaging/completions/${file}`))
    }
    const other = await home.ghostport(['completions', 'fwknopd', 'bash'])
    assert.equal(other.status, 64)
    const { status, stderr } = await home.ghostport(['completions', 'bsh'])
    assert.deepEqual([status, /perhaps: ghostport completions bash/.test(stderr)], [64, true])
  })
})
