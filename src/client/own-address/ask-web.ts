/** Asks a web service for the address of this host: one GET request, over HTTPS unless plain HTTP was wanted. */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { explainTls, MORE_AUTHORITIES } from '../../delivery/explain-tls.ts'
import { tlsOptions } from '../../delivery/https.ts'
import { type AddressFamily, familyOf, hostInUrl, parseAddress } from '../../packet/address.ts'
import { errorCode, systemReason } from '../../system/errno.ts'
import { type Milliseconds, milliseconds, port as portOf } from '../../units.ts'
import { type Answer, MAX_ANSWER, parseAnswer } from './answer.ts'
import type { Source } from './services.ts'

export interface AskWebOptions {
  readonly family: AddressFamily
  /** Sent if it is set: by itself, ghostport tells no service what it is. */
  readonly userAgent?: string
  /** Certificates of further authorities to trust, as PEM. */
  readonly authorities?: string
  /** For all of it, redirections included (4 s where absent). */
  readonly limit?: Milliseconds
}

type WebSource = Extract<Source, { kind: 'web' }>

const ASK_LIMIT = milliseconds(4_000)
const HTTPS_PORT = portOf(443)
const MAX_REDIRECTIONS = 2
/** In bytes. */
const MAX_HEADERS = 8_192

/** Asks once. Never throws: a service that cannot be asked is an answer too. */
export async function askWeb(source: WebSource, options: AskWebOptions): Promise<Answer> {
  const { family, limit = ASK_LIMIT } = options
  const literal = parseAddress(source.host)
  if (literal.ok && familyOf(literal.value) !== family) return { problem: `it has no IPv${family} address` }
  const signal = AbortSignal.timeout(limit)
  let path = source.path
  for (let hops = 0; hops <= MAX_REDIRECTIONS; hops++) {
    const next = await askOnce({ ...source, path }, options, signal)
    if (!('redirectedTo' in next)) return next
    path = next.redirectedTo
  }
  return { problem: 'it redirects again and again' }
}

type Step = Answer | { readonly redirectedTo: string }

async function askOnce(source: WebSource, options: AskWebOptions, signal: AbortSignal): Promise<Step> {
  const pinned = source.fingerprint === undefined ? undefined : await pinnedTo(source, options, signal)
  if (pinned !== undefined && 'problem' in pinned) return pinned
  const { request } = source.secure ? await import('node:https') : await import('node:http')
  const { host, port, path } = source
  const { family, userAgent, authorities } = options
  return new Promise((resolve) => {
    const asking = request({
      host,
      path,
      family,
      signal,
      method: 'GET',
      maxHeaderSize: MAX_HEADERS,
      headers: { Accept: 'text/plain, */*', ...(userAgent === undefined ? {} : { 'User-Agent': userAgent }) },
      ...(port === undefined ? {} : { port }),
      ...(source.secure ? tlsOptions(host, authorities) : {}),
      ...(pinned === undefined ? { agent: false } : { createConnection: () => pinned }),
    })
    const done = (step: Step): void => {
      resolve(step)
      asking.destroy()
    }
    asking.on('error', (error) => done({ problem: problemOf(error, source, signal, family) }))
    let answered = false
    // An answer of 101 ends the connection without a response and without an error.
    asking.on('close', () => {
      if (!answered) done({ problem: 'the connection ended without an answer' })
    })
    asking.on('response', (response) => {
      answered = true
      const status = response.statusCode ?? 0
      if (status >= 300 && status < 400) done(redirection(source, response))
      else if (status !== 200) done({ problem: `it answers with status ${status}` })
      else readAll(response, (text) => done(typeof text === 'string' ? parseAnswer(text, family) : text))
    })
    asking.end()
  })
}

/** A gateway that is known by the fingerprint of its certificate. */
async function pinnedTo(
  { host, port = HTTPS_PORT, fingerprint }: WebSource,
  { family }: AskWebOptions,
  signal: AbortSignal,
): Promise<Socket | { readonly problem: string }> {
  const [{ connect }, { connectTls }] = await Promise.all([import('node:net'), import('../../delivery/pinned-tls.ts')])
  const socket = connect({ host, port, family, signal })
  const failure = await new Promise<string | undefined>((resolve) => {
    socket.once('connect', () => resolve(undefined))
    socket.once('error', (error) => resolve(errorCode(error) ?? systemReason(error)))
  })
  if (failure !== undefined) return { problem: signal.aborted ? 'it does not answer in time' : failure }
  const secured = await connectTls(socket, { name: host, ...(fingerprint === undefined ? {} : { fingerprint }) })
  return secured.ok ? secured.value : { problem: secured.failure.detail }
}

/** Up to {@link MAX_ANSWER} bytes. */
function readAll(response: IncomingMessage, then: (text: string | { readonly problem: string }) => void): void {
  let text = ''
  response.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
    if (text.length > MAX_ANSWER) then({ problem: `its answer is longer than ${MAX_ANSWER} bytes` })
  })
  response.on('end', () => then(text))
  response.on('error', () => then({ problem: 'its answer is cut off' }))
}

/** Only to another path of the same service: another host would be somebody whom nobody chose. */
function redirection(source: WebSource, { headers: { location = '' } }: IncomingMessage): Step {
  const base = `${source.secure ? 'https' : 'http'}://${hostInUrl(source.host)}${source.port === undefined ? '' : `:${source.port}`}`
  const from = URL.parse(source.path, base)
  const to = URL.parse(location, `${base}${source.path}`)
  if (from === null || to === null || to.origin !== from.origin || to.username !== '')
    return { problem: 'it redirects to another host' }
  return { redirectedTo: `${to.pathname}${to.search}` }
}

function problemOf(error: Error, { host }: WebSource, signal: AbortSignal, family: AddressFamily): string {
  if (signal.aborted) return 'it does not answer in time'
  const code = errorCode(error)
  switch (code) {
    case 'ENOTFOUND':
    case 'ENODATA':
      return `its name has no IPv${family} address (${code})`
    case 'EAI_AGAIN':
      return `the name server does not answer (${code})`
    case 'ECONNREFUSED':
      return `it refuses the connection (${code})`
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
      return `this host has no IPv${family} route there (${code})`
    default: {
      const tls = code === undefined ? undefined : explainTls(code, host, MORE_AUTHORITIES)
      return tls === undefined ? (code ?? systemReason(error)) : `${tls} (${code})`
    }
  }
}
