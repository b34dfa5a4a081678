// npm run cluster-faults: a cluster under faults, in the manner of Jepsen. Some 130 000 copies of 10 000 packets are
// sent, and each packet may be accepted once. CLUSTER_SEED repeats a run. Takes some minutes.
process.argv.push('test/netns/full/cluster-faults')
await import('./test.mjs')
