/** The story of the ghost service, step by step. Each step proves that it went as told. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { NotAsTold, narrator } from './narrator.ts'
import type { Outcome, Running } from './programs.ts'
import { differences, scan } from './scan.ts'
import { GRANT_SECONDS, startGhostport, startSshd, startWebServer, WEB_PAGE } from './services.ts'
import type { Stage } from './stage.ts'

const { title, say, command, answer, check } = narrator

export async function tell(stage: Stage, work: string): Promise<void> {
  const began = performance.now()
  const { hosts, addresses, ports } = stage
  const { spaclient, scanner } = hosts
  const times: [string, string][] = []
  const ghost = `tcp/${ports.publicWeb} → ${ports.ssh}`

  title('The story of the ghost service')
  say(stage.description)

  title('The server: a web server for everybody, sshd for nobody, and ghostport')
  await startWebServer(stage)
  await startSshd(stage, work)
  await stage.defaultDrop()
  const { server, readyAfter, socket } = await startGhostport(stage)
  times.push(['ghostport serve: from start to ready', milliseconds(readyAfter)])

  title('1. What a scanner sees')
  const before = await scan(stage, 'before.xml')
  const onlyWeb = `${ports.publicWeb}/tcp open http`
  check(before.ports.join() === onlyWeb, `only ${onlyWeb}`, before.ports.join('\n'))

  title('2. The client knocks')
  const eavesdropper = await stage.eavesdrop()
  const knockWords = [
    ...['-D', addresses.server],
    ...(eavesdropper.spaPort === 62201 ? [] : ['-p', String(eavesdropper.spaPort)]),
    ...['-A', `tcp/${ports.ssh}`, '--nat-local', '--nat-port', String(ports.publicWeb)],
    ...['-a', addresses.client],
    '--wait',
  ]
  command('spaclient', `ghostport knock ${knockWords.join(' ')}`)
  const knockedAt = performance.now()
  const knock = await spaclient.run(['ghostport', 'knock', ...knockWords])
  const openAt = performance.now()
  answer(knock.stdout + knock.stderr)
  check(knock.status === 0, 'the knock is sent, and the door is open', server.output())
  const opened = /open after ([0-9.]+) ms/.exec(knock.stdout + knock.stderr)?.[1]
  if (opened !== undefined) times.push(['from the packet to the open door', `${opened} ms`])
  times.push(['ghostport knock --wait: the whole command', milliseconds(knock.milliseconds)])

  title(`3. ssh on port ${ports.publicWeb}, while everybody else meets the web server there`)
  const session = await openShell(stage)
  const shellAt = performance.now()
  times.push(['from the knock to a shell', milliseconds(shellAt - knockedAt)])
  // Both at once, the slow scan and the quick one.
  command('scanner', `curl -i ${webAddress(stage)}`)
  const during = scan(stage, 'during.xml', { quietly: true })
  during.catch(() => {})
  const page = await fetchPage(stage)
  const pageAt = performance.now()
  answer(page.stdout)
  check(page.stdout.includes(WEB_PAGE), 'the scanner’s curl gets the web page', page.stdout + page.stderr)
  check(pageAt - shellAt < 5_000, `${milliseconds(pageAt - shellAt)} after the shell`, 'later than 5 s')
  times.push(['from the shell to the scanner’s web page', milliseconds(pageAt - shellAt)])
  const granted = await status(stage, socket)
  command('spaserver', 'ghostport status')
  answer(granted.text)
  check(granted.grants.length === 1, `one grant is live: ${ghost} for ${addresses.client} alone`, granted.text)

  title('4. Two scans, without and with the open door')
  say('The second nmap has been running since the shell opened; it is done when the door is still open.')
  const seen = await during
  command('scanner', 'nmap … -oX during.xml  (as before)')
  answer(seen.ports.join('\n'))
  const stillOpen = await status(stage, socket)
  check(stillOpen.grants.length === 1, 'the door was open all the while', stillOpen.text)
  const differing = await differences(stage, 'before.xml', 'during.xml')
  check(differing.length === 0, 'ndiff finds no difference', differing.join('\n'))
  times.push(['one scan of the scanner’s', seconds(seen.milliseconds)])

  title('5. The grant ends')
  say(`It was for ${GRANT_SECONDS} seconds. Waiting for its end …`)
  const { lastOpen, ended } = await grantEnds(stage, socket, knockedAt)
  const endedAfter = ended / 1000
  check(
    endedAfter > GRANT_SECONDS - 1 && knockedAt + lastOpen < openAt + (GRANT_SECONDS + 2) * 1000,
    `the door closed by itself, ${endedAfter.toFixed(1)} s after the knock`,
    `open after ${lastOpen / 1000} s, shut after ${endedAfter} s`,
  )
  times.push([`end of the grant of ${GRANT_SECONDS} s`, `${endedAfter.toFixed(1)} s after the knock`])
  const answered = await typeInto(
    session,
    'echo "still here, since $(ps -o etime= -p $$ | tr -d " ")"',
    /still here, since .*/,
  )
  answer(answered)
  check(true, 'the open session lives on', '')
  await meetsWebServer(stage, 'a new one meets the web server')

  title('6. The packet is sent again')
  const packet = await eavesdropper.caught()
  writeFileSync(join(scanner.folder, 'knock.packet'), packet)
  say(`Somebody on the way has kept a copy (${packet.length} bytes). The scanner sends it, to the last bit the same:`)
  const target = `UDP4-SENDTO:${addresses.server}:${ports.spa}`
  command('scanner', `socat -u OPEN:knock.packet ${target}`)
  const replayedAt = performance.now()
  const sent = await scanner.run(['socat', '-u', 'OPEN:knock.packet', target])
  check(sent.status === 0, 'it is sent', sent.stderr)
  const refusal = await server.until(
    'the replay is refused',
    (output) => output.split('\n').find((line) => line.includes('"SPA_REPLAYED"')),
    20_000,
  )
  times.push(['from the replay to its refusal in the log', milliseconds(performance.now() - replayedAt)])
  answer(refusal)
  check(true, 'refused: SPA_REPLAYED', '')
  const after = await status(stage, socket)
  check(after.grants.length === 0, 'nothing opened', after.text)
  await meetsWebServer(stage, 'the client, for whom the packet was, meets the web server as well')

  await session.end()
  times.push(['the whole story', seconds(performance.now() - began)])
  title('Measured')
  narrator.table(times)
}

