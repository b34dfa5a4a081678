/** A program: logs in to the forms of one state folder with each code at once. Prints the codes that were accepted. */
import { setTimeout as delay } from 'node:timers/promises'
import { systemClock } from '../../src/clock.ts'
import { FormLogin } from '../../src/gateway/forms/login.ts'
import { LoginTries } from '../../src/gateway/forms/login-tries.ts'
import { FormUserFile } from '../../src/gateway/forms/user-file.ts'
import type { IpAddress } from '../../src/packet/address.ts'
import { StateFolder } from '../../src/system/state-folder.ts'

const [folder = '', at = '', password = '', ...codes] = process.argv.slice(2)
const state = StateFolder.open(folder, undefined)
if (!state.ok) throw new Error(state.failure.detail)
const tries = LoginTries.open(state.value)
if (!tries.ok) throw new Error(tries.failure.detail)
const login = new FormLogin(new FormUserFile(state.value), tries.value, systemClock)
// All programs begin at once.
await delay(Number(at) - Date.now())
const accepted = await Promise.all(
  codes.map(async (code, i) => {
    const who = await login.try({ name: 'ada', password, code }, `192.0.2.${i}` as IpAddress)
    return who === undefined ? [] : [code]
  }),
)
process.stdout.write(`${accepted.flat().join(' ')}\n`)
