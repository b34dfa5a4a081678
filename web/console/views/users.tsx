/** All users: what they may open, when they last knocked, and when they end. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Icon } from '../../shared/icons.tsx'
import { now } from '../../shared/now.ts'
import type { User } from '../api.ts'
import { Failure } from '../parts/failure.tsx'
import { useFetched } from '../parts/fetched.ts'
import { FilterField } from '../parts/list-tools.tsx'
import type { Sorting } from '../parts/rows.ts'
import { type Column, Table } from '../parts/table.tsx'
import { Tools } from '../parts/tools.tsx'
import { mayManage } from '../session.ts'
import { ago } from '../texts/times.ts'
import { invitationWord, NEW_USER, shownUsers, stateWord } from '../texts/users.ts'
import { addressOf } from '../where.ts'

export function Users(): JSX.Element {
  const filter = useSignal('')
  const sorting = useSignal<Sorting>({ by: 'name', isDown: false })
  const { value, failure } = useFetched<{ readonly users: readonly User[] }>('/v1/users')
  const users = value.value?.users
  return (
    <>
      <Tools title="Users" count={users === undefined ? '' : `${users.length} in all`}>
        <FilterField filter={filter} placeholder="Name, port, address, state" />
        {mayManage.value && (
          <a class="button first" href={addressOf('users', NEW_USER)}>
            <Icon name="plus" /> Add a user
          </a>
        )}
      </Tools>
      <Failure failure={failure.value} />
      <Table
        label="Users"
        kind="users"
        columns={COLUMNS}
        rows={shownUsers(users ?? [], filter.value, sorting.value)}
        rowKey={({ name }) => name}
        sorting={sorting}
        empty={users === undefined ? 'Looking…' : 'No user matches the filter.'}
      />
    </>
  )
}

const COLUMNS: readonly Column<User>[] = [
  {
    name: 'User',
    sort: 'name',
    class: 'c-main',
    cell: (user) => (
      <>
        <a class="cut strong" href={addressOf('users', user.name)}>
          <bdi>{user.name}</bdi>
        </a>
        <span class="cut soft small">
          {stateWord(user, now.value)}
          {user.oldKeysOf != null && ` · old keys of ${user.oldKeysOf}`}
          {user.invitation !== null && ` · ${invitationWord(user.invitation)}`}
        </span>
      </>
    ),
  },
  {
    name: 'May open',
    sort: 'opens',
    class: 'c-opens',
    cell: ({ opens }) => <span class="mono cut">{opens.join(' ')}</span>,
  },
  {
    name: 'Last knock',
    sort: 'last',
    class: 'c-last',
    cell: ({ lastKnock }) =>
      lastKnock === null ? (
        <span class="soft">never seen</span>
      ) : (
        <>
          <time dateTime={lastKnock.at}>{ago(lastKnock.at, now.value)}</time>
          {lastKnock.from !== undefined && <bdi class="cut soft small address">{lastKnock.from}</bdi>}
        </>
      ),
  },
  {
    name: 'Open now',
    sort: 'grants',
    class: 'c-count',
    cell: ({ openGrants }) => <span class={openGrants > 0 ? 'badge good' : 'soft'}>{openGrants}</span>,
  },
]
