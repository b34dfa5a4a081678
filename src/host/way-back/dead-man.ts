/**
 * The dead-man switch: who takes the changes back if nobody confirms them. There are three, so that no single accident
 * locks an administrator out:
 *
 * - a timer file with an absolute end (`OnCalendar=`). It keeps its time through `systemctl daemon-reload` and a closed
 *   terminal. `OnActiveSec=` in the same timer helps if the clock is set back meanwhile;
 * - a service that runs at boot, before the network, while the changes are not confirmed: with any clock;
 * - the program that made the changes, while it runs.
 *
 * A transient timer would not do: it is gone after a reboot, and starts anew at each daemon-reload.
 */
import type { Seconds, UnixSeconds } from '../../units.ts'
import { WAY_BACK_UNITS } from './units.ts'

/** Unit name → text. */
export type UnitTexts = Readonly<Record<(typeof WAY_BACK_UNITS)[keyof typeof WAY_BACK_UNITS], string>>

export interface DeadManPlan {
  /** When the changes are taken back. */
  readonly end: UnixSeconds
  /** The same, counted from when the timer starts. */
  readonly within: Seconds
  /** The script of inverse.ts. */
  readonly script: string
  /** Exists while the changes are not confirmed. */
  readonly pending: string
}

/** Longer than the steps take on a slow host, such as a ufw that waits for a lock. In seconds. */
const ONE_TRY = 300
/** Between two tries, in seconds. */
const PAUSE = 15

/** @returns the three units. */
export function deadManUnits({ end, within, script, pending }: DeadManPlan): UnitTexts {
  return {
    [WAY_BACK_UNITS.service]: `# Takes back what ghostport changed on this host, if nobody confirmed it.
[Unit]
Description=ghostport: take back what was not confirmed
DefaultDependencies=no
ConditionPathExists=${pending}
# It tries again until all is taken back: each step may be done twice.
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart=/bin/sh ${script}
TimeoutStartSec=${ONE_TRY}
Restart=on-failure
RestartSec=${PAUSE}
`,
    [WAY_BACK_UNITS.timer]: `# Until when what ghostport changed has to be confirmed.
[Unit]
Description=ghostport: when the changes are taken back

[Timer]
OnCalendar=${calendar(end)}
# If the clock is set back meanwhile.
OnActiveSec=${within}s
AccuracySec=1s
Unit=${WAY_BACK_UNITS.service}
`,
    [WAY_BACK_UNITS.boot]: `# Takes back, before the network is up, what was not confirmed before the reboot.
[Unit]
Description=ghostport: take back at boot what was not confirmed
DefaultDependencies=no
After=local-fs.target
Before=network-pre.target ghostport.service ghostport-gate.service ghostport-policy.service shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target
ConditionPathExists=${pending}
# The network does not wait for more than one try.
OnFailure=${WAY_BACK_UNITS.service}

[Service]
Type=oneshot
ExecStart=/bin/sh ${script}
TimeoutStartSec=60

[Install]
WantedBy=sysinit.target
`,
  }
}

/** A moment as `OnCalendar=` takes it: systemd.time(7). */
export function calendar(moment: UnixSeconds): string {
  return `${new Date(moment * 1000).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}
