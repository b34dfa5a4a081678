/** What a profile opens, and what can be added or changed. Each value is judged by the reader of `.fwknoprc`. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import type { RcChange } from '../../../src/config/client/edit-fwknoprc.ts'
import { type ClientSettingName, readClientSetting } from '../../../src/config/client/fwknoprc-settings.ts'
import type { ClientSettings } from '../../../src/config/client/layer.ts'
import { DIGEST_TYPES } from '../../../src/packet/digest-type.ts'
import { ok, type Result, refuse } from '../../../src/result.ts'
import { Choice, Field } from '../../shared/field.tsx'
import { Notice } from '../../shared/notice.tsx'
import { day } from '../../shared/now.ts'
import { readGnupgPair } from '../knock/gnupg.ts'
import { hmacOf, isForGnupg, keysOf } from '../knock/seal.ts'
import { parseGatewayUrl, parseTarget } from '../profile/gateway-url.ts'
import { type GnupgPair, type NewProfile, settingsOf, textOf, withText } from '../profile/kept.ts'
import { parseLink } from '../profile/links.ts'
import { factsOf } from '../profile/opens.ts'
import { ownOrigin } from '../profiles.ts'

/** What may be typed or chosen: the rest comes with the profile. */
const SETTINGS: readonly {
  readonly name: ClientSettingName
  readonly label: string
  readonly hint?: string
  /** Value and text of each choice; the first is what counts without the setting. */
  readonly choices?: readonly (readonly [value: string, text: string])[]
}[] = [
  { name: 'SPA_SERVER', label: 'Server', hint: 'Its name or address' },
  { name: 'ACCESS', label: 'Ports', hint: 'tcp/22, or several: tcp/22,udp/53' },
  { name: 'NAT_ACCESS', label: 'Leads to an inner host', hint: 'HOST:PORT behind the server' },
  {
    name: 'NAT_LOCAL',
    label: 'Ghost service',
    choices: [
      ['', 'No'],
      ['Y', 'Yes: a port of the server is another service for you'],
    ],
  },
  { name: 'NAT_PORT', label: 'Port outside', hint: 'With one of the two above: the port that you connect to' },
  { name: 'FW_TIMEOUT', label: 'Seconds', hint: 'How long it stays open; empty: the server decides' },
  { name: 'SPOOF_USER', label: 'User name', hint: 'In the log of the server' },
  { name: 'HMAC_DIGEST_TYPE', label: 'HMAC', choices: [['', 'sha256'], ...digests()] },
  {
    name: 'ENCRYPTION_MODE',
    label: 'Encryption',
    hint: 'As the server has it',
    choices: [
      ['', 'cbc'],
      ['legacy', 'legacy: servers before fwknop 2.5'],
      ...['ecb', 'cfb', 'ofb', 'ctr'].map((mode) => [mode, mode] as const),
    ],
  },
  { name: 'DIGEST_TYPE', label: 'Digest', choices: [['', 'sha256'], ...digests()] },
  {
    name: 'USE_GPG',
    label: 'GnuPG',
    choices: [
      ['', 'No: sealed by a shared key'],
      ['Y', 'Yes: sealed by GnuPG'],
    ],
  },
]

function digests(): readonly (readonly [string, string])[] {
  return DIGEST_TYPES.filter((type) => type !== 'sha256').map((type) => [type, type] as const)
}

type Texts = Readonly<Record<string, string>>

export interface ProfileFormProps {
  readonly profile: NewProfile
  /** On the button. */
  readonly word: string
  readonly onDone: (profile: NewProfile) => Promise<void>
}

