/**
 * docs/CONFIG.md has every setting with an effect. Its default is what the code does without the setting. Its example
 * is valid and changes something. And it marks the settings that a reload cannot change.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Stanza } from '../../src/access/stanza.ts'
import { usedStanzaSettings } from '../../src/config/access/access-setting-names.ts'
import { stanzaSettings } from '../../src/config/access/access-settings.ts'
import { buildPolicy } from '../../src/config/access/build-policy.ts'
import { parseAccessConf } from '../../src/config/access/parse-access-conf.ts'
import { filesFromSnapshot } from '../../src/config/reading/config-files.ts'
import { settingAliases, type UsedSetting, usedSettings } from '../../src/config/server/fwknopd-settings.ts'
import { parseFwknopdConf } from '../../src/config/server/parse-fwknopd-conf.ts'
import type { ServerConfig } from '../../src/config/server/server-config.ts'
import { type Comparable, needsRestart } from '../../src/daemon/warden/restart-settings.ts'
import { exposeKey } from '../../src/packet/key.ts'
import type { Result } from '../../src/result.ts'

const page = readFileSync(new URL('../../docs/CONFIG.md', import.meta.url), 'utf8')
const FILE = '/etc/fwknop/fwknopd.conf'

interface Row {
  readonly name: string
  /** Its line with the default, if it has one. */
  readonly byDefault: string | undefined
  readonly meaning: string
  /** Its line of the example. */
  readonly example: string
  /** The other lines that the example needs. */
  readonly context: readonly string[]
}

function rowsUnder(heading: string): readonly Row[] {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`))
  assert(section !== undefined, heading)
  return section
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => {
      const cells = line.slice(2, -2).split(' | ')
      assert.equal(cells.length, 5, line)
      const [nameCell = '', , defaultCell = '', meaning = '', exampleCell = ''] = cells
      const [name = ''] = codeIn(nameCell)
      const [value] = codeIn(defaultCell)
      assert(value !== undefined || /^(—|required)/.test(defaultCell), line)
      const lines = codeIn(exampleCell)
      const example = lines.find((it) => it.startsWith(`${name} `))
      assert(example !== undefined, line)
      const byDefault = value === undefined ? undefined : `${name} ${value}`
      return { name, byDefault, meaning, example, context: lines.filter((it) => it !== example) }
    })
}

function codeIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)
}

const server = (lines: readonly string[]): Result<ServerConfig> => {
  const parsed = parseFwknopdConf(FILE, lines.join('\n'))
  return parsed.ok ? { ok: true, value: parsed.value.config } : parsed
}

/** What a reload compares. */
const reading = (lines: readonly string[]): Result<Comparable> => {
  const parsed = parseFwknopdConf(FILE, lines.join('\n'))
  return parsed.ok ? { ok: true, value: { server: parsed.value.config, values: parsed.value.values } } : parsed
}

/**
 * A stanza as plain data. Keys show their bytes, which a comparison would not see. The place of the stanza does not
 * count.
 */
const stanza = (lines: readonly string[]): Result<unknown> => {
  const texts = { '/access.conf': lines.join('\n') }
  const parsed = parseAccessConf('/access.conf', filesFromSnapshot({ texts, folders: {}, failures: {} }))
  return parsed.ok ? { ok: true, value: parsed.value.stanzas.map(asData) } : parsed
}

function asData({ encryption, hmac, location: _, ...rest }: Stanza): unknown {
  return {
    ...rest,
    encryption: encryption.kind === 'symmetric' ? [encryption.mode, exposeKey(encryption.key)] : encryption,
    hmac: hmac && [hmac.type, exposeKey(hmac.key)],
  }
}

function judge({ name, byDefault, example, context }: Row, parse: (lines: readonly string[]) => Result<unknown>): void {
  const without = parse(context)
  const shown = parse([...context, example])
  assert(shown.ok, `${name}: ${shown.ok || shown.failure.detail}`)
  assert.notDeepEqual(shown, without, `the example of ${name} changes nothing`)
  if (byDefault !== undefined) assert.deepEqual(parse([...context, byDefault]), without, `${name} by default`)
}

/** Without these settings, nothing replaces them: the page describes that in words. */
const WITHOUT_DEFAULT = [
  'HOOK_GRANT',
  'HOOK_REFUSAL',
  'HOOK_EXPIRY',
  'HOOK_GROUP',
  'WEBHOOK_URL',
  'WEBHOOK_KEY_FILE',
  'WEBHOOK_CA_FILE',
  'PCAP_FILE',
  'GATEWAY_ADDRESSES',
  'CLUSTER',
  'CLUSTER_NODE',
  'CLUSTER_PASSWORD_FILE',
  'CLUSTER_SECRET_FILE',
  'CLUSTER_USERS_MAY',
  'CLUSTER_CA_FILE',
  'CLUSTER_CERTIFICATE_FILE',
  'CLUSTER_KEY_FILE',
  'CONSOLE_USER',
  'PACKET_LIMIT',
  'ACCESS_FOLDER',
  'DIGEST_FILE',
  'SNAT_TRANSLATE_IP',
  'PROTECTED_PORTS',
  'RECEIVER_USER',
  'RELAY',
  'FIREWALL_EXE',
  'FWKNOP_PID_FILE',
]

test('each setting of fwknopd.conf, its default and its example', () => {
  const rows = rowsUnder('fwknopd.conf')
  assert.deepEqual(rows.map(({ name }) => name).sort(), Object.keys(usedSettings).sort())
  const bare = rows.filter(({ byDefault }) => byDefault === undefined).map(({ name }) => name)
  assert.deepEqual(bare.sort(), WITHOUT_DEFAULT.toSorted())
  for (const row of rows) judge(row, server)
})

test('the other names of settings', () => {
  const rows = rowsUnder('fwknopd.conf')
  for (const [alias, name] of Object.entries(settingAliases))
    assert(rows.find((row) => row.name === name)?.meaning.includes(`\`${alias}\``), alias)
})

