/**
 * The house plan, as rules over the text of the sources: which folder may import which, which may use the operating
 * system, which may load native code. Pure, so that the tests can give each rule a source that breaks it.
 */

/** Path from the root of the repository, with `/`, → text. */
export type Sources = ReadonlyMap<string, string>

export interface Violation {
  readonly file: string
  readonly rule:
    | 'layer'
    | 'cycle'
    | 'node'
    | 'koffi'
    | 'package'
    | 'index'
    | 'any'
    | 'default'
    | 'unresolved'
    | 'markup'
  readonly detail: string
}

/** The folders of src/ in the order that a packet travels. Imports go to an earlier rank, or stay in the folder. */
const ranks: readonly (readonly string[])[] = [
  ['bytes'],
  ['primitives'],
  ['packet'],
  ['access'],
  ['config'],
  // the line: the folders above it have no effects
  ['system'],
  [
    'replay',
    'firewall',
    'capture',
    'delivery',
    'gpg',
    'commands',
    'scan',
    'etcd',
    'invitations',
    'http-server',
    'audit-log',
    'cluster-record',
    'cluster-users',
  ],
  ['daemon', 'client'],
  ['host', 'gateway', 'client-ui', 'console'],
  ['cli'],
  ['tools'],
]
const lineRank = 5

/** Vocabulary for every folder. These files may import only each other. */
const shared = new Set(['src/result.ts', 'src/units.ts', 'src/failure-codes.ts', 'src/clock.ts'])
/** The exported files, and files that run below the line. File → the rank that it counts as. */
const rootFiles = new Map([
  ['src/packet.ts', 3],
  ['src/index.ts', ranks.length],
  // The starters of programs that stand beside the SPA server.
  ['src/cli/gpgdir.ts', ranks.length],
  ['src/cli/visitors.ts', ranks.length],
  ['src/log.ts', lineRank - 0.5],
  ['src/json-reader.ts', lineRank - 0.5],
  ['src/token-bucket.ts', lineRank - 0.5],
])

/** Walls within and between folders that the ranks do not show. The first four are promises of docs/THREAT-MODEL.md. */
const walls: readonly { readonly from: string; readonly closedTo: RegExp; readonly why: string }[] = [
  {
    from: 'src/daemon/receiver/',
    closedTo: /^src\/(firewall|replay|commands|delivery|daemon\/warden|daemon\/executor)\//,
    why: 'the receiver reads strangers’ bytes, and holds nothing that opens a door',
  },
  {
    from: 'src/daemon/warden/',
    closedTo:
      /^src\/(etcd\/|daemon\/(receiver|cluster)\/|packet\/(envelope|authenticate|decrypt|open|fields|message-fields|http|cipher)\.ts)/,
    why: 'the warden parses no packet, and no answer of etcd',
  },
  {
    from: 'src/daemon/cluster/',
    closedTo:
      /^src\/(firewall\/|replay\/|commands\/|capture\/|delivery\/|daemon\/(warden|receiver|executor)\/|cluster-record\/seal)/,
    why: 'the cluster process talks to etcd, opens no record, and holds nothing that opens a door',
  },
  {
    from: 'src/daemon/executor/',
    closedTo: /^src\/(firewall|replay|capture|delivery|daemon\/receiver)\//,
    why: 'the executor runs programs as root, and reads nothing from the network',
  },
  {
    from: 'src/daemon/link/',
    closedTo: /^src\/daemon\/(warden|receiver|executor)\//,
    why: 'the link knows neither side',
  },
  {
    from: 'src/daemon/gnupg/',
    closedTo: /^src\/(firewall|replay|commands|delivery|daemon\/(warden|receiver|executor))\//,
    why: 'the GnuPG process decrypts, and holds nothing else',
  },
  {
    from: 'src/cli/',
    closedTo: /^src\/etcd\/(?!survey-report\.ts)/,
    why: 'a command may be root: a process of its own talks to etcd (daemon/cluster/errand.ts)',
  },
  {
    from: 'src/system/',
    closedTo: /^src\/(?!bytes\/|system\/)[a-z-]+\//,
    why: 'system/ knows Linux, and nothing of SPA',
  },
  {
    from: 'src/tools/',
    closedTo: /^src\/(?!tools\/|bytes\/|system\/|gpg\/|config\/reading\/|cli\/terminal\/|[a-z-]+\.ts)/,
    why: 'tools/ are programs of their own, and know nothing of SPA',
  },
  {
    from: 'src/config/reading/',
    closedTo: /^src\/config\/(?!reading\/)/,
    why: 'config/reading/ knows how files are read, and no setting of theirs',
  },
]

