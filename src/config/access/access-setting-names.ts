/**
 * The names that access.conf may hold, and which of them hold keys. Apart from their table (access-settings.ts), so
 * that the client can tell a name in the wrong file without loading how the server reads it. The table has each of
 * these by its type.
 */

/** Those that have an effect. */
export const usedStanzaSettings = [
  'SOURCE',
  'NAME',
  'DESTINATION',
  'SPA_PORT',
  'OPEN_PORTS',
  'RESTRICT_PORTS',
  'KEY',
  'KEY_BASE64',
  'HMAC_KEY',
  'HMAC_KEY_BASE64',
  'HMAC_DIGEST_TYPE',
  'ENCRYPTION_MODE',
  'FW_ACCESS_TIMEOUT',
  'MAX_FW_TIMEOUT',
  'REQUIRE_USERNAME',
  'REQUIRE_SOURCE_ADDRESS',
  'REQUIRE_SOURCE',
  'REQUIRE_PACKET_SOURCE',
  'CLUSTER_REQUIRED',
  'GATES',
  'FROM_CLUSTER',
  'ACCESS_EXPIRE',
  'ACCESS_EXPIRE_EPOCH',
  'FORCE_NAT',
  'FORCE_SNAT',
  'FORCE_MASQUERADE',
  'FORWARD_ALL',
  'DISABLE_DNAT',
  'NAT_TARGETS',
  'ENABLE_CMD_EXEC',
  'CMD_EXEC_USER',
  'CMD_EXEC_GROUP',
  'ENABLE_CMD_SUDO_EXEC',
  'CMD_SUDO_EXEC_USER',
  'CMD_SUDO_EXEC_GROUP',
  'CMD_REGEX',
  'CMD_CYCLE_OPEN',
  'CMD_CYCLE_CLOSE',
  'CMD_CYCLE_TIMER',
  'CMD_CYCLE_USER',
  'CMD_CYCLE_GROUP',
  'GPG_HOME_DIR',
  'GPG_EXE',
  'GPG_DECRYPT_ID',
  'GPG_DECRYPT_PW',
  'GPG_ALLOW_NO_PW',
  'GPG_REQUIRE_SIG',
  'GPG_DISABLE_SIG',
  'GPG_IGNORE_SIG_VERIFY_ERROR',
  'GPG_REMOTE_ID',
  'GPG_FINGERPRINT_ID',
] as const
export type UsedStanzaSetting = (typeof usedStanzaSettings)[number]

export const stanzaSettingNames: readonly string[] = usedStanzaSettings

/** What a file of `%include_keys` may hold: fwknop keeps it from being a way to change policy. */
export const KEY_FILE_SETTINGS: ReadonlySet<string> = new Set([
  'KEY',
  'KEY_BASE64',
  'HMAC_KEY',
  'HMAC_KEY_BASE64',
  'HMAC_DIGEST_TYPE',
  ...stanzaSettingNames.filter((name) => name.startsWith('GPG_')),
])

const SECRET = /^[\t\v\f\r ]*(?:(?:HMAC_)?KEY(?:_BASE64)?|GPG_DECRYPT_PW)(?![A-Za-z0-9_])/m

/** Whether any line sets a secret, even a malformed one. Comments do not count, as for fwknop's client. */
export function holdsKeys(text: string): boolean {
  return SECRET.test(text)
}
