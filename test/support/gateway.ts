/** A gateway in this process, over loopback, for tests of what stands before and behind it. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/clock.ts'
import { parseGatewayConf } from '../../src/config/gateway/parse-gateway-conf.ts'
import { type Gateway, openGateway } from '../../src/gateway/gateway.ts'
import type { Route } from '../../src/http-server/route.ts'
import type { IpAddress } from '../../src/packet/address.ts'
import { StateFolder } from '../../src/system/state-folder.ts'

export interface LocalGateway extends AsyncDisposable {
  readonly gateway: Gateway
  /** Of 127.0.0.1. */
  readonly port: number
  readonly fingerprint: string
  readonly state: StateFolder
}

/** @param lines of gateway.conf, besides LISTEN and HOST. The host is `gate.example`, with HTTPS. */
export async function localGateway(lines: readonly string[], more: readonly Route[] = []): Promise<LocalGateway> {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-gateway-'))
  const text = ['LISTEN https://127.0.0.1:443', 'HOST gate.example, localhost, 127.0.0.1, [::1]', ...lines].join('\n')
  const parsed = parseGatewayConf('gateway.conf', text)
  assert.ok(parsed.ok, JSON.stringify(parsed))
  const state = StateFolder.open(folder, undefined)
  assert.ok(state.ok, JSON.stringify(state))
  const { config } = parsed.value
  // A port that the system chooses.
  const listen = config.listen.map((at) => (at.kind === 'unix' ? at : { ...at, port: 0 as never }))
  const opened = await openGateway({ ...config, listen }, state.value, more, {
    clock: systemClock,
    lookUp: async () => undefined,
    ownAddresses: new Set(['127.0.0.1' as IpAddress]),
    onFault: (error) => assert.fail(String(error)),
  })
  assert.ok(opened.ok, JSON.stringify(opened))
  const [at] = opened.value.http.listening
  assert.ok(at?.kind === 'tcp')
  return {
    gateway: opened.value,
    port: at.port,
    state: state.value,
    fingerprint: opened.value.certificate?.fingerprint ?? '',
    async [Symbol.asyncDispose]() {
      await opened.value.close()
      rmSync(folder, { recursive: true })
    },
  }
}
