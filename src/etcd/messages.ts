/**
 * The messages of etcd’s API that are used here: the number and the kind of each field, as etcd’s `rpc.proto`,
 * `kv.proto` and `auth.proto` say. Fields that are not named here are passed over.
 */
import { enumeration, type MessageType, type Method, message } from './message-type.ts'

const header = message({
  ...{ cluster_id: [1, 'uint64'], member_id: [2, 'uint64'], revision: [3, 'int64'], raft_term: [4, 'uint64'] },
})
const keyValue = message({
  ...{ key: [1, 'bytes'], create_revision: [2, 'int64'], mod_revision: [3, 'int64'], version: [4, 'int64'] },
  ...{ value: [5, 'bytes'], lease: [6, 'int64'] },
})

const range = {
  request: message({
    ...{ key: [1, 'bytes'], range_end: [2, 'bytes'], limit: [3, 'int64'], revision: [4, 'int64'] },
    ...{ serializable: [7, 'bool'], keys_only: [8, 'bool'], count_only: [9, 'bool'] },
  }),
  response: message({ header: [1, header], kvs: [2, [keyValue]], more: [3, 'bool'], count: [4, 'int64'] }),
}
const put = {
  request: message({ key: [1, 'bytes'], value: [2, 'bytes'], lease: [3, 'int64'], prev_kv: [4, 'bool'] }),
  response: message({ header: [1, header], prev_kv: [2, keyValue] }),
}
const deleteRange = {
  request: message({ key: [1, 'bytes'], range_end: [2, 'bytes'], prev_kv: [3, 'bool'] }),
  response: message({ header: [1, header], deleted: [2, 'int64'], prev_kvs: [3, [keyValue]] }),
}

const compare = message({
  result: [1, enumeration('EQUAL', 'GREATER', 'LESS', 'NOT_EQUAL')],
  target: [2, enumeration('VERSION', 'CREATE', 'MOD', 'VALUE', 'LEASE')],
  ...{ key: [3, 'bytes'], version: [4, 'int64'], create_revision: [5, 'int64'], mod_revision: [6, 'int64'] },
})

/** A transaction may have transactions in it: those in there have none. */
function txnOf(within: { readonly request: MessageType; readonly response: MessageType } | undefined) {
  const requestOp = message({
    ...{ request_range: [1, range.request], request_put: [2, put.request] },
    request_delete_range: [3, deleteRange.request],
    ...(within && { request_txn: [4, within.request] }),
  })
  const responseOp = message({
    ...{ response_range: [1, range.response], response_put: [2, put.response] },
    response_delete_range: [3, deleteRange.response],
    ...(within && { response_txn: [4, within.response] }),
  })
  return {
    request: message({ compare: [1, [compare]], success: [2, [requestOp]], failure: [3, [requestOp]] }),
    response: message({ header: [1, header], succeeded: [2, 'bool'], responses: [3, [responseOp]] }),
  }
}

const event = message({ type: [1, enumeration('PUT', 'DELETE')], kv: [2, keyValue], prev_kv: [3, keyValue] })
const watch = {
  request: message({
    create_request: [
      1,
      message({
        key: [1, 'bytes'],
        range_end: [2, 'bytes'],
        start_revision: [3, 'int64'],
        progress_notify: [4, 'bool'],
        fragment: [8, 'bool'],
      }),
    ],
  }),
  response: message({
    ...{ header: [1, header], watch_id: [2, 'int64'], created: [3, 'bool'], canceled: [4, 'bool'] },
    ...{ compact_revision: [5, 'int64'], cancel_reason: [6, 'string'], fragment: [7, 'bool'], events: [11, [event]] },
  }),
}

const member = message({ ID: [1, 'uint64'], name: [2, 'string'], isLearner: [5, 'bool'] })
const alarm = message({ memberID: [1, 'uint64'], alarm: [2, enumeration('NONE', 'NOSPACE', 'CORRUPT')] })
const permission = message({
  permType: [1, enumeration('READ', 'WRITE', 'READWRITE')],
  ...{ key: [2, 'bytes'], range_end: [3, 'bytes'] },
})
const nothing = message({})
const headerOnly = message({ header: [1, header] })

/** By the end of their path: `/etcdserverpb.` comes before it. */
export const METHODS = {
  'KV/Range': range,
  'KV/Put': put,
  'KV/DeleteRange': deleteRange,
  'KV/Txn': txnOf(txnOf(undefined)),
  'Watch/Watch': watch,
  'Lease/LeaseGrant': {
    request: message({ TTL: [1, 'int64'], ID: [2, 'int64'] }),
    response: message({ header: [1, header], ID: [2, 'int64'], TTL: [3, 'int64'], error: [4, 'string'] }),
  },
  'Cluster/MemberList': { request: nothing, response: message({ header: [1, header], members: [2, [member]] }) },
  'Maintenance/Status': {
    request: nothing,
    response: message({
      ...{ header: [1, header], version: [2, 'string'], dbSize: [3, 'int64'], leader: [4, 'uint64'] },
      ...{ dbSizeInUse: [9, 'int64'], isLearner: [10, 'bool'] },
    }),
  },
  'Maintenance/Alarm': {
    request: message({ action: [1, enumeration('GET', 'ACTIVATE', 'DEACTIVATE')] }),
    response: message({ header: [1, header], alarms: [2, [alarm]] }),
  },
  'Auth/Authenticate': {
    request: message({ name: [1, 'string'], password: [2, 'string'] }),
    response: message({ header: [1, header], token: [2, 'string'] }),
  },
  'Auth/RoleGet': {
    request: message({ role: [1, 'string'] }),
    response: message({ header: [1, header], perm: [2, [permission]] }),
  },
  'Auth/RoleAdd': { request: message({ name: [1, 'string'] }), response: headerOnly },
  'Auth/RoleGrantPermission': {
    request: message({ name: [1, 'string'], perm: [2, permission] }),
    response: headerOnly,
  },
  'Auth/UserGet': {
    request: message({ name: [1, 'string'] }),
    response: message({ header: [1, header], roles: [2, ['string']] }),
  },
  'Auth/UserAdd': { request: message({ name: [1, 'string'], password: [2, 'string'] }), response: headerOnly },
  'Auth/UserGrantRole': { request: message({ user: [1, 'string'], role: [2, 'string'] }), response: headerOnly },
} as const satisfies Readonly<Record<string, Method>>

export type EtcdMethod = keyof typeof METHODS
