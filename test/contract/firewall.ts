/** The promises of every {@link Firewall}, tested by who reaches what. Run for each implementation. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Grant, grantId, type Opening } from '../../src/access/grant.ts'
import type { StanzaId } from '../../src/access/stanza.ts'
import type { StanzaName } from '../../src/access/stanza-name.ts'
import type { Firewall } from '../../src/firewall/firewall.ts'
import type { IpAddress } from '../../src/packet/address.ts'
import type { Protocol, Username } from '../../src/packet/message.ts'
import { type Port, seconds } from '../../src/units.ts'

/** An implementation with services behind it. */
export interface FirewallUnderTest extends AsyncDisposable {
  /** Installed, with nothing open. */
  readonly firewall: Firewall
  /** Grants are for this address … */
  readonly source: IpAddress
  /** … and never for this one. */
  readonly stranger: IpAddress
  /** Ports of services on the server. `public` is a port of ghost services; it is shut too, unless granted. */
  readonly ports: { readonly service: Port; readonly other: Port; readonly public: Port }
  /** The port whose service answers a new connection from `from` to `port`; `shut` if none does. */
  reach(from: IpAddress, port: Port): Promise<Port | 'shut'>
  /** Opens a TCP connection and keeps it. Absent where nothing carries one. */
  connect?(from: IpAddress, port: Port): Promise<Kept>
  /** Lets time pass, also for grants. */
  elapse(milliseconds: number): Promise<void>
}

/** A connection that a client holds. */
export interface Kept {
  /** Whether a line sent comes back. */
  echoes(timeoutMs?: number): Promise<boolean>
  /** Resolves to how long it took until the client knew its end, in milliseconds; undefined if it does not know it. */
  ended(withinMs: number): Promise<number | undefined>
}

export interface ContractOptions {
  readonly skip?: string | false
  readonly protocol?: Protocol
}

