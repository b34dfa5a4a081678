/** The published package is compiled: there, too, the capture finds the file of its thread, and packets come through. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { SPA_PORT } from '../support/capture-host.ts'
import { Network, netnsUnavailable } from '../support/netns.ts'
import { openSender } from '../support/sender.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

test('the compiled package captures', { skip: netnsUnavailable(), timeout: 60_000 }, async () => {
  await using net = await Network.create()
  const host = await net.host('server')
  const directory = mkdtempSync(join(tmpdir(), 'ghostport-compiled-'))
  try {
    const compiled = join(directory, 'dist')
    const compiler = join(root, 'node_modules/typescript/bin/tsc')
    execFileSync(process.execPath, [compiler, '-p', join(root, 'tsconfig.build.json'), '--outDir', compiled])
    writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
    symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'))
    writeFileSync(
      join(directory, 'main.js'),
      `import { openPacketSockets } from './dist/capture/open-packet-sockets.js'
       import { createPacketSocketCapture } from './dist/capture/packet-socket.js'
       const ports = [${SPA_PORT}]
       const opened = openPacketSockets({ ports })
       const stopped = new AbortController()
       const capture = createPacketSocketCapture({ fds: opened.value.fds, ports, interfaces: ['lo'] })
       await capture.run((packets) => {
         for (const { payload, source } of packets) console.log(source, payload.length)
         stopped.abort()
       }, stopped.signal, () => console.log('ready'))`,
    )
    const [file, ...args] = host.command([process.execPath, join(directory, 'main.js')]) as [string, ...string[]]
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8')
    })
    const exited = once(child, 'exit')
    try {
      await Promise.race([once(child.stdout, 'data'), exited])
      await using sender = await openSender(host)
      await sender.send(new Uint8Array(123), '::1', SPA_PORT)
      assert.deepEqual((await exited)[0], 0)
      assert.equal(output, 'ready\n::1 123\n')
    } finally {
      child.kill('SIGKILL')
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
})
