/** Who sent a request, by what the user agent says of itself. */

/** What a visitor is, as far as can be told. `program`: a library or a tool of programmers. */
export type VisitorKind = 'scanner' | 'crawler' | 'person' | 'program' | 'unknown'

export interface Agent {
  readonly kind: VisitorKind
  /** Without versions: `Googlebot`, `Firefox`. */
  readonly family: string
  /** With its version: `Googlebot/2.1`, `Firefox 2.0`. */
  readonly version: string
}

/** Programs that look for weak places, or list what is on the Internet. */
const SCANNERS =
  /\b(?:nmap|masscan|zgrab|zmap|nikto|sqlmap|nuclei|gobuster|dirbuster|dirb|feroxbuster|ffuf|wfuzz|wpscan|joomscan|acunetix|nessus|openvas|qualys|netsparker|burp|whatweb|censys\w*|shodan|expanse|internet-?measurement|l9explore|l9tcpid|leakix|httpx|fuzz|netsystemsresearch|paloalto|odin|internetmeasurement|zaproxy|arachni|morfeus|zmeu|jorgee|visionutils|hello, ?world)\b/i
const CRAWLERS =
  /bot\b|crawl|spider|slurp|archive|teoma|twiceler|charlotte|mediapartners|feed|fetcher|monitor|preview|facebookexternalhit|uptime|pingdom|lighthouse|validator|indexer|scrapy|nutch|httrack|search/i
const PROGRAMS =
  /^(?:curl|wget|python|go-http|java|libwww|lwp|okhttp|axios|node|undici|ruby|perl|php|guzzle|httpclient|apache-httpclient|postman|insomnia|winhttp|powershell|aiohttp|httpie|rest-client|dart|reqwest)/i
const BROWSERS =
  /^Mozilla\/\d.*(?:Gecko|AppleWebKit|MSIE|Trident|Presto|KHTML)|^Opera\/|^Lynx\/|^E?Links\b|^w3m\/|^Konqueror\//
/** What calls itself Mozilla and nothing else is no browser. */
const COMPATIBLE = /\bcompatible; ?([A-Za-z][^;)]*)/
const IS_BOT = /bot$|bot[/-]|crawler|spider|slurp/i

/** What tells a browser, and where its version is. */
interface Browser {
  readonly family: string
  readonly mark: RegExp
  readonly number: RegExp
}

/** Of several, the first one counts: Edge and Opera also call themselves Chrome, and Chrome calls itself Safari. */
const BROWSER_FAMILIES: readonly Browser[] = [
  { family: 'Edge', mark: /\bEdg(?:e|A|iOS)?\//, number: /\bEdg(?:e|A|iOS)?\/([\d.]+)/ },
  { family: 'Opera', mark: /\bOPR\/|\bOpera\b/, number: /\b(?:OPR\/|Opera[/ ])([\d.]+)/ },
  { family: 'Samsung Internet', mark: /\bSamsungBrowser\//, number: /\bSamsungBrowser\/([\d.]+)/ },
  { family: 'Firefox', mark: /\b(?:Firefox|FxiOS)\//, number: /\b(?:Firefox|FxiOS)\/([\d.]+)/ },
  {
    family: 'Chrome',
    mark: /\b(?:HeadlessChrome|Chrome|Chromium|CriOS)\//,
    number: /(?:Chrome|Chromium|CriOS)\/([\d.]+)/,
  },
  { family: 'Konqueror', mark: /\bKonqueror\//, number: /\bKonqueror\/([\d.]+)/ },
  { family: 'Internet Explorer', mark: /\bMSIE |\bTrident\//, number: /\b(?:MSIE |rv:)([\d.]+)/ },
  { family: 'Safari', mark: /\bSafari\//, number: /\bVersion\/([\d.]+)/ },
  { family: 'Mozilla', mark: /\bGecko\//, number: /\brv:([\d.]+)/ },
]

/** No pattern here takes longer than the length of the agent, times a constant: agents are chosen by strangers. */
export function agentOf(agent: string): Agent {
  const version = versionOf(agent)
  return { kind: kindOf(agent), ...version }
}

function kindOf(agent: string): VisitorKind {
  if (agent === '' || agent === '-') return 'unknown'
  if (SCANNERS.test(agent)) return 'scanner'
  if (CRAWLERS.test(agent)) return 'crawler'
  if (PROGRAMS.test(agent)) return 'program'
  return BROWSERS.test(agent) ? 'person' : 'unknown'
}

function versionOf(agent: string): Pick<Agent, 'family' | 'version'> {
  // Crawlers name themselves in their comment: (compatible; NAME/1.0; …).
  const [, compatible] = COMPATIBLE.exec(agent) ?? []
  if (compatible !== undefined && !compatible.startsWith('MSIE') && !compatible.startsWith('Konqueror'))
    return named(compatible.trim())
  const bot = agent
    .split(/[\s;,()"]+/)
    .find((word) => IS_BOT.test(word) && !word.includes('@') && !word.includes('://'))
  if (bot !== undefined) return named(bot)
  const browser = BROWSER_FAMILIES.find(({ mark }) => mark.test(agent))
  if (browser !== undefined) {
    const [, number] = browser.number.exec(agent) ?? []
    return { family: browser.family, version: number === undefined ? browser.family : `${browser.family} ${number}` }
  }
  // What calls itself Mozilla says after that what it is: Mozilla/5.0 zgrab/0.x, Mozilla/5.0 (Twiceler-0.9 …).
  const itself = agent.replace(/^Mozilla\/[\d.]+ +/, '')
  const [, inComment] = /^\(([A-Za-z]\w*[-/]v?\d[\w.]*)/.exec(itself) ?? []
  const [product = ''] = itself.replace(/^\([^)]*\) */, '').split(/[\s;(]/, 1)
  const [first = ''] = agent.split(/[\s;(]/, 1)
  return named(inComment ?? (product || first || '-'))
}

/** `Yahoo! Slurp/3.0`, `Ask Jeeves/Teoma`: the family ends where the version begins. */
function named(whole: string): Pick<Agent, 'family' | 'version'> {
  const version = whole.slice(0, LONGEST_NAME)
  const family = version.replace(/[/ -]v?\d[\w.+-]*$/i, '')
  return { family: family === '' ? version : family, version }
}

/** Of real names, the longest has some forty. */
const LONGEST_NAME = 100

/** Computes each agent once, as long as there is room. */
export class KnownAgents {
  readonly #known = new Map<string, Agent>()

  get(agent: string, own: (text: string) => string): Agent {
    const known = this.#known.get(agent)
    if (known !== undefined) return known
    if (this.#known.size >= MOST_KNOWN) this.#known.clear()
    const found = agentOf(agent)
    this.#known.set(own(agent), { kind: found.kind, family: own(found.family), version: own(found.version) })
    return found
  }
}

const MOST_KNOWN = 4_000
