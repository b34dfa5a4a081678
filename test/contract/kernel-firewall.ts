/**
 * The promises of every {@link KernelFirewall} besides `firewall.ts`: what it installs outlives its process, is
 * restored when others change it, and can be removed.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { CoexistenceMode } from '../../src/config/server/firewall-settings.ts'
import type { KernelFirewall, Mended } from '../../src/firewall/firewall.ts'
import { type FirewallUnderTest, granted, grantFor, live } from './firewall.ts'

/** A host without ghostport, and firewalls for it. */
export interface KernelUnderTest extends Omit<FirewallUnderTest, 'firewall' | 'elapse'> {
  readonly mode: CoexistenceMode | { readonly kind: 'chains' }
  /** A new one each time, as in a new process. Not installed. */
  make(): KernelFirewall
  /** Changes what is installed, as another program may: at least one rule is gone then. */
  damage(): void
  /** Changes a rule of the host that is not ghostport's. */
  changeHost(): void
  /** Puts an object of another program where ours would be. */
  occupy(): void
}

/** How long a change by another program may stay unnoticed. In milliseconds. */
const HEARD_WITHIN = 10_000

export function kernelFirewallContract(
  name: string,
  prepare: () => Promise<KernelUnderTest>,
  { skip = false }: { readonly skip?: string | false } = {},
): void {
  describe(`kernel firewall contract: ${name}`, { skip }, () => {
    const law = (promise: string, check: (it: KernelUnderTest, make: () => KernelFirewall) => Promise<void>): void => {
      test(promise, async () => {
        await using it = await prepare()
        const made: KernelFirewall[] = []
        try {
          await check(it, () => {
            const firewall = it.make()
            made.push(firewall)
            return firewall
          })
        } finally {
          for (const firewall of made) await firewall.close()
        }
      })
    }

    law('a grant outlives the one that opened it, and the next one finds it', async (it, make) => {
      const grant = grantFor(it.source, [{ kind: 'access', protocol: 'tcp', port: it.ports.service }], 40)
      const first = make()
      await done(first.install())
      await granted({ firewall: first }, grant)
      await first.close()
      assert.equal(await it.reach(it.source, it.ports.service), it.ports.service)
      const second = make()
      await done(second.install())
      const { grants, lost } = second.kept()
      assert.equal(lost, 0)
      assert.deepEqual(
        grants.map((kept) => kept.grant),
        [grant],
      )
      const [remaining = 0] = grants.map((kept) => kept.remaining)
      assert.ok(remaining > 30_000 && remaining <= 40_000, `${remaining} ms`)
      assert.equal(await it.reach(it.source, it.ports.service), it.ports.service)
      assert.equal(await it.reach(it.stranger, it.ports.service), 'shut')
    })

    law('what is installed can be read back, also by one that did not install it', async (it, make) => {
      assert.deepEqual(await make().installed(), { ok: true, value: { kind: 'absent' } })
      await done(make().install())
      assert.deepEqual(await make().installed(), { ok: true, value: it.mode })
      assert.deepEqual(await make().foreignChain(), { ok: true, value: undefined })
      assert.deepEqual(await make().lookAlikes(), { ok: true, value: [] })
    })

    law('an administrator can see the rules, ours and all', async (it, make) => {
      assert.deepEqual(await make().listing('ours'), { ok: true, value: '' })
      const firewall = make()
      await done(firewall.install())
      await granted({ firewall }, grantFor(it.source, [{ kind: 'access', protocol: 'tcp', port: it.ports.service }]))
      for (const which of ['ours', 'all'] as const) {
        const listed = await make().listing(which)
        assert.ok(listed.ok && listed.value.includes(it.source), JSON.stringify(listed))
      }
    })

    law('uninstalling leaves nothing of it, and twice is once', async (it, make) => {
      const firewall = make()
      await done(firewall.install())
      await granted({ firewall }, grantFor(it.source, [{ kind: 'access', protocol: 'tcp', port: it.ports.service }]))
      for (const one of [firewall, make()]) await done(one.uninstall())
      assert.deepEqual(await make().installed(), { ok: true, value: { kind: 'absent' } })
      assert.deepEqual(await live({ firewall: make() }), [])
      const left = await make().afterRemoval([{ protocol: 'tcp', port: it.ports.service }])
      assert.ok(left.ok && left.value.length > 0)
      const open = (await it.reach(it.stranger, it.ports.service)) === it.ports.service
      assert.ok(
        left.value.every(({ state }) => (open ? state !== 'shut' : state !== 'open')),
        JSON.stringify(left.value),
      )
    })

    law('what another program removes is put back at once, with every grant', async (it, make) => {
      const firewall = make()
      await done(firewall.install())
      await granted({ firewall }, grantFor(it.source, [{ kind: 'access', protocol: 'tcp', port: it.ports.service }]))
      const mended = heard<Mended>((onMended) => firewall.watch({ onMended }))
      it.damage()
      const { grants, outcome, took } = await mended
      assert.deepEqual([grants, outcome], [1, { ok: true, value: undefined }])
      assert.ok(took >= 0)
      assert.deepEqual(await make().installed(), { ok: true, value: it.mode })
      assert.equal(await it.reach(it.source, it.ports.service), it.ports.service)
      assert.equal(await it.reach(it.stranger, it.ports.service), 'shut')
    })

    law('it never says that its rules are there when they are not', async (it, make) => {
      const firewall = make()
      assert.equal(await firewall.isInPlace(), false, 'before it is installed')
      await done(firewall.install())
      await granted({ firewall }, grantFor(it.source, [{ kind: 'access', protocol: 'tcp', port: it.ports.service }]))
      it.damage()
      // Nobody repairs it, unless this question does.
      if (!(await firewall.isInPlace())) return
      assert.equal(await it.reach(it.source, it.ports.service), it.ports.service)
      assert.equal(await it.reach(it.stranger, it.ports.service), 'shut')
    })

    law('a change of other rules of the host is told of', async (it, make) => {
      const firewall = make()
      await done(firewall.install())
      const mends: Mended[] = []
      const changed = heard<void>((onHostChange) =>
        firewall.watch({ onMended: (mended) => mends.push(mended), onHostChange }),
      )
      it.changeHost()
      await changed
      assert.deepEqual(mends, [])
    })

    law('what another program has where ours would be is told of', async (it, make) => {
      it.occupy()
      const foreign = await make().foreignChain()
      assert.ok(foreign.ok && typeof foreign.value === 'string', JSON.stringify(foreign))
    })
  })
}

async function done(doing: Promise<{ readonly ok: boolean }>): Promise<void> {
  assert.deepEqual(await doing, { ok: true, value: undefined })
}

/** The first event that a listener gets. */
async function heard<T>(listen: (tell: (what: T) => void) => { readonly ok: boolean }): Promise<T> {
  const told = new Promise<{ readonly what: T }>((resolve) => {
    assert.ok(listen((what) => resolve({ what })).ok)
  })
  const first = await Promise.race([told, delay(HEARD_WITHIN, undefined, { ref: false })])
  assert.ok(first !== undefined, `nothing was heard within ${HEARD_WITHIN} ms`)
  return first.what
}
