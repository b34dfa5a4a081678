/** Builds one Debian package. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clone } from '../setup/clone.mjs'
import { installedSize, md5sums, normalise } from './normalise.ts'
import { type Contents, layOut, MAINTAINER, type Origin } from './tree.ts'

export interface Built {
  readonly file: string
  readonly sha256: string
  readonly bytes: number
  readonly origins: readonly Origin[]
}

/** How the package is packed: small for users, fast for tests. */
export type Packing = 'small' | 'fast'

const PACKINGS: Readonly<Record<Packing, readonly string[]>> = {
  small: ['-Zxz', '-z6'],
  fast: ['-Zgzip', '-z1'],
}

/**
 * @param folder for the package; it is made.
 * @throws Error if a tool is missing or fails.
 */
export async function buildPackage(contents: Contents, folder: string, packing: Packing): Promise<Built> {
  const { kind, processor, version, epoch } = contents
  const root = mkdtempSync(join(tmpdir(), 'ghostport-deb-'))
  try {
    const origins = await layOut(root, contents)
    mkdirSync(join(root, 'DEBIAN'))
    for (const script of ['postinst', 'prerm', 'postrm']) {
      const source = join(clone, 'packaging/debian', `${kind.name}.${script}`)
      if (!existsSync(source)) continue
      copyFileSync(source, join(root, 'DEBIAN', script))
      execFileSync('chmod', ['755', join(root, 'DEBIAN', script)])
    }
    writeFileSync(join(root, 'DEBIAN/control'), control(contents, installedSize(root)))
    writeFileSync(join(root, 'DEBIAN/md5sums'), md5sums(root))
    normalise(root, epoch)
    mkdirSync(folder, { recursive: true })
    const file = join(folder, `${kind.name}_${version}_${processor.debian}.deb`)
    execFileSync('dpkg-deb', ['--root-owner-group', ...PACKINGS[packing], '--build', root, file], {
      env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch), LC_ALL: 'C.UTF-8' },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const packed = readFileSync(file)
    return { file, sha256: createHash('sha256').update(packed).digest('hex'), bytes: packed.length, origins }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

function control({ kind, processor, version }: Contents, size: number): string {
  const fields = {
    Package: kind.name,
    Version: version,
    Architecture: processor.debian,
    Maintainer: MAINTAINER,
    'Installed-Size': String(size),
    ...kind.fields,
    Section: 'net',
    Priority: 'optional',
    Description: [kind.summary, ...kind.description.map(folded)].join('\n .\n').replace('\n .\n', '\n'),
  }
  return Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join('')
}

/** A paragraph in lines of at most 78 characters, each after a blank. */
function folded(paragraph: string): string {
  const lines: string[] = []
  for (const word of paragraph.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length < 78) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(` ${word}`)
  }
  return lines.join('\n')
}
