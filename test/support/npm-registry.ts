/**
 * A registry for npm, with the packages of this clone's node_modules in it: `npm install` on a host that reaches
 * nothing else.
 *
 *   node npm-registry.ts NODE_MODULES PORT
 */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'

const [, , packages = '', port = ''] = process.argv
const manifest = (name: string): string => join(packages, name, 'package.json')

createServer((request, response) => {
  const [, wanted = '', tarball] =
    /^\/((?:@[\w.-]+\/)?[\w.-]+)(\/-\/.*)?$/.exec(decodeURIComponent(request.url ?? '')) ?? []
  if (wanted === '' || wanted.includes('..') || !existsSync(manifest(wanted))) {
    response.writeHead(404).end('{}')
    return
  }
  if (tarball !== undefined) {
    const tar = spawn('tar', ['-cz', '--transform', 's,^\\.,package,', '-C', join(packages, wanted), '.'])
    tar.stdout.pipe(response)
    return
  }
  const description = JSON.parse(readFileSync(manifest(wanted), 'utf8')) as {
    readonly name: string
    readonly version: string
  }
  const { name, version } = description
  const dist = { tarball: `http://${request.headers.host}/${name}/-/package-${version}.tgz` }
  response.end(
    JSON.stringify({ name, 'dist-tags': { latest: version }, versions: { [version]: { ...description, dist } } }),
  )
}).listen(Number(port), () => process.stdout.write('listening\n'))
