// npm run host-lab [-- PATTERN…]: whole Debians that boot, on which the documents are followed word for word. Takes
// some minutes.
if (process.argv.length === 2) process.argv.push('test/host/')
await import('./test.mjs')
