/** Packets for the nodes of a cluster, with what tells them apart: the user name, and the replay digest. */
import assert from 'node:assert/strict'
import { StanzaIndex } from '../../src/access/matching.ts'
import type { StanzaId } from '../../src/access/stanza.ts'
import { encodeText } from '../../src/bytes/text.ts'
import { parseAccessConf } from '../../src/config/access/parse-access-conf.ts'
import { filesFromSnapshot } from '../../src/config/reading/config-files.ts'
import { parseEnvelope } from '../../src/packet/envelope.ts'
import type { Username } from '../../src/packet/message.ts'
import type { OutgoingMessage } from '../../src/packet/message-fields.ts'
import { openPacket } from '../../src/packet/open.ts'
import { sealPacket } from '../../src/packet/seal.ts'
import { port, unixSeconds } from '../../src/units.ts'
import { symmetricKeys } from './symmetric-keys.ts'

export interface Sealed {
  readonly name: string
  readonly digest: string
  readonly bytes: Uint8Array
}

/** @param access the text of access.conf: its first stanza takes the packets. */
export function sealer(access: string): (number: number) => Sealed {
  const files = filesFromSnapshot({ texts: { '/access.conf': access }, folders: {}, failures: {} })
  const parsed = parseAccessConf('/access.conf', files)
  assert.ok(parsed.ok)
  const made = new StanzaIndex(parsed.value.stanzas).byId(1 as StanzaId)
  assert.ok(made)
  return (number) => {
    const name = `k${number}`
    const message = {
      ...{ kind: 'access', random: String(number).padStart(16, '0'), username: name as Username },
      ...{ timestamp: unixSeconds(Math.floor(Date.now() / 1000)), source: 'packet-source' },
      ports: [{ protocol: 'tcp', port: port(22) }],
    } as const satisfies OutgoingMessage
    const salt = new Uint8Array(8)
    new DataView(salt.buffer).setUint32(4, number)
    const text = sealPacket(message, symmetricKeys(made), { digestType: 'sha256', salt })
    assert.ok(text.ok)
    const bytes = encodeText(text.value)
    const envelope = parseEnvelope(bytes, { http: 'off' })
    assert.ok(envelope.ok)
    const opened = openPacket(envelope.value, symmetricKeys(made))
    assert.ok(opened.ok)
    return { name, digest: opened.value.digest, bytes }
  }
}
