/** The pages of the forms: plain HTML that a text browser shows, without any script. */
import { printable } from '../../bytes/text.ts'

/** Every text goes through here before it is part of a page. */
export function escapeHtml(text: string): string {
  return printable(text).replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`)
}

/** @param body already HTML. */
function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<link rel="stylesheet" href="/form.css">
<main>
<h1>${escapeHtml(title)}</h1>
${body}
</main>
</html>
`
}

/** @param token of the form. @param news to be told first. */
export function loginPage(token: string, news: string | undefined): string {
  return page(
    'Log in to knock',
    `${said(news)}<form method="post" action="/form/login">
<input type="hidden" name="token" value="${escapeHtml(token)}">
<p><label>User name<br><input name="name" autocomplete="username" maxlength="64" required></label></p>
<p><label>Password<br><input name="password" type="password" autocomplete="current-password" maxlength="256" required></label></p>
<p><label>Code, from the app or from your list<br><input name="code" autocomplete="one-time-code" maxlength="64" required></label></p>
<p><button>Log in</button></p>
</form>
<p>This gateway can read what you type here. It knocks in your name while you are logged in.</p>`,
  )
}

export interface KnockView {
  readonly name: string
  readonly token: string
  readonly open: string
  readonly target: string
  /** Undefined: it cannot be told. */
  readonly address: string | undefined
  readonly codesLeft: number
  readonly news: string | undefined
}

export function knockPage({ name, token, open, target, address, codesLeft, news }: KnockView): string {
  const hidden = `<input type="hidden" name="token" value="${escapeHtml(token)}">`
  const knock =
    address === undefined
      ? '<p>Your address is not known here, so nothing can be opened for it.</p>'
      : `<form method="post" action="/form/knock">
${hidden}<p>Opens ${escapeHtml(open)} at “${escapeHtml(target)}” for your address, ${escapeHtml(address)}.</p>
<p><button>Open</button></p>
</form>`
  return page(
    `Hello, ${name}`,
    `${said(news)}${knock}
<p>Single-use codes left: ${codesLeft}</p>
<form method="post" action="/form/logout">
${hidden}<p><button>Log out</button></p>
</form>`,
  )
}

function said(news: string | undefined): string {
  return news === undefined ? '' : `<p role="status"><strong>${escapeHtml(news)}</strong></p>\n`
}

export const STYLE = `:root { color-scheme: light dark; }
body { font: 1.125rem/1.5 system-ui, sans-serif; margin: 0; }
main { max-width: 30rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
input, button { font: inherit; padding: 0.5rem 0.75rem; box-sizing: border-box; }
input { width: 100%; }
button { min-width: 8rem; min-height: 2.75rem; }
`
