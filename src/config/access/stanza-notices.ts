/**
 * Notices about stanzas, folded by what they say: a file of ten thousand stanzas tells a thing once, not ten thousand
 * times.
 */
import type { Stanza } from '../../access/stanza.ts'
import { describeStanza } from '../../access/stanza-name.ts'
import type { SourceLocation } from '../../result.ts'
import type { Notice } from '../reading/notice.ts'

const kinds = {
  noHmac: {
    level: 'warning',
    text: 'no HMAC key: the server decrypts packets from anybody',
  },
  forgeable: {
    level: 'warning',
    text: 'no HMAC key, and an encryption mode in which an attacker who knows one packet’s text can make others without the key',
  },
  weakHmac: { level: 'warning', text: 'HMAC_DIGEST_TYPE md5 and sha1 are for old clients only' },
  ecb: { level: 'warning', text: 'ENCRYPTION_MODE ECB shows which packets have parts in common' },
  timeoutCut: {
    level: 'warning',
    text: 'FW_ACCESS_TIMEOUT is above MAX_FW_TIMEOUT (default 300): grants end after MAX_FW_TIMEOUT. fwknopd would not shorten them',
  },
  gnupgUnused: {
    level: 'warning',
    text: 'the GPG_ settings have no effect without GPG_DECRYPT_PW, or GPG_ALLOW_NO_PW Y',
  },
  noPassphraseUnused: { level: 'info', text: 'GPG_ALLOW_NO_PW has no effect beside GPG_DECRYPT_PW' },
  signatureRequired: {
    level: 'warning',
    text: 'GPG_REQUIRE_SIG N has no effect without GPG_DISABLE_SIG Y: signatures are required',
  },
  signatureBoth: {
    level: 'warning',
    text: 'GPG_REQUIRE_SIG and GPG_DISABLE_SIG are both set: signatures are required',
  },
  signersUnused: { level: 'warning', text: 'the signers are not checked: GPG_DISABLE_SIG Y' },
  noSignature: {
    level: 'warning',
    text: 'GPG_DISABLE_SIG Y: everybody who has the server’s public key can make packets',
  },
  shortKeyId: {
    level: 'warning',
    text: 'GPG_REMOTE_ID with 8 digits: another key with the same digits can be made in minutes. Use GPG_FINGERPRINT_ID',
  },
  signatureErrors: {
    level: 'warning',
    text: 'GPG_IGNORE_SIG_VERIFY_ERROR Y: keys that are expired, revoked or not trusted may sign',
  },
  gnupgApart: {
    level: 'warning',
    text: 'an earlier stanza with the same GPG_HOME_DIR and HMAC key has another GPG_DECRYPT_PW or GPG_EXE. A packet that it can decrypt, and whose signer it accepts, does not reach this stanza: write these settings alike in both',
  },
  snatWins: { level: 'info', text: 'FORCE_MASQUERADE has no effect: FORCE_SNAT overrides it' },
  clusterUnused: { level: 'info', text: 'CLUSTER_REQUIRED has no effect: fwknopd.conf has no CLUSTER' },
  withoutCluster: {
    level: 'warning',
    text: 'CLUSTER_REQUIRED N: while the cluster does not answer, a packet can be used once at each node',
  },
  clusterAnyPort: {
    level: 'warning',
    text: 'FROM_CLUSTER without OPEN_PORTS: another node of the cluster can have any port opened here',
  },
  natAnywhere: {
    level: 'warning',
    text: 'NAT without NAT_TARGETS: a holder of the key can reach any inner host and port',
  },
  disableDnatUnused: { level: 'info', text: 'DISABLE_DNAT has no effect: no kind of NAT is enabled' },
  natTargetsUnused: { level: 'info', text: 'NAT_TARGETS has no effect: no kind of NAT is enabled' },
  sourceLinkLocal: {
    level: 'warning',
    text: 'SOURCE is link-local, and no grant can be for such an address: knocks from there must ask for another address (-a)',
  },
  destinationUnknown: {
    level: 'warning',
    text: 'DESTINATION matches nothing: a UDP socket does not tell where packets were sent',
  },
  commandsOff: { level: 'info', text: 'the settings of its commands have no effect: ENABLE_CMD_EXEC is not Y' },
  sudoOff: {
    level: 'info',
    text: 'CMD_SUDO_EXEC_USER and CMD_SUDO_EXEC_GROUP have no effect: ENABLE_CMD_SUDO_EXEC is not Y',
  },
  timerUnused: {
    level: 'info',
    text: 'CMD_CYCLE_TIMER only fills in $CLIENT_TIMEOUT and $TIMEOUT: CMD_CYCLE_CLOSE is NONE',
  },
  anyCommand: {
    level: 'warning',
    text: 'ENABLE_CMD_EXEC without CMD_REGEX: a holder of the key can run any command',
  },
  commandsOfRoot: {
    level: 'warning',
    text: 'ENABLE_CMD_EXEC without CMD_EXEC_USER: commands run as root',
  },
} as const satisfies Record<string, Omit<Notice, 'at'>>

export type StanzaNoticeKind = keyof typeof kinds

/** Takes notices about one stanza. */
export interface NoticesOfStanza {
  add(kind: StanzaNoticeKind, at: SourceLocation): void
}

/** The stanza that a notice is about: its first, where there are several. */
interface Seen {
  readonly stanza: string
  readonly first: SourceLocation
  count: number
}

export class StanzaNotices {
  readonly #seen = new Map<StanzaNoticeKind, Seen>()

  about({ id, name }: Pick<Stanza, 'id' | 'name'>): NoticesOfStanza {
    return {
      add: (kind, at) => {
        const seen = this.#seen.get(kind)
        if (seen === undefined) this.#seen.set(kind, { stanza: describeStanza(id, name), first: at, count: 1 })
        else seen.count++
      },
    }
  }

  /** One for each kind, at the first stanza that it is about: `stanza alice and 2 others: no HMAC key …`. */
  all(): Notice[] {
    return [...this.#seen].map(([kind, { stanza, first, count }]) => {
      const { level, text } = kinds[kind]
      const others = count === 1 ? '' : ` and ${count - 1} ${count === 2 ? 'other' : 'others'}`
      return { level, text: `${stanza}${others}: ${text}`, at: first }
    })
  }
}
