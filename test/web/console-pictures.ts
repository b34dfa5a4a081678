/**
 * The pictures of docs/CONSOLE.md, and with a folder those of all views, in each size, light and dark. A real console
 * beside a real server, with users who knock and strangers who do not get in.
 */
import { join } from 'node:path'
import { clientAndServer, ghostportCommand, keys, SERVER, sendPacket, stanza } from '../support/daemon.ts'
import { Network } from '../support/netns.ts'
import { startChromium } from './chromium.ts'
import { ConsoleLab, logInByLink, openConsoleTab, show } from './on-the-console.ts'

/** Users, where they come from, what they may open, and for how many seconds. */
const USERS = [
  ['ada-phone', '198.51.100.23', 'tcp/22', 900],
  ['bob-laptop', '203.0.113.80', 'tcp/22,udp/51820', 3600],
  ['carol@lab', '192.0.2.41', 'tcp/443', 240],
  ['dave', '198.51.100.117', 'tcp/22', 1800],
  ['wiki-backup', '2001:db8:40::7', 'tcp/8443', 7200],
] as const
const VIEWS = [
  ['grants', 'Live grants'],
  ['stream', 'Stream of verdicts'],
  ['refusals', 'Refusals'],
  ['users', 'Users'],
  ['users/%2B', 'Add a user'],
  ['users/ada-phone', 'ada-phone'],
  ['invitations', 'Invitations'],
  ['policy', 'Effective policy'],
  ['doctor', 'Doctor'],
  ['mends', 'Mends'],
  ['history', 'History'],
  ['audit', 'Audit log'],
  ['account', 'Account'],
] as const
const SIZES = [
  [320, 640],
  [390, 844],
  [768, 1024],
  [1280, 800],
] as const

/** @param all whether of all views, in all sizes; else those of docs/CONSOLE.md. @returns their names. */
export async function takeConsolePictures(folder: string, all: boolean): Promise<readonly string[]> {
  const net = await Network.create()
  const names: string[] = []
  try {
    const [client, server] = await clientAndServer(net)
    const access = USERS.map(([name, , ports, seconds], i) =>
      stanza(
        [`NAME ${name}`, `OPEN_PORTS ${ports}`, `FW_ACCESS_TIMEOUT ${seconds}`, 'MAX_FW_TIMEOUT 14400'],
        keysOf(i),
      ),
    ).join('\n')
    await using lab = await ConsoleLab.start(net, server, { access })
    await using chromium = await startChromium(server)
    const knock = (user: number, ports: string, from: string, who: string): void => {
      client.must(ghostportCommand(...knockWords(user, ports, from, who)))
    }
    lab.addAccount('ada', 'administrator')
    for (const [user, [, from, ports]] of USERS.entries()) {
      if (user === 2) knock(2, 'tcp/22', from, 'carol')
      if (user === 3) for (let i = 0; i < 3; i++) knock(9, 'tcp/22', '198.51.100.66', 'root')
      knock(user, ports, from, ['ada', 'bob', 'carol', 'dave', 'backup'][user] ?? '')
    }
    knock(0, 'tcp/3306', '198.51.100.23', 'ada')
    const packet = packetIn(client.must(ghostportCommand(...knockWords(1, 'tcp/22', '203.0.113.80', 'bob'), '-T')))
    for (let i = 0; i < 3; i++) sendPacket(client, SERVER, packet)
    for (const [width, height] of all ? SIZES : ([[1280, 720]] as const))
      for (const dark of [false, true]) {
        const { tab, context } = await openConsoleTab(chromium.browser, { width, height, dark })
        const take = async (name: string, isWhole = all) => {
          await tab.mouse.move(0, 0)
          await tab.evaluate(() => scrollTo(0, 0))
          const path = join(folder, all ? `${name}-${width}-${dark ? 'dark' : 'light'}.png` : `${name}.png`)
          await tab.screenshot({ path, fullPage: isWhole, animations: 'disabled' })
          names.push(path.split('/').at(-1) ?? '')
        }
        if (all) {
          await tab.goto(lab.link('ada'))
          await tab.getByText('Your link is here').waitFor()
          await take('console-login')
        }
        await logInByLink(tab, lab.link('ada'))
        await tab.getByRole('row', { name: '198.51.100.23' }).waitFor()
        if (all)
          for (const [view, heading] of VIEWS) {
            await show(tab, view, heading)
            await tab.waitForTimeout(1500)
            await take(`console-${view.replace('/%2B', '-add').replace('/', '-')}`)
          }
        else {
          await take(dark ? 'console-grants-dark' : 'console-grants')
          await show(tab, 'stream', 'Stream of verdicts')
          await tab
            .getByRole('row', { name: 'allow this port' })
            .first()
            .getByRole('button', { name: 'Explain' })
            .click()
          await tab.getByRole('dialog').waitFor()
          if (dark) await take('console-explain')
          else {
            await tab.keyboard.press('Escape')
            await tab.setViewportSize({ width: 390, height: 844 })
            await show(tab, 'grants', 'Live grants')
            await take('console-phone')
            await tab.setViewportSize({ width: 1280, height: 900 })
            await show(tab, 'refusals', 'Refusals')
            await tab.getByText('By source').waitFor()
            await take('console-refusals')
          }
        }
        await context.close()
      }
  } finally {
    await net.close()
  }
  return names
}

function keysOf(user: number): { readonly key: string; readonly hmac: string } {
  return { key: `${keys.key} ${user}`, hmac: `${keys.hmac} ${user}` }
}

function knockWords(user: number, ports: string, from: string, who: string): readonly string[] {
  const { key, hmac } = keysOf(user)
  const secrets = ['--key-rijndael', key, '--key-hmac', hmac, '-U', who]
  return ['knock', '--no-rc-file', '-D', SERVER, ...secrets, '-A', ports, '-a', from]
}

/** The packet in what `-T` prints. */
function packetIn(text: string): string {
  return text.split('\n').find((line) => line.length > 140 && !line.includes(' ')) ?? ''
}
