/**
 * Every refusal of ghostport: code → log level, exit status of a command that ends with it, and the sentence before the
 * detail. The codes are public API: scripts and log rules match them, so their meaning never changes.
 *
 * Exit statuses follow sysexits(3):
 * 64 usage, 65 bad data, 66 no input, 69 unavailable, 70 a mistake in ghostport, 73 cannot be made, 74 I/O, 75 try
 * again, 77 no permission, 78 configuration; 1 for a plain “no”; 130 if the caller ended it, as shells report Ctrl-C.
 */
/** What is known of a failure code. */
export interface FailureKind {
  readonly level: 'info' | 'warning' | 'error'
  readonly exit: number
  readonly sentence: string
}

/** What is known of each code: how it is logged, the exit status of a command, and the sentence before the detail. */
export const failureKinds = {
  // bytes and units
  PORT_INVALID: { level: 'error', exit: 64, sentence: 'not a port' },
  ADDRESS_INVALID: { level: 'error', exit: 64, sentence: 'not an IP address' },
  VALUE_INVALID: { level: 'error', exit: 64, sentence: 'not a usable value' },

  // the packet on the wire, before anything is known about who sent it
  SPA_LENGTH: { level: 'info', exit: 65, sentence: 'the length is not that of an SPA packet' },
  SPA_MALFORMED: { level: 'info', exit: 65, sentence: 'not an SPA packet' },
  SPA_HMAC_MISMATCH: { level: 'info', exit: 65, sentence: 'the HMAC does not match' },
  // a packet that the kernel would have dropped, or passed on, had it not been captured before
  SPA_UNBELIEVED: { level: 'info', exit: 65, sentence: 'the kernel would not accept this packet' },
  SPA_NOT_FOR_US: { level: 'info', exit: 65, sentence: 'the packet was sent to another host' },
  // the packet, once authentic (or decrypted, where a stanza has no HMAC key)
  SPA_DECRYPT_FAILED: { level: 'info', exit: 65, sentence: 'the packet does not decrypt' },
  SPA_DIGEST_MISMATCH: { level: 'warning', exit: 65, sentence: 'the message does not match its digest' },
  SPA_FIELD_INVALID: { level: 'warning', exit: 65, sentence: 'a field of the message is not valid' },
  SPA_REPLAYED: { level: 'warning', exit: 65, sentence: 'this packet was used before' },
  SPA_STALE: { level: 'warning', exit: 65, sentence: 'the packet is too old' },
  SPA_FROM_FUTURE: { level: 'warning', exit: 65, sentence: 'the packet is dated in the future' },
  SPA_MESSAGE_INVALID: { level: 'error', exit: 64, sentence: 'this message cannot be sent' },

  // policy
  ACCESS_NO_SOURCE: { level: 'info', exit: 1, sentence: 'no stanza is for this source address' },
  ACCESS_NO_STANZA: { level: 'info', exit: 1, sentence: 'no stanza opens this packet' },
  ACCESS_EXPIRED: { level: 'warning', exit: 1, sentence: 'the stanza has expired' },
  ACCESS_DESTINATION_DENIED: { level: 'warning', exit: 1, sentence: 'the stanza is for another destination' },
  ACCESS_SOURCE_REQUIRED: { level: 'warning', exit: 1, sentence: 'the stanza requires an address named in the packet' },
  ACCESS_GATEWAY_SOURCE: {
    level: 'warning',
    exit: 1,
    sentence: 'a packet that comes through a gateway must name an address',
  },
  ACCESS_SOURCE_MISMATCH: {
    level: 'warning',
    exit: 1,
    sentence: 'the stanza requires the address that the packet came from',
  },
  ACCESS_SOURCE_UNUSABLE: { level: 'warning', exit: 1, sentence: 'no grant can be for this address' },
  ACCESS_SIGNATURE_DENIED: { level: 'warning', exit: 1, sentence: 'the stanza does not accept the signature' },
  ACCESS_USERNAME_DENIED: { level: 'warning', exit: 1, sentence: 'the stanza requires another user name' },
  ACCESS_PORT_DENIED: { level: 'warning', exit: 1, sentence: 'the stanza does not allow this port' },
  ACCESS_NAT_DISABLED: { level: 'warning', exit: 1, sentence: 'NAT of this kind is not enabled' },
  ACCESS_NAT_TARGET_DENIED: { level: 'warning', exit: 1, sentence: 'the stanza does not allow this NAT target' },
  ACCESS_NAT_TARGET_INVALID: { level: 'warning', exit: 1, sentence: 'the NAT target cannot be used' },
  ACCESS_COMMAND_DENIED: { level: 'warning', exit: 1, sentence: 'the stanza does not allow commands' },
  ACCESS_CLOSE_SHARED: {
    level: 'warning',
    exit: 1,
    sentence: 'the port stays open for another user at the same address',
  },
  ACCESS_REQUEST_INVALID: { level: 'warning', exit: 1, sentence: 'the stanza cannot serve this request' },

  // what the grant needs
  NAME_NOT_LOOKED_UP: { level: 'warning', exit: 75, sentence: 'the name of the NAT target was not looked up' },
  FIREWALL_REFUSED: { level: 'error', exit: 69, sentence: 'the firewall refused' },
  FIREWALL_FULL: { level: 'error', exit: 69, sentence: 'the firewall holds as many grants as it can' },
  FIREWALL_UNAVAILABLE: { level: 'error', exit: 69, sentence: 'there is no usable firewall' },
  COMMANDS_UNAVAILABLE: { level: 'error', exit: 69, sentence: 'commands cannot be run' },
  COMMANDS_BUSY: { level: 'warning', exit: 75, sentence: 'too many commands are running' },
  REPLAY_STORE_FAILED: { level: 'error', exit: 74, sentence: 'the replay store cannot record' },
  REPLAY_STORE_FULL: { level: 'warning', exit: 75, sentence: 'the key has used up its share of the replay store' },
  CLUSTER_UNREACHABLE: {
    ...{ level: 'error', exit: 75 },
    sentence: 'the cluster did not say whether the packet was used at another node',
  },
  ETCD_UNUSABLE: { level: 'error', exit: 69, sentence: 'etcd cannot be used like this' },
  CLUSTER_USERS_OUTDATED: {
    ...{ level: 'error', exit: 75 },
    sentence: 'this node’s copy of the stanzas of the cluster is too old',
  },
  CLUSTER_USERS_REFUSED: { level: 'error', exit: 75, sentence: 'the users of the cluster cannot be changed now' },
  CLUSTER_USERS_WENT_BACK: {
    ...{ level: 'error', exit: 75 },
    sentence: 'etcd has older users of the cluster than this node has seen',
  },
  KEY_BUSY: { level: 'warning', exit: 75, sentence: 'too many packets of this key wait for their verdict' },
  GNUPG_BUSY: { level: 'warning', exit: 75, sentence: 'too many packets wait for GnuPG' },
  GPGDIR_REFUSED: { level: 'error', exit: 65, sentence: 'gpgdir cannot do this' },
  LOG_INVALID: { level: 'error', exit: 65, sentence: 'this is no access log that can be read' },
  GNUPG_FAILED: { level: 'error', exit: 69, sentence: 'GnuPG did not do its part' },
  REPLAY_STORE_CORRUPT: { level: 'error', exit: 65, sentence: 'the replay store is damaged' },
  REPLAY_STORE_LOCKED: { level: 'error', exit: 75, sentence: 'the replay store is in use' },
  CAPTURE_DENIED: { level: 'error', exit: 77, sentence: 'no permission to capture packets' },
  CAPTURE_FAILED: { level: 'error', exit: 69, sentence: 'packets cannot be captured' },
  INSTANCE_RUNNING: { level: 'error', exit: 75, sentence: 'ghostport is already running' },
  PRIVILEGE_MISSING: { level: 'error', exit: 77, sentence: 'more privilege is needed' },
  PROCESS_EXPOSED: { level: 'error', exit: 77, sentence: 'others could look into this process, and read its keys' },
  PRIVILEGE_EXCESSIVE: { level: 'error', exit: 77, sentence: 'the receiver has privilege that it must not have' },

  // the HTTP server of gateway, local page and console
  HTTP_UNAVAILABLE: { level: 'error', exit: 69, sentence: 'the HTTP server cannot start' },

  // between the two processes
  WARDEN_PROTOCOL: { level: 'error', exit: 70, sentence: 'the receiver broke the protocol' },
  WARDEN_FORBIDDEN: { level: 'error', exit: 70, sentence: 'the receiver asked for what policy forbids' },
  WARDEN_GONE: { level: 'error', exit: 69, sentence: 'the warden is gone' },
  RECEIVER_GONE: { level: 'error', exit: 69, sentence: 'the receiver is gone' },

  // files, keys and flags of the user's
  CONFIG_UNREADABLE: { level: 'error', exit: 66, sentence: 'the file cannot be read' },
  CONFIG_UNWRITABLE: { level: 'error', exit: 73, sentence: 'the file cannot be written' },

  FILE_BUSY: { level: 'error', exit: 75, sentence: 'the file is in use' },
  USER_EXISTS: { level: 'error', exit: 1, sentence: 'there is already such a user' },
  REVOKE_UNKNOWN: { level: 'error', exit: 1, sentence: 'there is nothing of this name to revoke' },
  USER_UNKNOWN: { level: 'error', exit: 1, sentence: 'there is no such user' },
  NODE_EXISTS: { level: 'error', exit: 1, sentence: 'there is already such a node' },
  NODE_UNKNOWN: { level: 'error', exit: 1, sentence: 'there is no such node' },
  BUNDLE_INVALID: { level: 'error', exit: 65, sentence: 'this is not a usable bundle' },
  BUNDLE_REFUSED: { level: 'error', exit: 1, sentence: 'this bundle is not for here and now' },
  INVITATION_INVALID: { level: 'error', exit: 65, sentence: 'this is not a usable invitation' },
  INVITATION_ENDED: { level: 'error', exit: 1, sentence: 'this invitation is not good any more' },
  INVITATIONS_FULL: { level: 'error', exit: 75, sentence: 'there are too many open invitations' },
  INVITATION_UNCLAIMED: { level: 'error', exit: 1, sentence: 'nobody has claimed this invitation yet' },
  CLAIM_REFUSED: { level: 'error', exit: 1, sentence: 'this claim must not be confirmed' },
  GATEWAY_FAILED: { level: 'error', exit: 69, sentence: 'the gateway did not do it' },
  PROFILE_INVALID: { level: 'error', exit: 65, sentence: 'this is not a usable profile' },

  CONSOLE_REFUSED: { level: 'warning', exit: 1, sentence: 'the console may not do this' },
  AUDIT_FAILED: { level: 'error', exit: 74, sentence: 'the audit log cannot be used' },
  AUDIT_BROKEN: { level: 'error', exit: 65, sentence: 'the audit log was changed, or is damaged' },

  // changes of this host that can be taken back
  CHANGE_FAILED: { level: 'error', exit: 73, sentence: 'a change to this host failed' },
  DEAD_MAN_NOT_ARMED: { level: 'error', exit: 69, sentence: 'nobody would take the changes back' },
  SETUP_REFUSED: { level: 'error', exit: 69, sentence: 'this host cannot be set up like this' },
  CHANGES_PENDING: { level: 'error', exit: 75, sentence: 'changes to this host wait for a confirmation' },
  NOT_CONFIRMED: { level: 'error', exit: 1, sentence: 'the changes are not confirmed' },
  POLICY_CONFLICT: { level: 'error', exit: 78, sentence: 'this host has another policy' },
  SCAN_FAILED: { level: 'error', exit: 69, sentence: 'the scan cannot be made' },
  SCAN_INVALID: { level: 'error', exit: 65, sentence: 'the result of the scan cannot be used' },
  POLICY_LOCKS_OUT: { level: 'error', exit: 78, sentence: 'this policy could lock you out' },
  CONFIG_EXPOSED: { level: 'error', exit: 77, sentence: 'the file can be read or changed by others' },
  CONFIG_SYNTAX: { level: 'error', exit: 78, sentence: 'the line cannot be understood' },
  CONFIG_UNKNOWN_KEY: { level: 'error', exit: 78, sentence: 'unknown setting' },
  CONFIG_UNSUPPORTED_KEY: { level: 'error', exit: 78, sentence: 'the setting is not supported yet' },
  CONFIG_INVALID_VALUE: { level: 'error', exit: 78, sentence: 'the value is not valid' },
  // “KEY” in CONFIG_…_KEY is fwknop's word for the name of a setting; in KEY_… it is a cryptographic key.
  CONFIG_MISSING_KEY: { level: 'error', exit: 78, sentence: 'a setting is missing' },
  CONFIG_CONFLICT: { level: 'error', exit: 78, sentence: 'the settings contradict each other' },
  KEY_INVALID: { level: 'error', exit: 78, sentence: 'the key cannot be used' },
  KEY_MISSING: { level: 'error', exit: 78, sentence: 'a key is missing' },
  CLI_USAGE: { level: 'error', exit: 64, sentence: 'the command line cannot be understood' },

  // any command
  OUTPUT_FAILED: { level: 'error', exit: 74, sentence: 'the output cannot be written' },
  INTERNAL_ERROR: { level: 'error', exit: 70, sentence: 'ghostport itself failed' },

  // the client
  NAME_UNRESOLVED: { level: 'error', exit: 68, sentence: 'the name cannot be resolved' },
  OWN_ADDRESS_UNKNOWN: { level: 'error', exit: 69, sentence: 'the address of this host cannot be found out' },
  SEND_FAILED: { level: 'error', exit: 69, sentence: 'the packet could not be sent' },
  RECEIPT_INVALID: { level: 'error', exit: 65, sentence: 'this is no receipt for the packet' },
  KNOCK_REFUSED: { level: 'error', exit: 1, sentence: 'the server refused the knock' },
  PORT_NOT_OPEN: { level: 'error', exit: 1, sentence: 'the port did not open' },
  ABORTED: { level: 'info', exit: 130, sentence: 'the knock was ended by its caller' },
  STATUS_UNAVAILABLE: { level: 'error', exit: 69, sentence: 'no ghostport answers' },
} as const satisfies Record<string, FailureKind>

/** The code of a failure. Public API. */
export type FailureCode = keyof typeof failureKinds
