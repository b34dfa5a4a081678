/** Every view of the page, and how to get there: for pictures, and for tests that look at all of them. */
import type { Page } from 'playwright-core'
import { add, addPasted, profileLine, receiptFor, start, unfold } from './on-the-page.ts'
import type { PageServer } from './page-server.ts'

export interface View {
  readonly name: string
  /** From the view before it in the list. */
  readonly reach: (tab: Page, server: PageServer) => Promise<void>
}

const home = (tab: Page) => tab.getByRole('link', { name: 'All doors' }).click()
const accept = (tab: Page) => tab.getByRole('button', { name: 'Accept the invitation' })
const knock = (tab: Page) => tab.getByRole('button', { name: /^Open/ }).click()

export const views: readonly View[] = [
  {
    name: 'welcome',
    reach: async (tab) => void (await tab.getByRole('heading', { name: 'Knock from here' }).waitFor()),
  },
  { name: 'empty', reach: (tab) => start(tab) },
  { name: 'add', reach: (tab) => add(tab) },
  {
    name: 'add-camera',
    reach: async (tab) => {
      // A camera that shows nothing yet.
      await tab.evaluate(() => {
        navigator.mediaDevices.getUserMedia = () => new Promise(() => {})
      })
      await tab.getByRole('tab', { name: 'Camera' }).click()
      await tab.getByText('Hold the code').waitFor()
    },
  },
  { name: 'add-file', reach: async (tab) => void (await tab.getByRole('tab', { name: 'Picture or file' }).click()) },
  {
    name: 'add-wrong',
    reach: async (tab) => {
      await tab.getByRole('tab', { name: 'Paste' }).click()
      await tab.getByRole('textbox', { name: 'The profile' }).fill('ghostport://profile/1?name=office')
      await tab.getByRole('button', { name: 'Read it' }).click()
      await tab.getByText('This is not a profile').waitFor()
    },
  },
  {
    name: 'preview',
    reach: async (tab) => {
      await tab
        .getByRole('textbox', { name: 'The profile' })
        .fill(profileLine('tcp/8443,udp/51820&nat=10.0.0.5', 'workshop'))
      await tab.getByRole('button', { name: 'Read it' }).click()
      await tab.getByText('What it asks for').click()
    },
  },
  {
    name: 'door',
    reach: async (tab, server) => {
      await home(tab)
      await addPasted(tab, profileLine(), server.echo)
      await tab.getByText('2 agree').waitFor()
    },
  },
  {
    name: 'door-doubts',
    reach: async (tab, server) => {
      server.address = '104.28.12.34'
      server.clockAhead = 185
      await home(tab)
      await addPasted(tab, profileLine('tcp/443', 'intranet'))
      await tab.getByText('This looks like').waitFor()
      server.address = '198.51.100.7'
      server.clockAhead = 0
    },
  },
  {
    name: 'door-unproven',
    reach: async (tab) => {
      await home(tab)
      await tab.getByRole('link', { name: 'Open office' }).click()
      await knock(tab)
      await tab.getByText('no proof').waitFor()
      await tab.getByText('More', { exact: true }).click()
    },
  },
  {
    name: 'door-refused',
    reach: async (tab, server) => {
      server.receipt = (packet) => receiptFor(packet, { verdict: 'refused', code: 'ACCESS_PORT_DENIED' })
      await tab.getByText('More', { exact: true }).click()
      await knock(tab)
      await tab.getByText('refused it').waitFor()
    },
  },
  {
    name: 'door-open',
    reach: async (tab, server) => {
      server.receipt = (packet) => receiptFor(packet, { verdict: 'open', seconds: 300 })
      await knock(tab)
      await tab.locator('.ring').waitFor()
    },
  },
  {
    name: 'home',
    reach: async (tab) => {
      await home(tab)
      await tab.getByRole('link', { name: 'Show office' }).waitFor()
    },
  },
  {
    name: 'edit',
    reach: async (tab) => {
      await tab.getByRole('link', { name: 'Show office' }).click()
      await tab.getByRole('link', { name: 'Edit office' }).click()
      await unfold(tab, 'On this device')
      await tab.getByRole('button', { name: 'Remove this profile' }).click()
    },
  },
  {
    name: 'settings',
    reach: async (tab) => {
      await tab.getByRole('link', { name: 'Settings' }).click()
      for (const summary of await tab.locator('summary').all()) await summary.click()
    },
  },
  {
    name: 'trust',
    reach: async (tab) => {
      await tab.getByRole('link', { name: 'Who can see what' }).click()
      await tab.locator('[data-bundle]').waitFor()
    },
  },
  {
    name: 'invite',
    reach: async (tab, server) => {
      await home(tab)
      await add(tab)
      await tab.getByRole('tab', { name: 'Paste' }).click()
      const link = `${server.echo}/invite#3f9a-2c1b-7d04-e5a8-0b6c-91f3-48d2-a7e6`
      await tab.getByRole('textbox', { name: 'The profile' }).fill(link)
      await tab.getByRole('button', { name: 'Read it' }).click()
      await accept(tab).waitFor()
    },
  },
  {
    name: 'invite-offline',
    reach: async (tab, server) => {
      server.invitation = 503
      await accept(tab).click()
      await tab.getByText('It is not accepted yet').waitFor()
    },
  },
  {
    name: 'invite-waiting',
    reach: async (tab, server) => {
      server.invitation = 200
      await accept(tab).click()
      await tab.getByText(/^\d{4}-\d{4}-\d{4}-\d{4}$/).waitFor()
    },
  },
  {
    name: 'invite-ended',
    reach: async (tab, server) => {
      server.invitation = 410
      await tab.getByText('This invitation is not good any more').waitFor()
    },
  },
  {
    name: 'locked',
    reach: async (tab) => {
      await home(tab)
      await tab.getByRole('button', { name: 'Lock' }).click()
      await tab.getByRole('heading', { name: 'Locked' }).waitFor()
    },
  },
]
