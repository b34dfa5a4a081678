/** The ghost service: one port that leads a client who knocked to sshd, and all others to the web server. */
import { arrow, box, type Drawing, line, picture, text } from './svg.ts'

const WALL = { left: 500, width: 14, top: 56, bottom: 334 }
/** Where port 80 leads through the wall. */
const DOOR = { top: 178, bottom: 214 }
const DOOR_MIDDLE = (DOOR.top + DOOR.bottom) / 2
const HOST = { x: 24, width: 190, height: 62 }
const SERVICE = { x: 700, width: 216, height: 62 }
const CLIENT_Y = 96
const SCANNER_Y = 234

export function drawGhostService(): string {
  return picture({
    width: 940,
    height: 530,
    title: 'The ghost service: what the client, the server and the scanner each see',
    description:
      'The client sends one encrypted packet, which is never answered, and then connects to port 80: it reaches sshd. ' +
      'The scanner connects to port 80 in the same second: it reaches the web server. All other ports give no answer. ' +
      'The client sees a shell, the server sees one live grant, and the scanner sees a web server and nothing else.',
    drawings: [
      text(24, 36, 890, 'The ghost service: one port, two answers, in the same second', { kind: 'strong', size: 20 }),
      ...server(),
      ...client(),
      ...scanner(),
      ...views(),
    ],
  })
}

function server(): readonly Drawing[] {
  const { left, width, top, bottom } = WALL
  return [
    box(left + width / 2, top, 940 - 24 - left - width / 2 + 12, bottom - top, 'panel'),
    box(left, top, width, DOOR.top - top, 'wall', 2),
    box(left, DOOR.bottom, width, bottom - DOOR.bottom, 'wall', 2),
    text(left + 28, top + 24, 170, 'server 192.0.2.10', { kind: 'strong' }),
    text(left + 28, CLIENT_Y + 19, 160, 'ghostport listens', { size: 13 }),
    text(left + 28, bottom - 14, 390, 'The firewall drops all that does not go to port 80.', {
      kind: 'quiet',
      size: 13,
    }),
    text(left - 8, DOOR_MIDDLE - 26, 70, 'port 80', { kind: 'strong', anchor: 'end' }),
    ...service(CLIENT_Y, 'sshd, port 22', 'closed without a grant', 'ours'),
    ...service(SCANNER_Y, 'web server, port 80', 'open to all', 'theirs'),
  ]
}

function service(y: number, name: string, about: string, kind: string): readonly Drawing[] {
  return [
    box(SERVICE.x, y, SERVICE.width, SERVICE.height, 'paper'),
    box(SERVICE.x, y, 6, SERVICE.height, kind, 2),
    text(SERVICE.x + 20, y + 27, SERVICE.width - 30, name, { kind: 'strong', size: 15 }),
    text(SERVICE.x + 20, y + 48, SERVICE.width - 30, about, { kind: 'quiet', size: 13 }),
  ]
}

function host(y: number, name: string, about: string, kind: string): readonly Drawing[] {
  return [
    box(HOST.x, y, HOST.width, HOST.height, 'panel'),
    box(HOST.x, y, 6, HOST.height, kind, 2),
    text(HOST.x + 20, y + 27, HOST.width - 30, name, { kind: 'strong', size: 15 }),
    text(HOST.x + 20, y + 48, HOST.width - 30, about, { kind: 'quiet', size: 13 }),
  ]
}

function client(): readonly Drawing[] {
  const right = HOST.x + HOST.width
  const knock = CLIENT_Y + 14
  const ssh = CLIENT_Y + 48
  const { left, width } = WALL
  return [
    ...host(CLIENT_Y, 'client', 'has the keys', 'ours'),
    arrow([[right, knock], [left - 2, knock]], 'ours dashed'), // biome-ignore format: two points, a line
    text(right + 14, knock - 9, 270, '1  knock: one encrypted packet', { size: 13 }),
    arrow(
      [
        [right, ssh],
        [right + 150, ssh],
        [left - 70, DOOR_MIDDLE - 8],
        [left + width + 40, DOOR_MIDDLE - 8],
        [SERVICE.x - 70, CLIENT_Y + 31],
        [SERVICE.x - 2, CLIENT_Y + 31],
      ],
      'ours',
    ),
    text(right + 14, ssh - 9, 140, '2  ssh to port 80', { size: 13 }),
  ]
}

function scanner(): readonly Drawing[] {
  const right = HOST.x + HOST.width
  const web = SCANNER_Y + 16
  const others = SCANNER_Y + 48
  const { left, width } = WALL
  return [
    ...host(SCANNER_Y, 'scanner', 'and everybody else', 'theirs'),
    arrow(
      [
        [right, web],
        [right + 150, web],
        [left - 70, DOOR_MIDDLE + 8],
        [left + width + 40, DOOR_MIDDLE + 8],
        [SERVICE.x - 70, SCANNER_Y + 31],
        [SERVICE.x - 2, SCANNER_Y + 31],
      ],
      'theirs',
    ),
    text(right + 14, web - 9, 140, 'port 80', { size: 13 }),
    line([[right, others], [left - 14, others]], 'theirs dashed'), // biome-ignore format: two points, a line
    line([[left - 20, others - 7], [left - 6, others + 7]], 'theirs'), // biome-ignore format: two points, a line
    line([[left - 20, others + 7], [left - 6, others - 7]], 'theirs'), // biome-ignore format: two points, a line
    text(right + 14, others + 21, 270, 'all other ports: no answer', { size: 13 }),
  ]
}

/** What each sees on its terminal. */
function views(): readonly Drawing[] {
  const cards = [
    ['The client sees a shell', 'ours', ['$ ghostport ssh myserver', 'open after 5 ms', 'ada@server:~$']],
    ['The server sees one grant', 'wall', ['# ghostport status', 'live grants: 1', '192.0.2.77  tcp/80→22  30 s']],
    ['The scanner sees port 80', 'theirs', ['$ nmap -Pn 192.0.2.10', 'PORT   STATE SERVICE', '80/tcp open  http']],
  ] as const
  const width = 286
  return cards.flatMap(([title, kind, lines], index) => {
    const x = 24 + index * (width + 17)
    return [
      box(x, 356, width, 150, 'panel'),
      box(x, 356, width, 5, kind, 2),
      text(x + 18, 389, width - 30, title, { kind: 'strong', size: 15 }),
      ...lines.map((words, at) => text(x + 18, 423 + at * 27, width - 30, words, { kind: 'code', size: 14 })),
    ]
  })
}