export function ProfileForm({ profile, word, onDone }: ProfileFormProps): JSX.Element {
  const typed = useSignal<Texts>({
    name: profile.name,
    gateways: (profile.gateways.length > 0 ? profile.gateways : [ownOrigin() ?? '']).join('\n'),
    target: profile.target,
    echoes: profile.echoes.join('\n'),
    links: profile.links.join('\n'),
    ...Object.fromEntries(SETTINGS.map(({ name }) => [name, textOf(profile.settings, name)])),
  })
  const wrong = useSignal<Texts>({})
  const busy = useSignal(false)
  const text = (name: string) => typed.value[name] ?? ''
  const set = (name: string) => (value: string) => {
    typed.value = { ...typed.value, [name]: value }
  }
  const field = (name: string, label: string, more: { hint?: string; rows?: number; secret?: true } = {}) => {
    const { secret, ...shown } = more
    return (
      <Field
        id={`field-${name}`}
        label={label}
        value={text(name)}
        onInput={set(name)}
        wrong={wrong.value[name]}
        type={secret === true ? 'password' : 'text'}
        {...shown}
      />
    )
  }
  const choice = (name: string, label: string, choices: readonly (readonly [string, string])[], hint?: string) => (
    <div class="field">
      <Choice
        id={`field-${name}`}
        label={label}
        value={text(name)}
        // What is there stays choosable, however it is written.
        choices={choices.some(([value]) => value === text(name)) ? choices : [...choices, [text(name), text(name)]]}
        onChange={set(name)}
        {...(hint !== undefined && { hint })}
      />
      {wrong.value[name] !== undefined && <span class="wrong">{wrong.value[name]}</span>}
    </div>
  )
  const settings = settingsOf(profile.settings)
  const forGnupg = /^y/i.test(text('USE_GPG')) || /^asym/i.test(text('ENCRYPTION_MODE'))
  const isWhole = settings.ok && settings.value.server !== undefined && settings.value.access !== undefined

  const save = async (event: Event) => {
    event.preventDefault()
    busy.value = true
    const judged = await judge(profile, typed.value)
    busy.value = false
    wrong.value = judged.wrong
    const [first] = Object.keys(judged.wrong)
    if (first === undefined) return await onDone(judged.profile)
    const field = document.getElementById(`field-${first}`)
    const folded = field?.closest('details')
    if (folded != null) folded.open = true
    field?.focus()
  }
  return (
    <form class="stack" onSubmit={save} noValidate>
      <div class="card stack">
        {profile.made > 0 && (
          <p class="soft small">
            Keys of {day(profile.made)}
            {profile.until === undefined ? '' : `, good until ${day(profile.until)}`}
          </p>
        )}
        {settings.ok && settings.value.access !== undefined && (
          <dl class="facts">
            {factsOf(settings.value).map(({ name, value }) => (
              <div key={name} class="fact">
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        )}
        {!isWhole && (
          <Notice
            kind="info"
            title={
              settings.ok && settings.value.access !== undefined
                ? 'It does not say which server.'
                : 'There are keys in it, and nothing else.'
            }
          >
            Type below what is missing: the server, and the ports that your administrator told you.
          </Notice>
        )}
        {settings.ok && settings.value.hmacKey === undefined && settings.value.encryptionMode !== 'legacy' && (
          <Notice kind="warn" title="There is no HMAC key in it.">
            Only a server without HMAC takes such packets.
          </Notice>
        )}
      </div>
      <div class="card stack">
        {field('name', 'Name', { hint: 'For you alone' })}
        {field('gateways', 'Gateway', { hint: 'One address in a line, tried in this order', rows: 2 })}
        {field('target', 'Name of the server at the gateway', {
          hint: 'Your administrator has chosen it, such as “office”',
        })}
        <details open={!isWhole}>
          <summary>What it asks for</summary>
          <div class="stack">
            {SETTINGS.map(({ name, label, hint, choices }) => (
              <div key={name}>
                {choices === undefined
                  ? field(name, label, hint === undefined ? {} : { hint })
                  : choice(name, label, choices, hint)}
              </div>
            ))}
          </div>
        </details>
        {forGnupg && (
          <fieldset class="stack">
            <legend>GnuPG</legend>
            {profile.gnupg !== undefined && <p class="soft">It has its keys. Paste others only to replace them.</p>}
            {field('recipient', 'Public key of the server', { hint: 'gpg --armor --export', rows: 4 })}
            {field('signer', 'Your secret key', {
              hint: 'gpg --armor --export-secret-keys. It signs the packet, and stays sealed on this device. Use it for this alone',
              rows: 4,
            })}
            {field('signer-passphrase', 'Its passphrase', { secret: true })}
          </fieldset>
        )}
        <details>
          <summary>On this device</summary>
          <div class="stack">
            {field('links', 'Go on with', {
              hint: 'Offered when the door is open, one in a line: ssh://me@host, https://host',
              rows: 2,
            })}
            {field('echoes', 'Other services that say your address', {
              hint: 'Other gateways, one address in a line. Two that agree are better than one',
              rows: 2,
            })}
          </div>
        </details>
        <button class="button first" type="submit" disabled={busy.value}>
          {busy.value ? 'Trying the keys…' : word}
        </button>
      </div>
    </form>
  )
}

/** @returns what was typed as a profile, and what is wrong by field.. */
async function judge(
  profile: NewProfile,
  typed: Texts,
): Promise<{ readonly profile: NewProfile; readonly wrong: Texts }> {
  const wrong: Record<string, string> = {}
  const lines = (
    name: string,
    parse: (text: string) => { ok: true; value: string } | { ok: false; failure: { detail: string } },
  ) =>
    (typed[name] ?? '')
      .split('\n')
      .filter((line) => line.trim() !== '')
      .flatMap((line) => {
        const read = parse(line)
        if (!read.ok) wrong[name] = read.failure.detail
        return read.ok ? [read.value] : []
      })

  let settings: readonly RcChange[] = profile.settings
  for (const { name } of SETTINGS) {
    const text = (typed[name] ?? '').trim()
    const read = text === '' ? undefined : readClientSetting(name, text)
    if (read !== undefined && !read.ok) wrong[name] = read.failure.detail
    settings = withText(settings, name, text)
  }
  if (textOf(settings, 'SPA_SERVER') === '') wrong['SPA_SERVER'] = 'a profile names its server'
  if (textOf(settings, 'ACCESS') === '') wrong['ACCESS'] = 'a profile names what to open, such as tcp/22'
  const read = settingsOf(settings)
  const pair = read.ok && isForGnupg(read.value) ? await pairOf(profile, typed, read.value) : ok(undefined)
  if (!pair.ok) wrong['recipient'] = pair.failure.detail
  const keys = read.ok && pair.ok ? keysOf(read.value, pair.value) : read
  if (!keys.ok && Object.keys(wrong).length === 0) wrong['ENCRYPTION_MODE'] = keys.failure.detail

  const gateways = lines('gateways', parseGatewayUrl)
  if (gateways.length === 0 && wrong['gateways'] === undefined)
    wrong['gateways'] = 'a packet goes through a gateway: the address of yours, such as https://knock.example'
  const target = parseTarget(typed['target'] ?? '')
  if (!target.ok) wrong['target'] = target.failure.detail
  const name = (typed['name'] ?? '').trim().slice(0, 100) || textOf(settings, 'SPA_SERVER')
  return {
    wrong,
    profile: {
      ...profile,
      name,
      settings,
      gateways,
      target: target.ok ? target.value : '',
      links: lines('links', parseLink),
      echoes: lines('echoes', parseGatewayUrl),
      ...(pair.ok && pair.value !== undefined && { gnupg: pair.value }),
    },
  }
}

/** The keys of GnuPG that were pasted, tried; else those of before. */
async function pairOf(
  profile: NewProfile,
  typed: Texts,
  settings: ClientSettings,
): Promise<Result<GnupgPair | undefined>> {
  const recipient = typed['recipient'] ?? ''
  if (recipient.trim() === '' && profile.gnupg !== undefined) return ok(profile.gnupg)
  if (recipient.trim() === '') return refuse('KEY_MISSING', 'paste the public key of the server')
  const hmac = hmacOf(settings)
  if (!hmac.ok) return hmac
  const [signer = '', passphrase = ''] = [typed['signer'], typed['signer-passphrase']]
  return await readGnupgPair({ recipient, signer, passphrase }, hmac.value)
}
