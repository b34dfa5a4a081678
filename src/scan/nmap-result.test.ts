import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { parseScan, stateOf } from './nmap-result.ts'

/** As nmap 7.93 writes it. */
const XML = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE nmaprun>
<?xml-stylesheet href="file:///usr/bin/../share/nmap/nmap.xsl" type="text/xsl"?>
<!-- Nmap 7.93 scan initiated Thu Nov 26 04:25:37 2026 as: nmap -n -Pn -sS -p- -oX x.xml 192.0.2.10 -->
<nmaprun scanner="nmap" args="nmap -n -Pn -sS -p- -oX x.xml 192.0.2.10" start="1795667137" startstr="Thu Nov 26 04:25:37 2026" version="7.93" xmloutputversion="1.05">
<scaninfo type="syn" protocol="tcp" numservices="65535" services="1-65535"/>
<verbose level="0"/>
<debugging level="0"/>
<host starttime="1795667137" endtime="1795667137"><status state="up" reason="user-set" reason_ttl="0"/>
<address addr="192.0.2.10" addrtype="ipv4"/>
<address addr="02:00:00:00:00:01" addrtype="mac"/>
<hostnames>
<hostname name="a &lt;b&gt;" type="PTR"/>
</hostnames>
<ports><extraports state="filtered" count="65532">
<extrareasons reason="no-response" count="65532" proto="tcp" ports="1-79,81-442,444-65533"/>
</extraports>
<extraports state="closed" count="1">
<extrareasons reason="reset" count="1" proto="tcp" ports="65534"/>
</extraports>
<port protocol="tcp" portid="80"><state state="open" reason="syn-ack" reason_ttl="64"/><service name="http" method="table" conf="3"/></port>
<port protocol="tcp" portid="443"><state state='closed' reason="reset" reason_ttl="64"/></port>
</ports>
<times srtt="2" rttvar="1" to="100000"/>
</host>
<runstats><finished time="1795667137" timestr="x" summary="Nmap done at x; 1 IP address (1 host up) scanned in 0.15 seconds" elapsed="0.15" exit="success"/><hosts up="1" down="0" total="1"/>
</runstats>
</nmaprun>
`
const GREPABLE = `# Nmap 7.93 scan initiated Thu Nov 26 04:25:37 2026 as: nmap -n -Pn -p- -oG x.gnmap 2001:db8::10
Host: 2001:db8::10 ()	Status: Up
Host: 2001:db8::10 ()	Ports: 80/open/tcp//http///, 443/closed/tcp//https///	Ignored State: filtered (65533)
# Nmap done at Thu Nov 26 04:25:37 2026 -- 1 IP address (1 host up) scanned in 0.15 seconds
`
const VERBOSE = `# Nmap 7.93 scan initiated x as: nmap -v
# Ports scanned: TCP(0;) UDP(3;22-24) SCTP(0;) PROTOCOLS(0;)
Host: 192.0.2.10 ()	Status: Up
Host: 192.0.2.10 ()	Ports: 23/open|filtered/udp//telnet///	Ignored State: closed (2)
# Nmap done at x -- 1 IP address (1 host up) scanned in 2.10 seconds
`

describe('the result of a scan', () => {
  const only = (text: string) => {
    const parsed = parseScan(text)
    assert.ok(parsed.ok, parsed.ok ? '' : parsed.failure.detail)
    assert.equal(parsed.value.hosts.length, 1)
    return parsed.value.hosts[0] ?? assert.fail()
  }
  const states = (text: string, ...ports: readonly ['tcp' | 'udp', number][]) =>
    ports.map(([protocol, port]) => stateOf(only(text), protocol, port))

  test('as XML: listed ports, and the rest that nmap sums up', () => {
    assert.equal(only(XML).address, '192.0.2.10')
    assert.deepEqual(states(XML, ['tcp', 80], ['tcp', 443], ['tcp', 22], ['tcp', 65_534], ['udp', 53]), [
      'open',
      'closed',
      'filtered',
      'closed',
      undefined,
    ])
    // Older ones do not say which.
    const older = XML.replaceAll(/ proto="tcp" ports="[^"]*"/g, '').replace(
      /<extraports state="closed"[\s\S]*?<\/extraports>\n/,
      '',
    )
    assert.deepEqual(states(older, ['tcp', 22], ['tcp', 80]), ['filtered', 'open'])
    assert.equal(only(XML.replace('reason="user-set"', 'reason="localhost-response"')).fromItself, true)
  })
  test('as grepable text', () => {
    assert.equal(only(GREPABLE).address, '2001:db8::10')
    assert.deepEqual(states(GREPABLE, ['tcp', 80], ['tcp', 443], ['tcp', 22], ['udp', 53]), [
      'open',
      'closed',
      'filtered',
      undefined,
    ])
    assert.deepEqual(states(VERBOSE, ['udp', 23], ['udp', 22], ['udp', 25], ['tcp', 22]), [
      'open|filtered',
      'closed',
      undefined,
      undefined,
    ])
    // Not all ports: which ones are summed up is not said.
    assert.deepEqual(states(GREPABLE.replace('(65533)', '(998)'), ['tcp', 22]), [undefined])
  })

  for (const [what, text, detail] of [
    ['nothing', '', /neither the XML/],
    ['another text', 'hello\n', /neither the XML/],
    ['another document', '<html></html>', /no result of nmap/],
    ['a scan that was broken off', XML.replace(/<runstats>[\s\S]*<\/runstats>\n/, ''), /did not end/],
    ['one that failed', XML.replace('exit="success"', 'exit="error"'), /did not end/],
    ['one without a host', XML.replace(/<host starttime[\s\S]*<\/host>\n/, ''), /has no host/],
    ['a host that is down', XML.replace('state="up"', 'state="down"'), /has no host/],
    ['no address', XML.replace('addr="192.0.2.10" addrtype', 'addr="192.0.2.300" addrtype'), /is not an IP address/],
    ['no state', XML.replace('state="open"', 'state="ajar"'), /“ajar” is no state/],
    ['no port', XML.replace('portid="80"', 'portid="70000"'), /“70000” is no port/],
    ['ports that run backwards', XML.replace('services="1-65535"', 'services="9-1"'), /no list of ports/],
    ['tags that cross', XML.replace('</ports>', '</host>'), /not well-formed/],
    ['a grepable one that was broken off', GREPABLE.replace(/# Nmap done.*\n/, ''), /did not end/],
    [
      'a grepable one with other lines',
      GREPABLE.replace('# Nmap done', 'rm -rf /\n# Nmap done'),
      /not understood: rm -rf/,
    ],
    ['a grepable port of no kind', GREPABLE.replace('80/open/tcp', '80/open/sctp'), /not understood: 80\/open\/sctp/],
    ['a grepable state of no kind', GREPABLE.replace('filtered (65533)', 'shy (2)'), /not understood: shy/],
  ] as const)
    test(`is refused: ${what}`, () => {
      const parsed = parseScan(text)
      assert.ok(!parsed.ok)
      assert.equal(parsed.failure.code, 'SCAN_INVALID')
      assert.match(parsed.failure.detail, detail)
    })

  test('a file that is cut off anywhere is refused', () => {
    for (const text of [XML, GREPABLE])
      for (let length = 0; length < text.trimEnd().length; length++)
        assert.ok(!parseScan(text.slice(0, length)).ok, `${length}`)
  })
  test('no text makes the parser throw, nor take long', () => {
    const started = performance.now()
    const piece = fc.constantFrom(
      ...[
        '<nmaprun>',
        '</nmaprun>',
        '<host>',
        '</host>',
        '<port protocol="tcp" portid="1">',
        '</port>',
        '<!--',
        '-->',
        '<',
        '>',
        '"',
        '&',
      ],
      ...[
        '<status state="up"/>',
        '<extraports state="closed" count="1">',
        '# Nmap',
        '\t',
        '\n',
        'Host: 1.2.3.4 ()\t',
        'Ports: 1/open/tcp',
      ],
    )
    const mixed = fc.array(fc.oneof(piece, fc.string()), { maxLength: 60 }).map((parts) => parts.join(''))
    const changed = fc
      .tuple(fc.constantFrom(XML, GREPABLE), fc.nat(3000), fc.string({ maxLength: 5 }))
      .map(([text, at, put]) => text.slice(0, at) + put + text.slice(at + put.length))
    fc.assert(
      fc.property(fc.oneof(mixed, changed, fc.string()), (text) => {
        const parsed = parseScan(text)
        return parsed.ok || parsed.failure.code === 'SCAN_INVALID'
      }),
      { numRuns: 1500 },
    )
    // What regular expressions could be slow with.
    for (const text of [
      `<nmaprun${' a="b"'.repeat(50_000)}`,
      '<!--'.repeat(50_000),
      `<nmaprun>${'<a>'.repeat(50_000)}`,
    ])
      assert.ok(!parseScan(text).ok)
    assert.ok(performance.now() - started < 15_000)
  })
})
