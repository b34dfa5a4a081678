/**
 * When the support of each Node.js ends, security fixes included. From the schedule of the Node.js Release Working
 * Group (https://github.com/nodejs/Release, schedule.json), as of 2026-11. A new major version is a line here.
 */
export const NODE_SUPPORT_ENDS: ReadonlyMap<number, string> = new Map([
  [20, '2026-04-30'],
  [22, '2027-04-30'],
  [23, '2025-06-01'],
  [24, '2028-04-30'],
  [25, '2026-06-01'],
  [26, '2029-04-30'],
])
