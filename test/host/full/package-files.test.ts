/** The Debian packages as users get them: their size, the same bytes twice, and what lintian says of each. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { buildDebianPackages, lintian, OWN_ARCHITECTURE } from '../../support/debian-packages.ts'
import { hostLabUnavailable } from '../../support/host-lab.ts'

const MB = 1_000_000

describe('the Debian packages, packed small', { skip: hostLabUnavailable() }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-packages-'))
  const [one, two] = [join(folder, 'one'), join(folder, 'two')]
  const packagesIn = (where: string) => readdirSync(where).filter((name) => name.endsWith('.deb'))

  before(() => {
    buildDebianPackages(one, { packing: 'small', architectures: [OWN_ARCHITECTURE] })
    buildDebianPackages(two, { packing: 'small', packages: ['ghostport'], architectures: [OWN_ARCHITECTURE] })
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  it('are of less than 30 MB each', () => {
    assert.equal(packagesIn(one).length, 2)
    for (const name of packagesIn(one)) assert.ok(statSync(join(one, name)).size < 30 * MB, name)
  })

  it('have the same bytes when they are built again', () => {
    const hash = (where: string, name: string) =>
      createHash('sha256')
        .update(readFileSync(join(where, name)))
        .digest('hex')
    const [name = ''] = packagesIn(two)
    assert.equal(hash(one, name), hash(two, name))
  })

  it('are found in order by lintian', async () => {
    const { status, output } = await lintian(packagesIn(one).map((name) => join(one, name)))
    assert.equal(status, 0, output)
    assert.doesNotMatch(output, /unused-override|mismatched-override|malformed-override/)
  })
})
