/**
 * What a member of etcd says of itself: by its API, or by its metrics where the API tells it only to administrators, as
 * later versions of etcd do. Pure.
 */
import { picked } from './picked.ts'
import { number, text } from './report-fields.ts'
import type { SurveyedMember } from './survey-report.ts'

type State = Pick<
  SurveyedMember,
  'id' | 'leader' | 'leads' | 'isLed' | 'version' | 'databaseBytes' | 'databaseInUse' | 'quotaBytes'
>

const STATUS = ['header', 'version', 'dbSize', 'dbSizeInUse', 'leader'] as const

/**
 * @param status the answer to `Maintenance/Status`; undefined: it was not told.
 * @param metrics the text of `/metrics`; undefined: it was not told.
 */
export function memberState(status: unknown, metrics: string | undefined): State {
  const { header, version, dbSize, dbSizeInUse, leader } = picked(status ?? {}, STATUS)
  const measured = (name: string): number | undefined => (metrics === undefined ? undefined : metric(metrics, name))
  const isKnown = status !== undefined
  return {
    ...text('id', picked(header, ['member_id']).member_id),
    ...text('leader', leader),
    ...(!isKnown && yesNo('leads', measured('etcd_server_is_leader'))),
    ...(!isKnown && yesNo('isLed', measured('etcd_server_has_leader'))),
    ...text('version', version),
    ...number('databaseBytes', isKnown ? dbSize : measured('etcd_mvcc_db_total_size_in_bytes')),
    ...number('databaseInUse', isKnown ? dbSizeInUse : measured('etcd_mvcc_db_total_size_in_use_in_bytes')),
    ...number('quotaBytes', measured('etcd_server_quota_backend_bytes')),
  }
}

/** The value of a metric in the text format of Prometheus, if it is a whole number. */
function metric(text: string, name: string): number | undefined {
  const value = Number(new RegExp(`^${name} ([0-9.e+]+)$`, 'm').exec(text)?.[1] ?? Number.NaN)
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined
}

/** A metric that is 1 or 0. */
function yesNo<const Name extends string>(name: Name, value: number | undefined): { [K in Name]?: 'yes' | 'no' } {
  return (value === 1 ? { [name]: 'yes' } : value === 0 ? { [name]: 'no' } : {}) as { [K in Name]?: 'yes' | 'no' }
}
