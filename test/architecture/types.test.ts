import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '..', '..')
const MADE_BY_TOOLS = ['node_modules', 'dist', '.setup', '.git']

test('the type checker reads every program of this repository, JavaScript included', () => {
  const scripts = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts as Record<string, string>
  const projects = [...(scripts['typecheck'] ?? '').matchAll(/tsc -p (\S+)/g)].map(([, project = '']) => project)
  const checked = new Set<string>()
  for (const project of projects) {
    const tsc = ['node_modules/typescript/bin/tsc', '-p', project, '--listFilesOnly']
    const { stdout, stderr } = spawnSync(process.execPath, tsc, { cwd: root, encoding: 'utf8' })
    assert.equal(stderr, '')
    for (const file of stdout.split('\n')) checked.add(relative(root, file))
  }
  const programs = globSync('**/*.{ts,tsx,mts,cts,js,mjs,cjs}', {
    cwd: root,
    exclude: (path) => MADE_BY_TOOLS.some((folder) => path.split('/').includes(folder)),
  })
  assert.ok(programs.includes('scripts/test.mjs'), programs.join(' '))
  assert.deepEqual(
    programs.filter((program) => !checked.has(program)),
    [],
  )
})

/** Uses of the steps that open a packet, one per line, with the compiler's error. */
const ORDERS: readonly [use: string, complaint: RegExp | undefined][] = [
  ['decrypt(authentic, encryption)', undefined],
  ['decrypt(acceptUnauthenticated(envelope), encryption)', undefined],
  ['readPlaintext(decrypted)', undefined],
  ['decrypt(envelope, encryption)', /'Envelope' is not assignable to parameter of type 'AuthenticEnvelope'/],
  ['decrypt({ envelope, tagLength: 0 }, encryption)', /is not assignable to parameter of type 'AuthenticEnvelope'/],
  ['decrypt(authentic, hmac)', /missing in type 'Authentication' but required in type 'Encryption'/],
  ['readPlaintext(envelope)', /'Envelope' is not assignable to parameter of type 'Decrypted'/],
  ['readPlaintext(authentic)', /'AuthenticEnvelope' is not assignable to parameter of type 'Decrypted'/],
  [
    'readPlaintext({ envelope, identity: new Uint8Array(), plaintext: new Uint8Array() })',
    /is not assignable to parameter of type 'Decrypted'/,
  ],
]

test('a packet that is opened in another order than authenticate, decrypt, read does not compile', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-orders-'))
  try {
    const head = [
      `import { type Authentication, type AuthenticEnvelope, acceptUnauthenticated, decrypt, type Decrypted, type Encryption, type Envelope, readPlaintext } from '${join(root, 'src/packet.ts')}'`,
      'declare const envelope: Envelope, authentic: AuthenticEnvelope, decrypted: Decrypted',
      'declare const encryption: Encryption, hmac: Authentication',
      'void [acceptUnauthenticated, envelope, authentic, decrypted, encryption, hmac]',
    ]
    writeFileSync(join(folder, 'orders.mts'), [...head, ...ORDERS.map(([use]) => use)].join('\n'))
    const settings = {
      extends: join(root, 'tsconfig.json'),
      compilerOptions: { typeRoots: [join(root, 'node_modules/@types')], rewriteRelativeImportExtensions: false },
      include: [],
      files: ['orders.mts'],
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(settings))
    const tsc = [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder, '--pretty', 'false']
    const { stdout } = spawnSync(process.execPath, tsc, { cwd: folder, encoding: 'utf8' })
    const complaints = new Map<string | undefined, string>()
    for (const [, line, text] of stdout.matchAll(/^orders\.mts\((\d+),\d+\): (.*)$/gm))
      complaints.set(ORDERS[Number(line) - head.length - 1]?.[0], text ?? '')
    assert.deepEqual(
      [...complaints.keys()],
      ORDERS.filter(([, complaint]) => complaint).map(([use]) => use),
      stdout,
    )
    for (const [use, complaint] of ORDERS) if (complaint) assert.match(complaints.get(use) ?? '', complaint)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
