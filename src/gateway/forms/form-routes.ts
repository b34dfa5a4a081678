/** The routes of the forms: `/form`, and what its buttons send. */
import { createHmac, randomBytes } from 'node:crypto'
import { monotonic } from '../../clock.ts'
import { type HttpReply, type HttpRequest, type Route, route } from '../../http-server/route.ts'
import { equalText } from '../../http-server/totp.ts'
import { isLoopback } from '../../packet/address-kinds.ts'
import { type FormKnockWorld, knockFor } from './form-knock.ts'
import { FormLogin } from './login.ts'
import type { LoginTries } from './login-tries.ts'
import { knockPage, loginPage, STYLE } from './pages.ts'
import { type Session, Sessions } from './sessions.ts'
import type { FormUserFile } from './user-file.ts'

/** Browsers take a cookie of these beginnings only over HTTPS, for one host and all paths. */
const SESSION_COOKIE = '__Host-ghostport'
const VISIT_COOKIE = '__Host-ghostport-visit'
const FLAGS = 'Path=/; Secure; HttpOnly; SameSite=Strict'
const FAILED = 'That did not work. Check name, password and code. After several tries, wait a few minutes.'
const MOST_BODY = 2_000
const PAGE = { content: { 'style-src': "'self'", 'form-action': "'self'" } } as const

export function formRoutes(
  users: FormUserFile,
  tries: LoginTries,
  world: FormKnockWorld,
): { readonly routes: readonly Route[]; readonly sessions: Sessions } {
  const sessions = new Sessions()
  const login = new FormLogin(users, tries, world.clock)
  const visits = randomBytes(32)
  /** The token of a form before there is a session: bound to a cookie. */
  const visitToken = (visit: string): string => createHmac('sha256', visits).update(visit).digest('base64url')

  const sessionOf = (request: HttpRequest<unknown>): Session | undefined => {
    const id = cookieOf(request, SESSION_COOKIE)
    const session = sessions.of(id, monotonic())
    // Removed, or with a new password: the session ends too.
    if (session === undefined || users.find(session.user.name)?.salt === session.user.salt) return session
    sessions.end(id)
    return undefined
  }

  const loginForm = (request: HttpRequest<unknown>, status: number, news?: string): HttpReply => {
    const visit = cookieOf(request, VISIT_COOKIE) ?? randomBytes(16).toString('base64url')
    const cookie = `${VISIT_COOKIE}=${visit}; ${FLAGS}; Max-Age=3600`
    return html(status, loginPage(visitToken(visit), news), { 'set-cookie': cookie })
  }

  const addressOf = ({ source }: HttpRequest<unknown>) =>
    source === undefined || isLoopback(source) ? undefined : source

  const show = route<undefined>({
    method: 'GET',
    path: '/form',
    from: 'own',
    body: { kind: 'none' },
    page: PAGE,
    handle(request) {
      if (!request.secure) return html(403, loginPage('', 'This form works over HTTPS only.'))
      const session = sessionOf(request)
      if (session === undefined) return loginForm(request, 200)
      const { user, secret, token, news } = session
      session.news = undefined
      const { name, open, target } = user
      const codesLeft = secret.codes.length
      return html(200, knockPage({ name, token, open, target, codesLeft, address: addressOf(request), news }))
    },
  })

  const logIn = route<ReadonlyMap<string, string>>({
    method: 'POST',
    path: '/form/login',
    from: 'own',
    body: { kind: 'form', most: MOST_BODY, read: (fields) => fields },
    page: PAGE,
    async handle(request) {
      const { body, source, secure } = request
      const visit = cookieOf(request, VISIT_COOKIE)
      const token = body.get('token') ?? ''
      if (!secure || visit === undefined || !equalText(token, visitToken(visit))) return loginForm(request, 403, FAILED)
      const [name = '', password = '', code = ''] = ['name', 'password', 'code'].map((field) => body.get(field) ?? '')
      const who =
        password.length > 256 || code.length > 64 ? undefined : await login.try({ name, password, code }, source)
      if (who === undefined) return loginForm(request, 403, FAILED)
      // A new id with each login: one that somebody planted is worth nothing.
      sessions.end(cookieOf(request, SESSION_COOKIE))
      return toForm({ 'set-cookie': `${SESSION_COOKIE}=${sessions.begin(who, monotonic())}; ${FLAGS}` })
    },
  })

  const withSession = (
    path: string,
    act: (session: Session, request: HttpRequest<unknown>) => Promise<HttpReply>,
  ): Route =>
    route<ReadonlyMap<string, string>>({
      method: 'POST',
      path,
      from: 'own',
      body: { kind: 'form', most: MOST_BODY, read: (fields) => fields },
      page: PAGE,
      async handle(request) {
        const session = sessionOf(request)
        if (session === undefined) return loginForm(request, 403, 'You are not logged in.')
        if (!equalText(request.body.get('token') ?? '', session.token))
          return loginForm(request, 403, 'That form is too old.')
        return act(session, request)
      },
    })

  const knock = withSession('/form/knock', async (session, request) => {
    const address = addressOf(request)
    if (address !== undefined) session.news = await knockFor(session, address, world)
    return toForm({})
  })

  const logOut = withSession('/form/logout', async (_session, request) => {
    sessions.end(cookieOf(request, SESSION_COOKIE))
    return toForm({ 'set-cookie': `${SESSION_COOKIE}=; ${FLAGS}; Max-Age=0` })
  })

  const style = route<undefined>({
    method: 'GET',
    path: '/form.css',
    from: 'own',
    body: { kind: 'none' },
    handle: () => ({ status: 200, headers: { 'content-type': 'text/css; charset=utf-8' }, body: STYLE }),
  })

  return { routes: [show, logIn, knock, logOut, style], sessions }
}

function html(status: number, body: string, headers: HttpReply['headers'] = {}): HttpReply {
  return { status, headers: { 'content-type': 'text/html; charset=utf-8', ...headers }, body }
}

/** After each action the form is fetched anew: to reload the page repeats nothing. */
function toForm(headers: HttpReply['headers']): HttpReply {
  return { status: 303, headers: { location: '/form', ...headers } }
}

/** @returns undefined if it is not there, or there twice. */
function cookieOf(request: HttpRequest<unknown>, name: string): string | undefined {
  const values = (request.header('cookie') ?? '').split(/;\s*/).flatMap((pair) => {
    const [key, value = ''] = pair.split('=', 2)
    return key === name && /^[A-Za-z0-9_-]{1,64}$/.test(value) ? [value] : []
  })
  return values.length === 1 ? values[0] : undefined
}
