/** Whether systemd is the service manager of this host: sd_booted(3). */
import { existsSync } from 'node:fs'

/** A folder that exists on each host that systemd has booted. */
export const SYSTEMD_FOLDER = '/run/systemd/system'

export function systemdRuns(): boolean {
  return existsSync(SYSTEMD_FOLDER)
}
