/** Loaded into the process of each file of tests: at SIGUSR2 it says what keeps the process from its end. */
process.on('SIGUSR2', () => {
  process.stderr.write(`still open: ${process.getActiveResourcesInfo().join(', ')}\n`)
})
