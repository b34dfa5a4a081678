import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { describe, it, test } from 'node:test'
import { type Violation, violations, webViolations } from './plan.ts'

const root = join(import.meta.dirname, '..', '..')

test('src/ keeps to the house plan', () => {
  const files = globSync('src/**/*.ts', { cwd: root }).map((file) => file.split(sep).join('/'))
  assert.ok(files.length > 20, 'the sources were not found')
  const sources = new Map(files.sort().map((file) => [file, readFileSync(join(root, file), 'utf8')]))
  assert.deepEqual(
    violations(sources).map(({ file, rule, detail }) => `${file}: ${detail} [${rule}]`),
    [],
  )
})

function readSources(pattern: string): ReadonlyMap<string, string> {
  const files = globSync(pattern, { cwd: root }).map((file) => file.split(sep).join('/'))
  return new Map(files.sort().map((file) => [file, readFileSync(join(root, file), 'utf8')]))
}

test('web/ keeps to the house plan', () => {
  const sources = readSources('{src,web}/**/*.{ts,tsx}')
  assert.ok([...sources.keys()].filter((file) => file.startsWith('web/')).length > 15, 'the sources were not found')
  assert.deepEqual(webViolations(sources), [])
})

describe('the plan of web/ refuses', () => {
  const cases: readonly (readonly [string, Violation['rule'], Record<string, string>])[] = [
    ['Node.js', 'node', { 'web/page/a.ts': "import 'node:fs'" }],
    [
      'Node.js through others',
      'node',
      { 'web/page/a.ts': "import '../../src/packet/b.ts'", 'src/packet/b.ts': "import 'node:fs'" },
    ],
    ['a package that nobody argued for', 'package', { 'web/page/a.tsx': "import { h } from 'react'" }],
    ['a part of the server', 'layer', { 'web/page/a.ts': "import '../../src/daemon/b.ts'", 'src/daemon/b.ts': '' }],
    [
      'a shared file that knows the page',
      'layer',
      { 'web/shared/a.tsx': "import '../page/b.ts'", 'web/page/b.ts': '' },
    ],
    ['markup made of text', 'markup', { 'web/page/a.ts': 'document.body.innerHTML = name' }],
    ['a file that is not there', 'unresolved', { 'web/page/a.ts': "import './b.ts'" }],
  ]
  for (const [what, rule, files] of cases)
    it(what, () => {
      const found = webViolations(new Map(Object.entries(files)))
      assert.deepEqual(
        found.map((it) => it.rule),
        [rule],
      )
    })
})

