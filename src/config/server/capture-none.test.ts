/** CAPTURE none: a server that captures nothing has a cluster, and nothing else to capture. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseFwknopdConf } from './parse-fwknopd-conf.ts'

const CLUSTER = 'CLUSTER etcd://127.0.0.1/front;\nCLUSTER_NODE web-1;\n'
const SECRET = 'CLUSTER_SECRET_FILE /etc/fwknop/secret;\n'

describe('CAPTURE none', () => {
  it('captures nothing, and says what has no effect', () => {
    const read = parseFwknopdConf('/f', `${CLUSTER}${SECRET}CAPTURE none;\nPCAP_INTF eth0;\n`)
    assert.ok(read.ok)
    assert.deepEqual(read.value.config.captures, [])
    assert.ok(read.value.notices.some(({ text }) => /PCAP_INTF has no effect: nothing is captured/.test(text)))
  })

  for (const [what, text, line] of [
    ['without a cluster', 'CAPTURE none;\n', 1],
    ['without a secret', `${CLUSTER}CAPTURE none;\n`, 3],
    ['with another way', `${CLUSTER}${SECRET}CAPTURE none, udp;\n`, 4],
    ['with a TCP server', `${CLUSTER}${SECRET}CAPTURE none;\nENABLE_TCP_SERVER Y;\n`, 4],
  ] as const)
    it(`is refused ${what}`, () => {
      const read = parseFwknopdConf('/f', text)
      assert.ok(!read.ok)
      assert.deepEqual([read.failure.code, read.failure.at?.line], ['CONFIG_CONFLICT', line], read.failure.detail)
    })
})