test('which settings count from the next start on', () => {
  for (const { name, example, context, meaning } of rowsUnder('fwknopd.conf')) {
    const shown = reading([...context, example])
    const without = reading(context)
    const before = without.ok ? without : reading([])
    assert(shown.ok && before.ok, name)
    const named = needsRestart(before.value, shown.value)
    // If it alone changes, it alone is named. Some settings need others beside them, which are then new too.
    if (without.ok) assert.deepEqual(named, meaning.startsWith('**R** ') ? [name] : [])
    else assert.equal(named.includes(name as UsedSetting), meaning.startsWith('**R** '), name)
  }
})

test('each setting of access.conf, its default and its example', () => {
  const rows = rowsUnder('access.conf')
  assert.deepEqual(rows.map(({ name }) => name).sort(), usedStanzaSettings.toSorted())
  const common = ['SOURCE ANY', 'KEY a key', 'HMAC_KEY another'] as const
  for (const row of rows) {
    // A setting that sets the same thing is removed; a digest type needs its key.
    const fieldOf = (line: string): string => stanzaSettings[line.split(' ')[0] as keyof typeof stanzaSettings].sets
    const base = common.filter((line) => fieldOf(line) !== fieldOf(`${row.name} `))
    judge(row, (lines) => {
      const source = lines.filter((line) => line.startsWith('SOURCE '))
      return stanza([...source, ...base, ...lines.filter((line) => !source.includes(line))])
    })
  }
})

test('the whole server is accepted, and warns of nothing', () => {
  const blocks = [...page.matchAll(/```\n# (\/etc\/fwknop\/\S+)\n([^`]*)```/g)]
  const texts: Record<string, string> = Object.fromEntries(blocks.map(([, path = '', text = '']) => [path, text]))
  for (const user of ['ada', 'grace', 'backup'])
    texts[`/etc/fwknop/keys/${user}`] = `KEY ${user}'s key\nHMAC_KEY ${user}'s other key\n`
  const config = parseFwknopdConf(FILE, texts[FILE] ?? '')
  const access = parseAccessConf('/etc/fwknop/access.conf', filesFromSnapshot({ texts, folders: {}, failures: {} }))
  assert(config.ok && access.ok, JSON.stringify([config, access]))
  const policy = buildPolicy(config.value.config, access.value.stanzas)
  assert(policy.ok, JSON.stringify(policy))
  assert.equal(access.value.stanzas.length, 3)
  assert.deepEqual([...config.value.notices, ...access.value.notices, ...policy.value.notices], [])
})
