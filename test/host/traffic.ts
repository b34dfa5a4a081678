/** Who gets in, on a {@link HostLab}. */
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { CLIENT, type HostLab, SERVER, STRANGER } from '../support/host-lab.ts'

/** A client without keys finds the ssh port closed, over IPv4 and IPv6. */
export async function shutToStrangers(lab: HostLab, when = '', timeoutMs = 700): Promise<void> {
  const open = await Promise.all([
    lab.ssh(SERVER.four, STRANGER.four, timeoutMs),
    lab.ssh(SERVER.six, STRANGER.six, timeoutMs),
  ])
  assert.deepEqual(open, [false, false], `open to a stranger ${when}`)
}

/** A knock opens the ssh port for its sender, over IPv4 and IPv6, and for nobody else. */
export async function opensToKnocks(lab: HostLab): Promise<void> {
  await shutToStrangers(lab, 'before a knock')
  lab.must('ghostport knock myserver --wait')
  assert.ok(await lab.ssh(), 'no ssh after a knock, over IPv4')
  lab.must(`ghostport knock myserver -D ${SERVER.six} --wait`)
  assert.ok(await lab.ssh(SERVER.six, CLIENT.six), 'no ssh after a knock, over IPv6')
  await shutToStrangers(lab, 'during a grant')
}

/**
 * @param before how often it had booted when it was rebooted.
 * @returns whether it has booted since, and ssh and ghostport run.
 */
export function isUpAgain(lab: HostLab, before: number): boolean {
  // An IPv6 address during neighbour discovery answers nobody for a second or two.
  const asked = 'systemctl is-active ghostport ssh; ip -6 address show dev host0 tentative'
  return lab.reboots > before && lab.console(asked).stdout === 'active\nactive\n'
}

/** Reboots the host, and waits until ssh and ghostport run again. */
export async function rebootAndWait(lab: HostLab): Promise<void> {
  const before = lab.reboots
  await lab.reboot()
  const deadline = performance.now() + 90_000
  while (!isUpAgain(lab, before)) {
    assert.ok(performance.now() < deadline, 'ghostport and ssh do not run after the reboot')
    await delay(100)
  }
}
