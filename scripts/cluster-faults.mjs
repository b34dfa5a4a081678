// npm run cluster-faults: a cluster under faults, in the manner of Jepsen. More than 100 000 copies of 10 000 packets
// are sent, and each packet may be accepted once. CLUSTER_SEED repeats a run, and CLUSTER_HISTORY names a folder for
// what was recorded. Takes some ten minutes.
process.argv.push('test/netns/full/cluster-faults')
await import('./test.mjs')