/** @param make called for each test; `maxGrants` is how many doors it has room for. */
export function firewallContract(
  name: string,
  make: (options: { readonly maxGrants: number }) => Promise<FirewallUnderTest>,
  { skip = false, protocol = 'tcp' }: ContractOptions = {},
): void {
  const access = (port: Port): Opening => ({ kind: 'access', protocol, port })
  const ghost = (publicPort: Port, localPort: Port): Opening => ({ kind: 'ghost', protocol, publicPort, localPort })

  describe(`firewall contract: ${name}`, { skip }, () => {
    const law = (promise: string, check: (it: FirewallUnderTest) => Promise<void>, maxGrants = 100): void => {
      test(promise, async () => {
        await using it = await make({ maxGrants })
        await check(it)
      })
    }

    /** A host that is very busy may shut some moments late: iptables by a program that it has to start. */
    const shutSoon = async (it: FirewallUnderTest): Promise<void> => {
      for (let i = 0; i < 5 && (await it.reach(it.source, it.ports.service)) !== 'shut'; i++) await it.elapse(100)
      assert.equal(await it.reach(it.source, it.ports.service), 'shut')
    }

    law('a grant opens its port for its source and for nobody else', async (it) => {
      const { service } = it.ports
      assert.equal(await it.reach(it.source, service), 'shut')
      await granted(it, grantFor(it.source, [access(service)]))
      assert.equal(await it.reach(it.source, service), service)
      assert.equal(await it.reach(it.stranger, service), 'shut')
    })

    law('one grant may open several ports', async (it) => {
      const { service, other } = it.ports
      await granted(it, grantFor(it.source, [access(service), access(other)]))
      assert.equal(await it.reach(it.source, service), service)
      assert.equal(await it.reach(it.source, other), other)
    })

    law('a ghost shows the service at the public port, while the port of the service stays shut', async (it) => {
      const { service, public: shown } = it.ports
      await granted(it, grantFor(it.source, [ghost(shown, service)]))
      assert.equal(await it.reach(it.source, shown), service)
      assert.equal(await it.reach(it.source, service), 'shut')
      assert.notEqual(await it.reach(it.stranger, shown), service)
    })

    law('a grant ends at the end of its lifetime', async (it) => {
      await granted(it, grantFor(it.source, [access(it.ports.service)], 2))
      assert.equal(await it.reach(it.source, it.ports.service), it.ports.service)
      await it.elapse(2_050)
      await shutSoon(it)
      assert.deepEqual(await live(it), [])
    })

    law('opening an open grant is one grant, whose lifetime starts anew', async (it) => {
      const grant = grantFor(it.source, [access(it.ports.service)], 4)
      await granted(it, grant)
      await it.elapse(2_100)
      await granted(it, grant, grant)
      assert.equal((await live(it)).length, 1)
      await it.elapse(2_100)
      assert.equal(await it.reach(it.source, it.ports.service), it.ports.service)
      await it.elapse(2_100)
      await shutSoon(it)
    })

    law('opening a grant again, for less time, does not make it end sooner', async (it) => {
      await granted(it, grantFor(it.source, [access(it.ports.service)], 60))
      await granted(it, grantFor(it.source, [access(it.ports.service)], 1))
      await it.elapse(1_100)
      assert.equal(await it.reach(it.source, it.ports.service), it.ports.service)
      assert.ok(((await live(it))[0]?.remaining ?? 0) > 50_000)
    })

    law('a revoked grant is shut at once; one that nobody knows is no error', async (it) => {
      const grant = grantFor(it.source, [access(it.ports.service), ghost(it.ports.public, it.ports.service)])
      await granted(it, grant)
      assert.equal(await it.reach(it.source, it.ports.public), it.ports.service)
      assert.deepEqual(await it.firewall.revoke([grant.id]), { ok: true, value: undefined })
      assert.equal(await it.reach(it.source, it.ports.service), 'shut')
      assert.notEqual(await it.reach(it.source, it.ports.public), it.ports.service)
      assert.deepEqual(await live(it), [])
      assert.deepEqual(await it.firewall.revoke([grant.id]), { ok: true, value: undefined })
    })

    law(
      'grants that are revoked together end together, and a port that another one holds open stays open',
      async (it) => {
        const { service, other } = it.ports
        const [one, two] = [grantFor(it.source, [access(service)]), grantFor(it.source, [access(other)])]
        const both = grantFor(it.source, [access(service), access(other)])
        await granted(it, one, two, both)
        const unknown = grantFor(it.stranger, [access(service)])
        assert.ok((await it.firewall.revoke([one.id, unknown.id, two.id])).ok)
        assert.deepEqual(
          (await live(it)).map(({ grant }) => grant.id),
          [both.id],
        )
        assert.equal(await it.reach(it.source, service), service)
        assert.ok((await it.firewall.revoke([one.id, both.id, both.id])).ok)
        for (const port of [service, other]) assert.equal(await it.reach(it.source, port), 'shut')
      },
    )

    law(
      'what a grant let in ends at once and its client knows it, also after the grant; others live on',
      async (it) => {
        const { service, other, public: shown } = it.ports
        const [connect, grant] = [it.connect, grantFor(it.source, [access(service), ghost(shown, other)], 2)]
        if (connect === undefined || protocol !== 'tcp') return
        const neighbour = grantFor(it.stranger, [access(service)])
        const own = grantFor(it.source, [access(other)])
        await granted(it, grant, neighbour, own)
        const mine = [await connect(it.source, service), await connect(it.source, shown)]
        const theirs = [await connect(it.stranger, service), await connect(it.source, other)]
        for (const one of [...mine, ...theirs]) assert.equal(await one.echoes(), true)
        await it.elapse(2_100)
        for (const one of mine) assert.equal(await one.echoes(), true, 'a connection outlives its grant')
        const ended = await it.firewall.endConnections({ by: [{ grant }], others: [{ grant: own }] })
        assert.deepEqual(ended, { ok: true, value: { connections: 2, shared: 0, sharedWith: [] } })
        for (const one of mine) assert.ok(((await one.ended(1_000)) ?? 9_999) <= 1_000, 'the client was told')
        for (const one of theirs) assert.equal(await one.echoes(), true, 'other connections live on')
        const again = await it.firewall.endConnections({ by: [{ grant }] })
        assert.ok(again.ok && again.value.connections === 0)
      },
    )

    law('a port that two grants hold open stays open for the longer one', async (it) => {
      const { service, other } = it.ports
      const both = grantFor(it.source, [access(service), access(other)], 60)
      const one = grantFor(it.source, [access(service)], 1)
      await granted(it, both, one)
      await it.elapse(1_100)
      assert.equal(await it.reach(it.source, service), service)
      await granted(it, grantFor(it.source, [access(service)], 30))
      await it.firewall.revoke([both.id])
      assert.equal(await it.reach(it.source, service), service)
      assert.equal(await it.reach(it.source, other), 'shut')
      assert.deepEqual(
        (await live(it)).map(({ grant }) => grant.id),
        [one.id],
      )
    })

    law(
      'a public port of one source leads to one place: what contradicts is refused, not its neighbours',
      async (it) => {
        const { service, other, public: shown } = it.ports
        await granted(it, grantFor(it.source, [ghost(shown, service)]))
        const results = await it.firewall.open([
          grantFor(it.source, [access(other)]),
          grantFor(it.source, [ghost(shown, other), access(service)]),
          grantFor(it.stranger, [ghost(shown, other)]),
        ])
        assert.deepEqual(results.map(codeOf), ['ok', 'FIREWALL_REFUSED', 'ok'])
        assert.equal(await it.reach(it.source, shown), service)
        assert.equal(await it.reach(it.source, other), other)
        assert.equal(await it.reach(it.source, service), 'shut', 'the refused grant is not half open')
        assert.equal(await it.reach(it.stranger, shown), other)
      },
    )

    law('what a source asks for itself ends what others asked for in its name, and never the reverse', async (it) => {
      const { service, other, public: shown } = it.ports
      const others = grantFor(it.source, [ghost(shown, other), access(other)], 60)
      const own = grantFor(it.source, [ghost(shown, service)], 30, true)
      await granted(it, others)
      assert.deepEqual(await it.firewall.open([own]), [{ ok: true, value: { ended: [others] } }])
      assert.equal(await it.reach(it.source, shown), service)
      assert.equal(await it.reach(it.source, other), 'shut', 'the other grant ended whole')
      assert.deepEqual(
        (await live(it)).map(({ grant }) => grant),
        [own],
      )
      assert.deepEqual((await it.firewall.open([others])).map(codeOf), ['FIREWALL_REFUSED'])
      const again = grantFor(it.source, [ghost(shown, other)], 30, true)
      assert.deepEqual((await it.firewall.open([again])).map(codeOf), ['FIREWALL_REFUSED'])
      assert.equal(await it.reach(it.source, shown), service)
    })

    law(
      'beyond its capacity it refuses whole grants, and has room again when others end',
      async (it) => {
        const { service, other, public: shown } = it.ports
        const first = grantFor(it.source, [access(service)], 2)
        await granted(it, first)
        const results = await it.firewall.open([
          grantFor(it.source, [access(other), access(shown)]),
          grantFor(it.stranger, [access(other)], 2),
          grantFor(it.source, [access(other)]),
          first,
        ])
        assert.deepEqual(results.map(codeOf), ['FIREWALL_FULL', 'ok', 'FIREWALL_FULL', 'ok'])
        assert.equal(await it.reach(it.source, other), 'shut')
        assert.equal(await it.reach(it.stranger, other), other)
        assert.equal(await it.reach(it.source, service), service)
        // The kernel takes up to a second to make room after a grant has ended.
        await it.elapse(3_500)
        await granted(it, grantFor(it.source, [access(other), access(shown)]))
        assert.equal(await it.reach(it.source, other), other)
      },
      2,
    )

    law(
      'where no place is left, the stanza that holds most makes room, and who asks for the own address displaces others',
      async (it) => {
        const { service, other, public: shown } = it.ports
        const of = (grant: Grant, stanza: number): Grant => ({ ...grant, stanza: stanza as StanzaId })
        const short = grantFor(it.stranger, [access(other)], 20)
        const long = [grantFor(it.stranger, [access(service)], 60), grantFor(it.stranger, [access(shown)], 60)]
        await granted(it, ...long, short)
        assert.deepEqual((await it.firewall.open([grantFor(it.source, [access(other)])])).map(codeOf), [
          'FIREWALL_FULL',
        ])
        const own = of(grantFor(it.source, [access(service)]), 4)
        assert.deepEqual(await it.firewall.open([own]), [{ ok: true, value: { displaced: [short] } }])
        assert.equal(await it.reach(it.source, service), service)
        assert.equal(await it.reach(it.stranger, other), 'shut')
        // Otherwise it would have as many as the other.
        const second = of(grantFor(it.source, [access(other)]), 4)
        assert.deepEqual((await it.firewall.open([second])).map(codeOf), ['FIREWALL_FULL'])
        const firstHand = grantFor(it.source, [access(other)], 30, true)
        assert.deepEqual((await it.firewall.open([firstHand])).map(codeOf), ['ok'])
        assert.equal(await it.reach(it.source, other), other)
        assert.equal(await it.reach(it.source, service), service, 'the stanza with fewer keeps what it has')
        assert.equal((await live(it)).length, 3)
      },
      3,
    )

    law('the same openings in another order, or twice, are the same grant', async (it) => {
      const [one, two] = [access(it.ports.service), access(it.ports.other)]
      for (const openings of [
        [one, two],
        [two, one],
        [two, one, two],
      ])
        assert.deepEqual((await it.firewall.open([grantFor(it.source, openings)])).map(codeOf), ['ok'])
      assert.equal((await live(it)).length, 1)
      await it.firewall.revoke([grantFor(it.source, [two, one]).id])
      assert.equal(await it.reach(it.source, it.ports.service), 'shut')
    })

    law('what is open can be read back: who, what, how long', async (it) => {
      const grants = [
        grantFor(it.source, [access(it.ports.service), ghost(it.ports.public, it.ports.other)], 40),
        { ...grantFor(it.stranger, [access(it.ports.other)], 20), stanzaName: 'bob-laptop' as StanzaName },
      ]
      await granted(it, ...grants)
      const found = await live(it)
      assert.deepEqual(
        found.map(({ grant }) => grant).toSorted((a, b) => b.lifetime - a.lifetime),
        grants,
      )
      for (const { grant, remaining } of found) {
        assert.ok(remaining <= grant.lifetime * 1000 && remaining > grant.lifetime * 1000 - 5_000)
      }
    })

    law('to install again keeps what is open', async (it) => {
      await granted(it, grantFor(it.source, [access(it.ports.service)]))
      assert.deepEqual(await it.firewall.install(), { ok: true, value: undefined })
      assert.equal(await it.reach(it.source, it.ports.service), it.ports.service)
      assert.equal((await live(it)).length, 1)
    })

    law('the first start finds no grants, and the host can be judged', async (it) => {
      assert.deepEqual(it.firewall.kept(), { grants: [], lost: 0 })
      const ports = [{ protocol, port: it.ports.service }]
      const found = await it.firewall.hostFindings({ ports, forwarding: false })
      assert.ok(found.ok, JSON.stringify(found))
      for (const { level, text } of found.value) assert.ok(text !== '' && ['info', 'warning'].includes(level))
    })

    law('to watch what is installed changes nothing that is open, and nobody is told of it', async (it) => {
      const told: unknown[] = []
      const grant = grantFor(it.source, [access(it.ports.service)])
      await granted(it, grant)
      const listeners = { onMended: (mended: unknown) => told.push(mended), onHostChange: () => told.push('host') }
      assert.deepEqual(it.firewall.watch(listeners), { ok: true, value: undefined })
      await granted(it, grantFor(it.source, [access(it.ports.other)]))
      assert.equal(await it.reach(it.source, it.ports.service), it.ports.service)
      assert.equal(await it.reach(it.source, it.ports.other), it.ports.other)
      assert.deepEqual(told, [])
    })

    law('what was installed is in place, until it is closed', async (it) => {
      assert.equal(await it.firewall.isInPlace(), true)
      await granted(it, grantFor(it.source, [access(it.ports.service)]))
      assert.equal(await it.firewall.isInPlace(), true)
      await it.firewall.close()
      assert.equal(await it.firewall.isInPlace(), false)
    })

    law('who carries connections counts them', async (it) => {
      const load = it.firewall.load()
      if (load === undefined) return
      assert.deepEqual([load.granted, load.strangers], [0, 0])
      assert.ok(load.limits.connections > 0)
      assert.deepEqual(load.refused, { granted: 0, strangers: 0 })
    })

    law('to open nothing is no error', async (it) => {
      assert.deepEqual(await it.firewall.open([]), [])
    })
  })
}

/** A grant as policy makes it. `lifetime` in seconds. */
export function grantFor(source: IpAddress, openings: readonly Opening[], lifetime = 30, firstHand = false): Grant {
  return {
    id: grantId(source, openings),
    stanza: 3 as StanzaId,
    source,
    firstHand,
    openings,
    lifetime: seconds(lifetime),
    username: "o'al ice" as Username,
  }
}

export async function granted(it: Pick<FirewallUnderTest, 'firewall'>, ...grants: readonly Grant[]): Promise<void> {
  assert.deepEqual(
    await it.firewall.open(grants),
    grants.map(() => ({ ok: true, value: undefined })),
  )
}

export async function live(it: Pick<FirewallUnderTest, 'firewall'>) {
  const grants = await it.firewall.grants()
  assert.ok(grants.ok)
  return grants.value
}

function codeOf(result: Awaited<ReturnType<Firewall['open']>>[number]): string {
  return result.ok ? 'ok' : result.failure.code
}
