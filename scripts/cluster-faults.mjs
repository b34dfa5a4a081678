// npm run cluster-faults: a cluster under faults, in the manner of Jepsen: some 130 000 copies of 10 000 packets, of which
// each may be accepted once. CLUSTER_SEED repeats a run. Takes some minutes.
process.argv.push('test/netns/full/cluster-faults')
await import('./test.mjs')
