import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { namesPort, parseDestination, parseSshConfig } from './ssh-config.ts'

describe('what ssh says of itself', () => {
  const ask = (...words: string[]) => {
    const { stdout, stderr, status } = spawnSync('ssh', ['-G', '-F', 'none', ...words], { encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    return parseSshConfig('host', stdout)
  }
  const cases: [string[], ReturnType<typeof ask>][] = [
    [['host'], { hostname: 'host', port: 22, proxied: false }],
    [['ada@host', '-p', '2222'], { hostname: 'host', port: 2222, proxied: false }],
    [['ssh://ada@host:2222'], { hostname: 'host', port: 2222, proxied: false }],
    [['host', '-oPort=33', '-4', 'echo', '-p', '44'], { hostname: 'host', port: 33, family: 4, proxied: false }],
    [
      ['host', '-o', 'HostName=192.0.2.10', '-o', 'HostKeyAlias=mine', '-o', 'AddressFamily=inet6'],
      { hostname: '192.0.2.10', port: 22, family: 6, hostKeyAlias: 'mine', proxied: false },
    ],
    [['host', '-J', 'bastion'], { hostname: 'host', port: 22, proxied: true }],
    [['host', '-o', 'ProxyCommand=nc %h %p'], { hostname: 'host', port: 22, proxied: true }],
    [['host', '-o', 'ProxyCommand=none'], { hostname: 'host', port: 22, proxied: false }],
  ] as never
  for (const [words, config] of cases)
    it(`to ${words.join(' ')} is understood`, () => assert.deepEqual(ask(...words), config))

  it('may be nothing', () =>
    assert.deepEqual(parseSshConfig('host', ''), { hostname: 'host', port: 22, proxied: false }))
})

describe('a destination', () => {
  for (const [text, host, named] of [
    ['host', 'host', false],
    ['ada@host', 'host', false],
    ['ada@corp@host', 'host', false],
    ['ssh://ada@host', 'host', false],
    ['ssh://host:2222', 'host', true],
    ['ssh://[fd09::2]:22/', 'fd09::2', true],
    ['fd09::2', 'fd09::2', false],
  ] as const)
    it(`${text} is ${host}`, () => assert.deepEqual(parseDestination(text), { host, namesPort: named }))
})

describe('the words after it', () => {
  for (const words of [['-p', '22'], ['-p22'], ['-vp', '22'], ['-oPort=22'], ['-o', 'Port 22'], ['-i', 'k', '-p22']])
    it(`${words.join(' ')} names a port`, () => assert.ok(namesPort(words)))
  for (const words of [[], ['-v'], ['echo', '-p', '22'], ['-i', '-p', 'x'], ['-o', 'ProxyCommand=p', '--', '-p22']])
    it(`${words.join(' ') || '(nothing)'} names none`, () => assert.ok(!namesPort(words)))
})
