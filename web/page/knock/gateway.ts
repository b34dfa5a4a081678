/** What the page says to a gateway (docs/GATEWAY.md). A gateway sees sealed packets, and the address of this device. */
import { type IpAddress, parseAddress } from '../../../src/packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../../../src/result.ts'

type NotSent = Failure<'SEND_FAILED'>

/** Nothing that identifies a person goes along, and nothing is kept. */
const QUIETLY: RequestInit = {
  mode: 'cors',
  credentials: 'omit',
  cache: 'no-store',
  redirect: 'error',
  referrerPolicy: 'no-referrer',
}
const KNOCK_MILLISECONDS = 10_000
const ECHO_MILLISECONDS = 5_000

/** The ticket with which the receipt is asked for. */
export async function sendPacket(gateway: string, target: string, packet: string): Promise<Result<string, NotSent>> {
  const answer = await post(`${gateway}/v1/knock`, { target, packet })
  if (!answer.ok) return answer
  const ticket = field(answer.value, 'ticket') ?? ''
  return /^[\w-]{22}$/.test(ticket)
    ? ok(ticket)
    : refuse('SEND_FAILED', 'the answer of the gateway is not that of a gateway')
}

/** What came back for a ticket. Who sent it, only the keys can tell. */
export async function askReceipt(gateway: string, ticket: string): Promise<Result<string, NotSent>> {
  const answer = await post(`${gateway}/v1/receipt`, { ticket })
  if (!answer.ok) return answer
  return ok(field(answer.value, 'receipt') ?? '')
}

/** What an echo point says. */
export interface Echo {
  readonly from: string
  readonly address: IpAddress
}

/** @param label of a name of the same gateway, which has addresses of one family alone. It is no further voice. */
export async function askAddress(from: string, label = ''): Promise<Echo | undefined> {
  const address = parseAddress(field(await ask(`${from.replace('//', `//${label}`)}/v1/address`), 'address') ?? '')
  return address.ok ? { from, address: address.value } : undefined
}

/** What a gateway says of itself. */
export interface AboutGateway {
  /** How many seconds the clock of this device is ahead; undefined where it does not tell. */
  readonly ahead?: number
  readonly addresses: readonly (Echo | undefined)[]
}

export async function askAbout(gateway: string): Promise<AboutGateway> {
  const before = Date.now()
  const { time, labels } = ((await ask(`${gateway}/v1/time`)) ?? {}) as Record<string, unknown>
  const took = Date.now() - before
  // A list, as text. Of anything else, a few labels at most come out.
  const known = `${labels ?? ''}`.match(/[a-z0-9-]+/g)?.slice(0, 4) ?? []
  return {
    addresses: await Promise.all(known.map((label) => askAddress(gateway, `${label}.`))),
    // It says whole seconds: on average, half a second has passed since.
    ...(typeof time === 'number' && { ahead: (before + took / 2) / 1000 - (time + 0.5) }),
  }
}

/** @returns undefined for no answer. */
async function ask(url: string): Promise<unknown> {
  try {
    const response = await fetch(url, { ...QUIETLY, signal: AbortSignal.timeout(ECHO_MILLISECONDS) })
    return response.ok ? await response.json() : undefined
  } catch {
    return undefined
  }
}

async function post(url: string, body: unknown): Promise<Result<unknown, NotSent>> {
  let response: Response
  try {
    response = await fetch(url, {
      ...QUIETLY,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(KNOCK_MILLISECONDS),
    })
  } catch (error) {
    return refuse('SEND_FAILED', whyNoAnswer(error as Error))
  }
  if (response.status === 429)
    return refuse('SEND_FAILED', 'the gateway has had too many requests from here: wait a minute')
  if (!response.ok) return refuse('SEND_FAILED', `the gateway refused the request (status ${response.status})`)
  try {
    return ok(await response.json())
  } catch {
    return refuse('SEND_FAILED', 'the answer of the gateway is not that of a gateway')
  }
}

function whyNoAnswer({ name }: Error): string {
  if (name === 'TimeoutError') return 'the gateway did not answer in time'
  return navigator.onLine
    ? 'the gateway cannot be reached from this page: it is down, or allows no page of this origin'
    : 'this device is offline'
}

function field(value: unknown, name: string): string | undefined {
  const found = (value as Readonly<Record<string, unknown>> | null | undefined)?.[name]
  return typeof found === 'string' && found.length <= 4000 ? found : undefined
}