/** The two sides of `#primitives`; the package.json of the project chooses. */
const platformFiles = new Set(['src/primitives/node.ts'])

/** Which file may load native code: for each library of the system, the file that declares its functions. */
const nativeFiles = new Set(['src/system/libc.ts', 'src/system/hmac-sha256.ts', 'src/firewall/nftables/library.ts'])

/** npm packages that the published code may use, and the files that may use them. */
const packages = new Map<string, ReadonlySet<string>>([
  ['koffi', nativeFiles],
  ['@noble/hashes', new Set(['src/primitives/browser.ts'])],
  ['@noble/ciphers', new Set(['src/primitives/browser.ts'])],
  ['qr', new Set(['src/cli/terminal/qr-code.ts'])],
  // The programs have its part within: no dependency of the package.
  ['@bufbuild/protobuf', new Set(['src/etcd/message-type.ts'])],
])

/** Every breach of the plan in `sources`, the files of src/. */
export function violations(sources: Sources): readonly Violation[] {
  const found: Violation[] = []
  const graph = new Map<string, readonly string[]>()
  const loads = new Map<string, readonly string[]>()
  for (const [file, text] of sources) {
    const isTest = file.endsWith('.test.ts')
    const code = withoutComments(text)
    const imports = importsOf(code)
    const local: string[] = []
    for (const specifier of imports) {
      if (specifier.startsWith('node:')) {
        if (!isTest && isAboveTheLine(file) && !platformFiles.has(file))
          found.push({ file, rule: 'node', detail: `imports ${specifier} above the line` })
      } else if (specifier.startsWith('.') || specifier === '#primitives') {
        const target = resolve(file, specifier)
        if (!sources.has(target) && !target.startsWith('test/') && !target.endsWith('.json'))
          found.push({ file, rule: 'unresolved', detail: `imports ${specifier}, which is not there` })
        if (target.startsWith('test/') && !isTest)
          found.push({ file, rule: 'layer', detail: `imports ${target}: what ships knows no tests` })
        const broken = target.startsWith('src/') ? layerBroken(file, target, isTest) : undefined
        if (broken !== undefined) found.push({ file, rule: 'layer', detail: broken })
        local.push(target)
      } else if (!isTest) {
        const name = packageName(specifier)
        const users = packages.get(name)
        if (users === undefined) found.push({ file, rule: 'package', detail: `imports ${specifier}, no dependency` })
        else if (!users.has(file))
          found.push({ file, rule: name === 'koffi' ? 'koffi' : 'package', detail: `may not import ${specifier}` })
      }
    }
    graph.set(file, local)
    loads.set(
      file,
      importsOf(withoutTypeImports(code)).map((specifier) => resolve(file, specifier)),
    )
    if (/(^|\/)index\.[cm]?ts$/.test(file) && file !== 'src/index.ts')
      found.push({ file, rule: 'index', detail: 'src/index.ts is the only index: import the file that owns the thing' })
    if (/[:<,|&(=]\s*any\b(?!['":])|\bas\s+any\b|\bany\[\]/.test(withoutStrings(code)))
      found.push({ file, rule: 'any', detail: 'uses any' })
    if (/@ts-(ignore|nocheck)/.test(text)) found.push({ file, rule: 'any', detail: 'switches the type checker off' })
    if (/^export\s+(default\b|\*)/m.test(code) || /^export\s*\{[^}]*\bas\s+default\b/m.test(code))
      found.push({ file, rule: 'default', detail: 'exports by default or by *: exports have names' })
  }
  return [...found, ...loadedOverWalls(loads), ...cycles(graph)]
}

/** npm packages that the browser’s side may use. They are bundled: none of them is a dependency of the package. */
const webPackages = new Map<string, RegExp>([
  ['preact', /^web\//],
  ['@preact/signals', /^web\//],
  ['qr', /^web\/(page\/parts\/qr-reader\.ts|console\/parts\/qr-code\.tsx)$/],
  // Its types alone: the script is loaded as it is.
  ['openpgp', /^web\/page\/parts\.ts$/],
])
/** Of what lies below the line, the files without effects that a browser runs too. */
const webMayUse = new Set(['src/client/request.ts'])

/** Every breach of the plan in web/. @param sources the files of src/ and of web/. */
export function webViolations(sources: Sources): readonly Violation[] {
  const found: Violation[] = []
  const loads = new Map<string, readonly string[]>()
  for (const [file, text] of sources) {
    const code = withoutComments(text)
    loads.set(
      file,
      importsOf(withoutTypeImports(code)).map((specifier) => resolve(file, specifier, 'src/primitives/browser.ts')),
    )
    if (!file.startsWith('web/')) continue
    for (const specifier of importsOf(code)) {
      const target = resolve(file, specifier)
      if (specifier.startsWith('node:')) found.push({ file, rule: 'node', detail: `imports ${specifier}` })
      else if (!specifier.startsWith('.')) {
        const users = webPackages.get(packageName(specifier))
        if (users === undefined) found.push({ file, rule: 'package', detail: `imports ${specifier}, no dependency` })
        else if (!users.test(file)) found.push({ file, rule: 'package', detail: `may not import ${specifier}` })
      } else if (!sources.has(target)) found.push({ file, rule: 'unresolved', detail: `imports ${specifier}` })
      else if (target.startsWith('src/') && !isAboveTheLine(target) && !webMayUse.has(target))
        found.push({ file, rule: 'layer', detail: `imports ${target}, which a browser cannot run` })
      else if (file.startsWith('web/shared/') && !target.startsWith('web/shared/'))
        found.push({ file, rule: 'layer', detail: `imports ${target}: web/shared/ is for every view` })
    }
    if (/[:<,|&(=]\s*any\b(?!['":])|\bas\s+any\b|\bany\[\]/.test(withoutStrings(code)))
      found.push({ file, rule: 'any', detail: 'uses any' })
    if (/\b(innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|document\.write)\b/.test(code))
      found.push({ file, rule: 'markup', detail: 'makes markup of text' })
  }
  for (const file of loads.keys())
    if (file.startsWith('web/'))
      for (const target of reachedFrom(file, loads))
        if (target.startsWith('src/') && importsOf(withoutTypeImports(sources.get(target) ?? '')).some(isNode))
          found.push({ file, rule: 'node', detail: `loads ${target}, which uses Node.js` })
  return found
}

function isNode(specifier: string): boolean {
  return specifier.startsWith('node:')
}

function reachedFrom(file: string, loads: ReadonlyMap<string, readonly string[]>): ReadonlySet<string> {
  const reached = new Set([file])
  for (const at of reached) for (const target of loads.get(at) ?? []) reached.add(target)
  return reached
}

/** A wall also holds for what a file loads through others: a process cannot be made to run code that it never loads. */
function loadedOverWalls(loads: ReadonlyMap<string, readonly string[]>): readonly Violation[] {
  return [...loads.keys()].flatMap((file) => {
    const wall = walls.find(({ from }) => file.startsWith(from))
    if (wall === undefined || file.endsWith('.test.ts')) return []
    const paths = new Map([[file, [file]]])
    for (const [at, path] of paths)
      for (const target of loads.get(at) ?? []) if (!paths.has(target)) paths.set(target, [...path, target])
    return [...paths.values()].flatMap((path): Violation[] =>
      path.length > 2 && wall.closedTo.test(path.at(-1) ?? '')
        ? [{ file, rule: 'layer', detail: `loads ${path.slice(1).reverse().join(', through ')}: ${wall.why}` }]
        : [],
    )
  })
}

/** Types are gone when a program runs: importing them loads nothing. */
function withoutTypeImports(code: string): string {
  return code
    .replaceAll(/^\s*(?:import|export)\s+type\b[^'"`;]*?\bfrom\s*['"][^'"]+['"]/gm, '')
    .replaceAll(/^\s*(?:import|export)\s*\{(?:\s*type\s+[^,}]+,?)+\s*\}\s*from\s*['"][^'"]+['"]/gm, '')
}

function isAboveTheLine(file: string): boolean {
  return shared.has(file) || (rankOf(file) ?? 0) < lineRank
}

function rankOf(file: string): number | undefined {
  const whole = rootFiles.get(file)
  if (whole !== undefined) return whole
  const folder = file.split('/')[1] ?? ''
  const rank = ranks.findIndex((folders) => folders.includes(folder))
  return rank < 0 ? undefined : rank
}

function layerBroken(file: string, target: string, isTest: boolean): string | undefined {
  if (shared.has(target)) return undefined
  if (shared.has(file)) return `imports ${target}: what all folders share imports none of them`
  const from = rankOf(file)
  const to = rankOf(target)
  if (from === undefined && !isTest) return 'is in no folder of the house plan'
  if (to === undefined) return `imports ${target}, which is in no folder of the house plan`
  if (file === target.replace(/\.ts$/, '.test.ts')) return undefined
  const wall = walls.find(({ from, closedTo }) => file.startsWith(from) && closedTo.test(target))
  if (wall !== undefined && !isTest) return `imports ${target}: ${wall.why}`
  if (target === 'src/index.ts' || target === 'src/packet.ts') return `imports ${target}, which is for other packages`
  if (folderOf(file) === folderOf(target) || to < (from ?? 0)) return undefined
  return `imports ${target}, which comes later or stands beside it`
}

function folderOf(file: string): string {
  return file.split('/').slice(0, 2).join('/')
}

function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/** Static, dynamic and re-exporting imports, including types: a type that points the wrong way is a dependency too. */
export function importsOf(code: string): readonly string[] {
  const specifiers = new Set<string>()
  const forms = [
    /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm,
    /^\s*import\s*['"]([^'"]+)['"]/gm,
    /\bimport\s*\(\s*['"]([^'"]+)['"]/g,
    /\brequire\s*\(\s*['"]([^'"]+)['"]/g,
    /\bnew URL\(\s*['"](\.[^'"]+\.[cm]?[jt]s)['"]/g,
  ]
  for (const form of forms) for (const match of code.matchAll(form)) specifiers.add(match[1] ?? '')
  return [...specifiers]
}

function resolve(file: string, specifier: string, primitives = 'src/primitives/node.ts'): string {
  if (specifier === '#primitives') return primitives
  const parts = file.split('/').slice(0, -1)
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '.') parts.push(part)
  }
  return parts.join('/')
}

/** One violation for each cycle found from its first file in the order of names. */
function cycles(graph: ReadonlyMap<string, readonly string[]>): readonly Violation[] {
  const found: Violation[] = []
  const done = new Set<string>()
  const path: string[] = []
  const visit = (file: string) => {
    const at = path.indexOf(file)
    if (at >= 0) {
      found.push({ file, rule: 'cycle', detail: [...path.slice(at), file].join(' → ') })
      return
    }
    if (done.has(file)) return
    done.add(file)
    path.push(file)
    for (const target of graph.get(file) ?? []) visit(target)
    path.pop()
  }
  for (const file of [...graph.keys()].sort()) visit(file)
  return found
}

function withoutComments(text: string): string {
  // Strings are matched first, so that the // of a URL in a string is not a comment.
  return text.replaceAll(/('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*")|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, '$1')
}

function withoutStrings(code: string): string {
  return code.replaceAll(/'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g, "''")
}
