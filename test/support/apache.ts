/** A real Apache on a test host: two virtual hosts on port 80, each with a page of its own. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Host, Network, Program } from './netns.ts'

const MODULES = '/usr/lib/apache2/modules'

/** Name → the text of its page. */
export const VIRTUAL_HOSTS = { 'www.example.net': 'the shop', 'wiki.example.net': 'the wiki' } as const

/** Resolves when it answers on this host itself. */
export async function startApache(net: Network, host: Host): Promise<Program> {
  const folder = net.directory()
  const sites = Object.entries(VIRTUAL_HOSTS).map(([name, page]) => {
    mkdirSync(join(folder, name))
    writeFileSync(join(folder, name, 'index.html'), `${page}\n`)
    return `<VirtualHost *:80>\nServerName ${name}\nDocumentRoot ${folder}/${name}\n</VirtualHost>`
  })
  const lines = [
    `ServerRoot ${folder}`,
    'ServerName spa.example.net',
    ...['mpm_event', 'authz_core', 'dir'].map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`),
    'Listen 80',
    `DefaultRuntimeDir ${folder}`,
    'PidFile apache.pid',
    'ErrorLog apache-error.log',
    'DirectoryIndex index.html',
    'StartServers 1',
    'User nobody',
    'Group nogroup',
    ...sites,
  ]
  writeFileSync(join(folder, 'apache.conf'), `${lines.join('\n')}\n`)
  host.must(['chmod', '-R', 'a+rX', folder])
  const apache = host.start(['apache2', '-f', join(folder, 'apache.conf'), '-DFOREGROUND'])
  await host.until('open', { protocol: 'tcp', address: '127.0.0.1', port: 80, timeoutMs: 200 })
  return apache
}

/** What a visitor sees. */
export function pageOf(visitor: Host, address: string, name: keyof typeof VIRTUAL_HOSTS, proxy?: string): string {
  const via = proxy === undefined ? ['--noproxy', '*'] : ['--proxy', proxy]
  return visitor.must(['curl', '-s', '-m', '10', ...via, '-H', `Host: ${name}`, `http://${address}/`]).trim()
}