/** Logs in and keeps the shell open. Its first answer shows that there is a shell, and which port it uses. */
async function openShell(stage: Stage): Promise<Running> {
  const words = sshWords(stage)
  command('spaclient', words.join(' '))
  const session = stage.hosts.spaclient.start(words)
  // biome-ignore lint/suspicious/noTemplateCurlyInString: for the shell
  const hello = await typeInto(session, 'echo "a shell for ${USER:-$(id -un)}, $SSH_CONNECTION"', /a shell for .*/)
  answer(hello)
  const [, port] = / (\d+)$/.exec(hello.trim()) ?? []
  check(port === String(stage.ports.ssh), `a shell, from the sshd on port ${stage.ports.ssh}`, hello)
  return session
}

function sshWords({ ports, login, addresses }: Stage): readonly string[] {
  return ['ssh', '-F', 'ssh_config', '-p', String(ports.publicWeb), `${login}@${addresses.server}`]
}

async function typeInto(session: Running, line: string, expected: RegExp): Promise<string> {
  session.type(line)
  return session.until('the shell answers', (output) => expected.exec(output)?.[0], 10_000)
}

function fetchPage(stage: Stage): Promise<Outcome> {
  return stage.hosts.scanner.run([
    'curl',
    '-s',
    '-i',
    '--max-time',
    '5',
    ...stage.sourceOptions.curl,
    webAddress(stage),
  ])
}

function webAddress({ addresses, ports }: Stage): string {
  return `http://${addresses.server}${ports.publicWeb === 80 ? '' : `:${ports.publicWeb}`}/`
}

/** For the client, the public port is the web server's again: ssh cannot connect, and a browser would get the page. */
async function meetsWebServer(stage: Stage, claim: string): Promise<void> {
  const words = [...sshWords(stage), 'true']
  command('spaclient', words.join(' '))
  const ran = await stage.hosts.spaclient.run(words, 15_000)
  answer(ran.stderr)
  const url = webAddress(stage)
  command('spaclient', `curl ${url}`)
  const page = await stage.hosts.spaclient.run(['curl', '-s', '--max-time', '5', url])
  answer(page.stdout)
  check(ran.status === 255 && page.stdout.includes(WEB_PAGE), claim, `ssh: status ${ran.status}\n${ran.stderr}`)
}

interface Status {
  readonly grants: readonly unknown[]
  readonly text: string
}

async function status({ hosts }: Stage, socket: string): Promise<Status> {
  const asked = await hosts.spaserver.run(['ghostport', 'status', '-s', socket, '--json'])
  if (asked.status !== 0) throw new NotAsTold(`ghostport status: ${asked.stderr}`)
  const shown = await hosts.spaserver.run(['ghostport', 'status', '-s', socket])
  return { grants: (JSON.parse(asked.stdout) as { grants: readonly unknown[] }).grants, text: shown.stdout }
}

/**
 * A slow machine takes seconds for one answer. So the end is between two times.
 *
 * @returns milliseconds after the knock: when the last question was asked that found the door open, and when one found
 *   it shut
 */
async function grantEnds(
  stage: Stage,
  socket: string,
  knockedAt: number,
): Promise<{ lastOpen: number; ended: number }> {
  const deadline = knockedAt + (GRANT_SECONDS + 20) * 1000
  await setTimeout(Math.max(0, knockedAt + (GRANT_SECONDS - 1) * 1000 - performance.now()))
  let lastOpen = 0
  for (;;) {
    const asked = performance.now() - knockedAt
    const { grants, text } = await status(stage, socket)
    if (grants.length === 0) return { lastOpen, ended: performance.now() - knockedAt }
    lastOpen = asked
    if (performance.now() > deadline) throw new NotAsTold(`the grant does not end\n${text}`)
    await setTimeout(50)
  }
}

function milliseconds(value: number): string {
  return `${value.toFixed(0)} ms`
}

function seconds(value: number): string {
  return `${(value / 1000).toFixed(1)} s`
}
