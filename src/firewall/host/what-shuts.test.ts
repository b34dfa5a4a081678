import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Grant, Opening } from '../../access/grant.ts'
import { port } from '../../units.ts'
import type { Finding } from './findings.ts'
import { whatShuts } from './what-shuts.ts'

const ssh = { protocol: 'tcp', port: port(22) } as const
const access: Opening = { kind: 'access', ...ssh }
const ghost: Opening = { kind: 'ghost', protocol: 'tcp', publicPort: port(80), localPort: port(22) }
const forward = { kind: 'forward', protocol: 'tcp', publicPort: port(22) } as Opening
const grant = (source: string, ...openings: Opening[]): Grant => ({ source, openings }) as unknown as Grant
const base = { level: 'warning', text: '' } as const

const notrack: Finding = { ...base, code: 'HOST_NOTRACK', shuts: [ssh] }
const mark: Finding = { ...base, code: 'HOST_DROPS_MARK', shuts: 'all' }
const open: Finding = { ...base, code: 'HOST_OPEN_PORT' }

for (const [what, asked, known, codes] of [
  ['its port', grant('192.0.2.1', access), [notrack, notrack, open], ['HOST_NOTRACK']],
  ['another port', grant('192.0.2.1', ghost), [notrack], []],
  ['one port of several', grant('192.0.2.1', ghost, access), [notrack], ['HOST_NOTRACK']],
  ['the public port of a way to an inner host', grant('192.0.2.1', forward), [notrack, mark], ['HOST_NOTRACK']],
  ['all ports of this host', grant('192.0.2.1', ghost), [mark, notrack], ['HOST_DROPS_MARK']],
  ['the other family', grant('192.0.2.1', access), [{ ...mark, family: 'IPv6' }], []],
  ['its family', grant('2001:db8::1', access), [{ ...mark, family: 'IPv6' }], ['HOST_DROPS_MARK']],
] as const)
  test(`a finding about ${what}: ${codes.join() || 'nothing'}`, () => assert.deepEqual(whatShuts(asked, known), codes))