describe('the plan refuses', () => {
  // what → the rule that must be found broken; the first path of each is the file that breaks it
  const cases: readonly (readonly [string, Violation['rule'], Record<string, string>])[] = [
    [
      'an import of a later folder',
      'layer',
      { 'src/packet/a.ts': "import { b } from '../access/b.ts'", 'src/access/b.ts': 'export const b = 1' },
    ],
    [
      'a type imported from a later folder',
      'layer',
      { 'src/bytes/a.ts': "import type { B } from '../packet/b.ts'", 'src/packet/b.ts': 'export type B = 1' },
    ],
    [
      'an import over several lines',
      'layer',
      { 'src/config/a.ts': "import {\n  b,\n} from '../daemon/b.ts'", 'src/daemon/b.ts': 'export const b = 1' },
    ],
    [
      'a lazy import of a later folder',
      'layer',
      { 'src/client/a.ts': "const b = await import('../cli/b.ts')", 'src/cli/b.ts': 'export const b = 1' },
    ],
    [
      'a re-export of a later folder',
      'layer',
      { 'src/packet/a.ts': "export { b } from '../config/b.ts'", 'src/config/b.ts': 'export const b = 1' },
    ],
    [
      'an import of a folder of the same rank',
      'layer',
      { 'src/replay/a.ts': "import { b } from '../firewall/b.ts'", 'src/firewall/b.ts': 'export const b = 1' },
    ],
    [
      'the client knowing the daemon',
      'layer',
      { 'src/client/a.ts': "import { b } from '../daemon/b.ts'", 'src/daemon/b.ts': 'export const b = 1' },
    ],
    [
      'the receiver knowing the firewall',
      'layer',
      {
        'src/daemon/receiver/a.ts': "import { b } from '../../firewall/b.ts'",
        'src/firewall/b.ts': 'export const b = 1',
      },
    ],
    [
      'the receiver knowing the replay store',
      'layer',
      { 'src/daemon/receiver/a.ts': "import { b } from '../../replay/b.ts'", 'src/replay/b.ts': 'export const b = 1' },
    ],
    [
      'the receiver knowing the warden',
      'layer',
      {
        'src/daemon/receiver/a.ts': "import { b } from '../warden/b.ts'",
        'src/daemon/warden/b.ts': 'export const b = 1',
      },
    ],
    [
      'the warden knowing the receiver',
      'layer',
      {
        'src/daemon/warden/a.ts': "import { b } from '../receiver/b.ts'",
        'src/daemon/receiver/b.ts': 'export const b = 1',
      },
    ],
    [
      'the warden parsing a packet',
      'layer',
      {
        'src/daemon/warden/a/a.ts': "import { b } from '../../../packet/open.ts'",
        'src/packet/open.ts': 'export const b = 1',
      },
    ],
    [
      'the warden parsing a packet through others',
      'layer',
      {
        'src/daemon/warden/a.ts': "import { b } from '../link/b.ts'",
        'src/daemon/link/b.ts': "export { c as b } from '../../access/c.ts'",
        'src/access/c.ts': "import { type D, d } from '../packet/decrypt.ts'",
        'src/packet/decrypt.ts': 'export const d = 1',
      },
    ],
    [
      'the link knowing a side',
      'layer',
      { 'src/daemon/link/a.ts': "import { b } from '../warden/b.ts'", 'src/daemon/warden/b.ts': 'export const b = 1' },
    ],
    [
      'system/ knowing a packet',
      'layer',
      { 'src/system/a.ts': "import { b } from '../packet/b.ts'", 'src/packet/b.ts': 'export const b = 1' },
    ],
    [
      'config/reading/ knowing a setting',
      'layer',
      {
        'src/config/reading/a.ts': "import { b } from '../server/b.ts'",
        'src/config/server/b.ts': 'export const b = 1',
      },
    ],
    [
      'shared vocabulary that knows a folder',
      'layer',
      { 'src/result.ts': "import { b } from './bytes/b.ts'", 'src/bytes/b.ts': 'export const b = 1' },
    ],
    ['a folder that is not on the plan', 'layer', { 'src/utils/a.ts': "import { b } from '../bytes/b.ts'" }],
    ['shipped code that knows the tests', 'layer', { 'src/cli/a.ts': "import { b } from '../../test/support/b.ts'" }],
    [
      'the entry point as a short cut',
      'layer',
      { 'src/cli/a.ts': "import { b } from '../index.ts'", 'src/index.ts': 'export const b = 1' },
    ],
    ['node: above the line', 'node', { 'src/packet/a.ts': "import { createHash } from 'node:crypto'" }],
    ['node: in the shared vocabulary', 'node', { 'src/clock.ts': "import 'node:perf_hooks'" }],
    ['node: lazily above the line', 'node', { 'src/config/a.ts': "const fs = await import('node:fs')" }],
    ['node: in the primitives of the browser', 'node', { 'src/primitives/browser.ts': "import 'node:crypto'" }],
    ['koffi in a file that is not for it', 'koffi', { 'src/daemon/warden/warden.ts': "import koffi from 'koffi'" }],
    ['koffi by require', 'koffi', { 'src/cli/serve.ts': "const koffi = require('koffi')" }],
    ['a package that is no dependency', 'package', { 'src/cli/a.ts': "import leftPad from 'left-pad'" }],
    ['a node module without its prefix', 'package', { 'src/cli/a.ts': "import fs from 'fs'" }],
    ['noble outside the primitives', 'package', { 'src/packet/a.ts': "import { md5 } from '@noble/hashes/legacy.js'" }],
    [
      'a cycle of two',
      'cycle',
      { 'src/bytes/a.ts': "import { b } from './b.ts'", 'src/bytes/b.ts': "import type { A } from './a.ts'" },
    ],
    [
      'a cycle of three',
      'cycle',
      {
        'src/bytes/a.ts': "import { b } from './b.ts'",
        'src/bytes/b.ts': "import { c } from './c.ts'",
        'src/bytes/c.ts': "import { a } from './a.ts'",
      },
    ],
    ['a file that imports itself', 'cycle', { 'src/bytes/a.ts': "import { a } from './a.ts'" }],
    ['an index file', 'index', { 'src/packet/index.ts': 'export const a = 1' }],
    ['any as a type', 'any', { 'src/packet/a.ts': 'export function f(x: any) {}' }],
    ['a cast to any', 'any', { 'src/packet/a.ts': 'export const f = (1 as any).b' }],
    ['any as a type argument', 'any', { 'src/packet/a.ts': 'export const f = new Map<string, any>()' }],
    ['an array of any', 'any', { 'src/packet/a.ts': 'export type F = any[]' }],
    ['the type checker switched off', 'any', { 'src/packet/a.ts': '// @ts-ignore\nexport const f = 1' }],
    ['a default export', 'default', { 'src/packet/a.ts': 'export default 1' }],
    [
      'exports without names',
      'default',
      { 'src/packet/a.ts': "export * from './b.ts'", 'src/packet/b.ts': 'export const b = 1' },
    ],
    ['an import of nothing', 'unresolved', { 'src/packet/a.ts': "import { b } from './b.ts'" }],
  ]
  for (const [what, rule, files] of cases) {
    it(what, () => {
      const found = violations(new Map(Object.entries(files)))
      const culprit = Object.keys(files)[0]
      assert.ok(
        found.some((violation) => violation.rule === rule && violation.file === culprit),
        `not found; what was: ${JSON.stringify(found)}`,
      )
    })
  }
})

describe('the plan allows', () => {
  const cases: readonly (readonly [string, Record<string, string>])[] = [
    [
      'an import of an earlier folder',
      { 'src/cli/a.ts': "import { b } from '../bytes/b.ts'", 'src/bytes/b.ts': 'export const b = 1' },
    ],
    [
      'the warden knowing the types of packets',
      {
        'src/daemon/warden/a.ts': "import { b } from '../../access/b.ts'",
        'src/access/b.ts':
          "import type { C } from '../packet/open.ts'\nimport { type D, type E } from '../packet/open.ts'",
        'src/packet/open.ts': 'export const d = 1',
      },
    ],
    ['node: below the line', { 'src/daemon/a.ts': "import { spawn } from 'node:child_process'" }],
    ['node: in the primitives of Node', { 'src/primitives/node.ts': "import { createHash } from 'node:crypto'" }],
    ['node: in a test', { 'src/packet/a.test.ts': "import { test } from 'node:test'" }],
    ['a comment that speaks of an import', { 'src/packet/a.ts': "// import { x } from 'node:fs'\nexport const a = 1" }],
    ['the word any in prose and strings', { 'src/packet/a.ts': "/** takes any key */\nexport const a = ': any'" }],
    ['an address in a string', { 'src/packet/a.ts': "export const a = 'http://x' // no : any here" }],
  ]
  for (const [what, files] of cases) it(what, () => assert.deepEqual(violations(new Map(Object.entries(files))), []))
})
