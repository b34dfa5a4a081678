/** `knock()` of the library and `ghostport knock` have the same options. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { command } from '../../src/cli/knock.ts'
import { knockOptionNames } from '../../src/client/one-call.ts'

/** Options that only the command has, and why. */
const commandAlone: Readonly<Record<string, string>> = {
  test: 'sealKnock makes packets and sends none',
  json: 'the outcome is a value',
  verbose: 'the library prints nothing',
  'save-packet': 'sealKnock makes packets, and a program can write them',
  'save-packet-append': 'the same',
  'stanza-list': 'lists, and does not knock',
  stdin: 'the library reads no terminal and no standard input: askSecret',
  fd: 'the same',
  'no-save-args': 'asks for what is always so',
  'wget-cmd': 'has no effect: wget is not used',
  'use-wget-user-agent': 'the same',
}
/** Options that only the library has, and why. */
const libraryAlone: Readonly<Record<string, string>> = {
  stanza: 'the argument of the command',
  'http-proxy-password': 'all users of the host can read a command line: --http-proxy-password-file',
  askSecret: 'the command asks on the terminal',
  signal: 'the command ends by Ctrl-C',
}

describe('the options of the library and of the command', () => {
  const supported = Object.entries(command.options).flatMap(([name, { unsupported }]) =>
    unsupported === undefined ? [name] : [],
  )
  it('are the same, but for those that make sense on one side only', () => {
    const ofCommand = supported.filter((name) => !Object.hasOwn(commandAlone, name))
    const ofLibrary = knockOptionNames.filter((name) => !Object.hasOwn(libraryAlone, name))
    assert.deepEqual(ofLibrary.toSorted(), ofCommand.toSorted())
  })
  it('that are left out are options of the other side', () => {
    assert.deepEqual(
      Object.keys(commandAlone).filter((name) => !supported.includes(name)),
      [],
    )
    assert.deepEqual(
      Object.keys(libraryAlone).filter((name) => !knockOptionNames.includes(name)),
      [],
    )
  })
})
