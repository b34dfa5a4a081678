/** Whether the ssh server talks to this host, or has locked it out for connecting too often. */
import { formatHostPort } from '../../../packet/address.ts'
import { defineCheck, ifKnown, judged, notChecked } from '../check.ts'

/** What sshd says to a source that it has locked out (OpenSSH 9.8 and newer). */
const LOCKED_OUT = /^Not allowed at this time/

export const sshPenalties = defineCheck({
  code: 'SSH_PENALTIES',
  side: 'server',
  question: 'Does the ssh server talk to this host?',
  needs: ['sshGreeting'],
  judge: ({ sshGreeting }) =>
    ifKnown(sshGreeting, (greeting) => {
      if (greeting === undefined) return notChecked('no ssh server listens on this host')
      const { address, port, line, penalties } = greeting
      const where = formatHostPort(address, port)
      if (LOCKED_OUT.test(line))
        return judged(
          [
            {
              severity: 'error',
              text: 'the ssh server has locked this address out for a while, because it connected too often without a login',
              evidence: [
                `${where} says: ${line}`,
                ...(penalties.known && penalties.value ? [`PerSourcePenalties ${penalties.value}`] : []),
              ],
              cure: {
                advice:
                  'wait a minute, and stop what connects so often (a monitor, a scan, a loop). An address that must connect often belongs in PerSourcePenaltyExemptList of sshd_config',
              },
            },
          ],
          '',
        )
      if (!line.startsWith('SSH-')) return notChecked(`what listens on ${where} is no ssh server: ${line}`)
      const limits = !penalties.known
        ? 'its settings cannot be read'
        : penalties.value === undefined || penalties.value === 'no'
          ? 'it locks nobody out for connecting often'
          : 'it locks out who connects some 18 times quickly without a login'
      return judged([], `${where} says ${line}; ${limits}`)
    }),
})
