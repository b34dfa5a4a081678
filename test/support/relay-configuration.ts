/** The files of a server with the relay, in a folder of the test. */
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * @param settings lines of fwknopd.conf, without the semicolon, beside those that choose the relay and say where files
 * are
 * @param owner the user and group to own them; default: this process's own
 * @returns the words for the command line that name the two files
 */
export function writeRelayConfiguration(
  directory: string,
  settings: readonly string[],
  access: string,
  owner?: number,
): readonly string[] {
  const at = (name: string): string => join(directory, name)
  mkdirSync(at('state'), { mode: 0o700 })
  const places = [`REPLAY_DB ${at('state/replay.db')}`, `CONTROL_SOCKET ${at('state/control.sock')}`]
  const lines = ['FIREWALL relay', 'CAPTURE udp', ...settings, ...places]
  writeFileSync(at('fwknopd.conf'), lines.map((line) => `${line};\n`).join(''))
  writeFileSync(at('access.conf'), access)
  for (const name of ['', 'state', 'fwknopd.conf', 'access.conf']) {
    chmodSync(at(name), name.includes('.') ? 0o600 : 0o700)
    if (owner !== undefined) chownSync(at(name), owner, owner)
  }
  return ['-c', at('fwknopd.conf'), '-a', at('access.conf')]
}
