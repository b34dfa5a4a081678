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
  const ticket = field(answer.value, 'ticket')
  return ticket !== undefined && /^[A-Za-z0-9_-]{22}$/.test(ticket)
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

export async function askAddress(echo: string): Promise<Result<Echo, NotSent>> {
  const answer = await ask(`${echo}/v1/address`)
  if (!answer.ok) return answer
  const address = parseAddress(field(answer.value, 'address') ?? '')
  return address.ok
    ? ok({ from: echo, address: address.value })
    : refuse('SEND_FAILED', `${echo} does not say an address`)
}

/** How many seconds the clock of this device is ahead of that of a gateway; undefined where it does not tell. */
export async function askAhead(gateway: string): Promise<number | undefined> {
  const before = Date.now()
  const answer = await ask(`${gateway}/v1/time`)
  const took = Date.now() - before
  const time = answer.ok ? (answer.value as { readonly time?: unknown } | null)?.time : undefined
  // It says whole seconds: on average, half a second has passed since.
  return typeof time === 'number' ? (before + took / 2) / 1000 - (time + 0.5) : undefined
}

async function ask(url: string): Promise<Result<unknown, NotSent>> {
  try {
    const response = await fetch(url, { ...QUIETLY, signal: AbortSignal.timeout(ECHO_MILLISECONDS) })
    return response.ok ? ok(await response.json()) : refuse('SEND_FAILED', `${url}: status ${response.status}`)
  } catch (error) {
    return refuse('SEND_FAILED', `${url} does not answer${isTimeout(error) ? ' in time' : ''}`)
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
    return refuse('SEND_FAILED', isTimeout(error) ? 'the gateway did not answer in time' : unreachable())
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

function unreachable(): string {
  return navigator.onLine
    ? 'the gateway cannot be reached from this page: it may be down, or does not take requests from pages of this origin'
    : 'this device is offline'
}

function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'TimeoutError'
}

function field(value: unknown, name: string): string | undefined {
  const found = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
  return typeof found === 'string' && found.length <= 4000 ? found : undefined
}
