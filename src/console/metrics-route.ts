/** `/metrics`, for Prometheus. */
import { type Route, route } from '../http-server/route.ts'
import type { StateFolder } from '../system/state-folder.ts'
import { refusal } from './answers.ts'
import { bearerOf } from './gatekeeper.ts'
import { metricsText } from './metrics.ts'
import { isMetricsToken } from './metrics-token.ts'
import type { ServerWatch } from './server-watch.ts'

export function metricsRoute(state: StateFolder, watch: () => ServerWatch): Route {
  return route<undefined>({
    method: 'GET',
    path: '/metrics',
    from: 'own',
    body: { kind: 'none' },
    handle({ header }) {
      const token = bearerOf(header('authorization'))
      if (token === undefined || !isMetricsToken(state, token))
        return refusal(401, 'METRICS_REFUSED', 'This needs the token of “ghostport console metrics-token”.')
      const { status, state: server } = watch()
      // A scrape that fails is an alert: old numbers would be none.
      if (status === undefined) return refusal(503, 'SERVER_AWAY', 'The server cannot be reached.')
      return {
        status: 200,
        headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
        body: metricsText(status, server.version),
      }
    },
  })
}
