/** Whether the clock of this host is right: a packet that is dated too far off is refused. */
import { type Cure, defineCheck, ifKnown, judged, notChecked } from '../check.ts'
import { mendedBy } from '../safe-cures.ts'

export const clock = defineCheck({
  code: 'CLOCK',
  side: 'host',
  question: 'Does a program keep the clock right?',
  needs: ['clock', 'units', 'distribution'],
  judge: ({ clock: found, units, distribution }) =>
    ifKnown(found, ({ synchronised, largestError }) => {
      const state = units.known ? units.value.get('systemd-timesyncd.service') : undefined
      const debian = distribution.known && [distribution.value.id, ...distribution.value.like].includes('debian')
      const cure: Cure =
        state?.load === 'loaded'
          ? mendedBy('ask time servers')
          : debian
            ? { command: 'apt-get install -y systemd-timesyncd && timedatectl set-ntp true' }
            : { advice: 'install a program that asks time servers, such as chrony' }
      const seconds = largestError >= 0.1 ? largestError.toFixed(1) : largestError.toFixed(3)
      return judged(
        synchronised
          ? []
          : [
              {
                severity: 'warning',
                text: 'no program keeps the clock of this host right, and a knock that is dated wrong is refused',
                evidence: [
                  'the kernel says that its clock is not synchronised',
                  ...(state === undefined ? [] : [`systemd-timesyncd is ${state.active}`]),
                ],
                cure,
              },
            ],
        `synchronised; it may be wrong by ${seconds} s at most`,
      )
    }),
})

export const clockBattery = defineCheck({
  code: 'CLOCK_BATTERY',
  side: 'host',
  question: 'Does a clock run while the host is off?',
  needs: ['hardwareClock'],
  judge: ({ hardwareClock }) =>
    ifKnown(hardwareClock, ({ clocks }) =>
      judged(
        clocks.length > 0
          ? []
          : [
              {
                severity: 'hint',
                text: 'this host has no clock that runs while it is off: after a boot, knocks are refused until a time server was asked',
                evidence: ['/sys/class/rtc is empty'],
                cure: { advice: 'have the time servers reachable without a knock, and keep the host on' },
              },
            ],
        clocks.join(', '),
      ),
    ),
})

/** The server sees it; a client cannot, since a server never answers. */
export const peerClock = defineCheck({
  code: 'PEER_CLOCK',
  side: 'server',
  question: 'Do the clocks of the clients agree with this one?',
  needs: ['status'],
  judge: ({ status }) =>
    ifKnown(status, (found) => {
      if (found.status === undefined) return notChecked('no server runs')
      const off = found.status.lastVerdicts.filter(({ code }) => code === 'SPA_STALE' || code === 'SPA_FROM_FUTURE')
      const granted = found.status.lastVerdicts.filter(({ verdict }) => verdict === 'granted').length
      if (off.length === 0 && granted === 0) return notChecked('no client has knocked since the server started')
      return judged(
        off.length === 0
          ? []
          : [
              {
                severity: 'warning',
                text: `${off.length} of the last knocks were dated too far from the clock of this host`,
                evidence: off
                  .slice(0, 3)
                  .map(
                    ({ time, source, code, detail }) =>
                      `${String(time)} ${String(source)} ${String(code)}: ${String(detail)}`,
                  ),
                cure: {
                  advice:
                    'run “ghostport doctor --client --only CLOCK” on the clients, and mend the clock that is wrong',
                },
              },
            ],
        `the last ${granted} knocks were dated right`,
      )
    }),
})

export const serverClock = defineCheck({
  code: 'SERVER_CLOCK',
  side: 'client',
  question: 'Does the clock of the server agree with this one?',
  needs: [],
  judge: () =>
    notChecked(
      'a server never answers a knock. On the server, “ghostport doctor --only PEER_CLOCK” compares the clocks',
    ),
})
