/**
 * Each command that changes this server or host has a line in the audit log. What makes such a change is listed here by
 * name, and each use of it in a command is within `recorded(…)` of `src/cli/recorded.ts`, or says who records it. A new
 * command, and a new function beside the listed ones, must be put into one of the lists.
 */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, test } from 'node:test'
import { commands } from '../../src/cli/commands.ts'

const root = join(import.meta.dirname, '..', '..')
const textOf = (file: string): string => readFileSync(join(root, file), 'utf8')

/** File → what it exports: functions that change something, and functions that only look or compute. */
const sources: Readonly<Record<string, { readonly changes: readonly string[]; readonly looks: readonly string[] }>> = {
  'src/invitations/store.ts': {
    changes: [
      ...['addInvitation', 'addGatewayInvitation', 'claimInvitation', 'cancelInvitations'],
      'finishGatewayInvitation',
    ],
    looks: ['findInvitation', 'listInvitations'],
  },
  'src/host/policy/install.ts': {
    changes: ['loadPolicy', 'keepPolicy', 'revertPolicy', 'removePolicy'],
    looks: ['pendingPolicy'],
  },
  'src/host/set-up/confirm.ts': {
    changes: ['confirmChanges', 'takeBack'],
    // takeBackUnarmed: what comes after a line that says what failed. tidyUp: removes what has no effect any more.
    looks: ['openJournal', 'takeBackUnarmed', 'tidyUp'],
  },
  'src/host/set-up/perform.ts': { changes: ['perform'], looks: [] },
  'src/host/doctor/fix.ts': { changes: ['mend'], looks: ['fixableIn'] },
  'src/system/replace-config-file.ts': { changes: ['replaceConfigFile'], looks: ['removeDrafts'] },
  'src/daemon/warden/open-firewall.ts': {
    changes: ['removeRules'],
    // openFirewall: for the server, which logs what it opens.
    looks: ['openFirewall', 'portsInUse', 'lookAtFirewall', 'listRules'],
  },
  'src/cli/init/carry-out.ts': { changes: ['carryOut'], looks: [] },
}
/** Methods that change something. */
const methods = ['undoAll']

/** File → why its changes need no `recorded(…)` of its own. */
const elsewhere: Readonly<Record<string, { readonly names: readonly string[]; readonly proof: RegExp }>> = {
  // The caller records: `carryOut` is a change itself.
  'src/cli/init/carry-out.ts': { names: ['perform', 'takeBack'], proof: /export async function carryOut/ },
  // Under the lock of the files, after its own line.
  'src/cli/user/access-files.ts': {
    names: ['replaceConfigFile'],
    proof: /const unrecorded = await record\([\s\S]*replaceConfigFile/,
  },
  // Invitations go with the change of the user, which has its line.
  'src/cli/user/change-user.ts': { names: ['cancelInvitations'], proof: /changeAccess\([\s\S]*cancelInvitations\(/ },
  'src/cli/user/rotate-user.ts': { names: ['cancelInvitations'], proof: /changeAccess\([\s\S]*cancelInvitations\(/ },
  // Called by `recorded`, which is in the function above.
  'src/cli/cluster/host-settings.ts': {
    names: ['replaceConfigFile'],
    proof: /recorded\(config\.auditLog, line, \(\) => carryOut\(/,
  },
  // What a user mends who is not root.
  'src/cli/doctor/fix.ts': { names: ['mend'], proof: /geteuid\?\.\(\) !== 0\) return mend\(/ },
  // `keep` of putUser is called in its changeAccess, which takes it back where nothing can be recorded.
  'src/cli/invite/make-link.ts': { names: ['addGatewayInvitation'], proof: /putUser\(/ },
  'src/cli/invite/make.ts': { names: ['addInvitation'], proof: /putUser\(/ },
}

/** What each command does. Those that change something are named in docs/AUDIT.md. */
const kinds: Readonly<Record<'changes' | 'looks' | 'of the client' | 'is the server', readonly string[]>> = {
  changes: ['user', 'node', 'cluster', 'invite', 'revoke', 'init', 'uninstall', 'policy', 'doctor', 'serve', 'console'],
  looks: [
    ...['audit', 'check', 'explain', 'simulate', 'import', 'unit', 'status', 'bugreport', 'outside', 'completions'],
    ...['help', 'version'],
  ],
  'of the client': ['knock', 'ssh', 'proxy', 'exec', 'keygen', 'client', 'ui'],
  // The gateway has users of a form. They are on another host, and can do nothing that their stanza does not allow.
  // A gate is “serve” with one setting.
  'is the server': ['gateway', 'gate'],
}

const changers = Object.values(sources).flatMap(({ changes }) => changes)
/** A use: a call, or the function itself as the argument of `recorded`. */
const uses = new RegExp(
  `(?<!function |\\.)\\b(${changers.join('|')})(?=\\(|\\)$)|(?<=\\.)(${methods.join('|')})(?=\\()`,
  'gm',
)
/** How far above a change its `recorded(` is, in lines. */
const NEAR = 10

/** @returns the changes in the text of a command that no `recorded(` is near to. */
function unrecordedIn(text: string): readonly string[] {
  const lines = text.split('\n')
  return lines.flatMap((line, at) =>
    /^\s*(?:\*|\/\/|import\b|export async function)/.test(line)
      ? []
      : [...line.matchAll(uses)].flatMap(([name]) =>
          lines.slice(Math.max(0, at - NEAR), at + 1).some((one) => /\brecorded(IfPossible)?\(/.test(one))
            ? []
            : [name],
        ),
  )
}

describe('commands that change something', () => {
  const files = globSync('src/cli/**/*.ts', { cwd: root }).filter((file) => !file.endsWith('.test.ts'))

  it('record each change before they make it', () => {
    assert.ok(files.length > 100)
    const found: string[] = []
    let seen = 0
    for (const file of files) {
      const text = textOf(file)
      seen += [...text.matchAll(uses)].length
      const excuse = elsewhere[file]
      if (excuse !== undefined) assert.match(text, excuse.proof, file)
      for (const name of unrecordedIn(text)) if (excuse?.names.includes(name) !== true) found.push(`${file}: ${name}`)
    }
    assert.ok(seen > 15, 'the pattern finds too little')
    assert.deepEqual(found, [])
  })

  it('know all functions beside these', () => {
    for (const [file, { changes, looks }] of Object.entries(sources)) {
      const exported = [...textOf(file).matchAll(/^export (?:async )?function (\w+)/gm)].map(([, name = '']) => name)
      assert.deepEqual(exported.sort(), [...changes, ...looks].sort(), file)
    }
  })

  it('are all known, and named in docs/AUDIT.md', () => {
    assert.deepEqual(Object.values(kinds).flat().sort(), Object.keys(commands).sort())
    const page = textOf('docs/AUDIT.md')
    for (const name of kinds.changes) assert.match(page, new RegExp(`\`ghostport ${name}\\b`), name)
  })
})

for (const [text, found] of [
  ['const removed = removePolicy()', ['removePolicy']],
  ['const removed = await recorded(log, change, removePolicy)', []],
  ['await recorded(log, change, () =>\n  keepPolicy(now))', []],
  ['back.undoAll()', ['undoAll']],
  ["import { keepPolicy } from './x.ts'", []],
] as const)
  test(`unrecorded in: ${JSON.stringify(text)}`, () => {
    assert.deepEqual(unrecordedIn(text), found)
  })
